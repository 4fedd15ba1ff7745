// A source tree and a restore target in memory.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "agent/entry_stream.h"
#include "agent/restore_target.h"
#include "agent/source_tree.h"

namespace holdfast::testing {

// Calls that read a source, and the one of them that fails. Shared by a source, its scans and
// readers.
class SourceFaults {
 public:
  // The `nth` call from now fails with `code`, and if `for_good` all behind it.
  void fail_call(std::uint64_t nth, Code code, bool for_good);
  void clear() { failing_ = 0; }
  std::uint64_t calls() const { return calls_; }
  Status begin(const char* call, const std::string& path);

 private:
  std::uint64_t calls_ = 0, failing_ = 0;
  Code code_ = Code::kIo;
  bool for_good_ = false;
};

// Folders are made as files are put below them. Times come from a counter, so that every change
// shows.
class MemorySource final : public agent::SourceTree {
 public:
  void put(const std::string& path, Bytes content);
  void put_symlink(const std::string& path, const std::string& target);
  void remove(const std::string& path);
  void touch_folder(const std::string& path) { touch(path, 0040755, 0); }
  const std::map<std::string, Bytes>& contents() const { return contents_; }
  std::vector<agent::Entry> entries() const;  // in catalog order
  // Null if there is none.
  const agent::Entry* find(const std::string& path) const;

  // What the next open() of this path does.
  void make_unreadable(const std::string& path) { unreadable_.insert(path); }
  // Of a scan: a stat of each entry, a list of each folder; then describe, open, read, and the stat
  // behind it.
  SourceFaults& faults() const { return *faults_; }
  std::uint64_t opened() const { return opened_; }
  std::uint64_t bytes_read() const { return *bytes_read_; }

  Status scan(const std::function<bool(agent::Entry&&)>& visit,
              const std::function<void(agent::ScanProblem&&)>& problem) override;
  Status describe(agent::Entry& entry) override;
  Result<std::unique_ptr<agent::ContentReader>> open(const agent::Entry& entry) override;

 private:
  struct ByPath {
    bool operator()(const std::string& a, const std::string& b) const {
      return agent::compare_paths(a, b) < 0;
    }
  };
  void touch(const std::string& path, std::uint32_t mode, std::uint64_t size);
  std::map<std::string, agent::Entry, ByPath> entries_;
  std::map<std::string, Bytes> contents_;
  std::set<std::string> unreadable_;
  std::uint64_t clock_ = 1, next_inode_ = 1, opened_ = 0;
  const std::shared_ptr<SourceFaults> faults_ = std::make_shared<SourceFaults>();
  std::shared_ptr<std::uint64_t> bytes_read_ = std::make_shared<std::uint64_t>(0);
};

// One scan of a tree, in batches.
class MemoryScan final : public agent::EntryStream {
 public:
  MemoryScan(const MemorySource& source, std::size_t batch)
      : source_(source), entries_(source.entries()), batch_(batch) {}
  Result<std::vector<agent::Entry>> next() override;
  std::vector<agent::ScanProblem> take_problems() override { return std::move(problems_); }

 private:
  // False if the entry itself cannot be seen. What lies below a folder that cannot be listed is
  // left out.
  bool sees(const agent::Entry& entry);

  const MemorySource& source_;
  std::vector<agent::ScanProblem> problems_;
  std::string hidden_;  // what lies below this
  std::vector<agent::Entry> entries_;
  std::size_t at_ = 0, batch_;
};

}  // namespace holdfast::testing
