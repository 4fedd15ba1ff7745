// The target of a restore in memory, which keeps the rules of agent/restore_target.h and writes
// down when they are broken.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/restore_target.h"
#include "agent/target_view.h"

namespace holdfast::testing {

class MemoryTarget final : public agent::RestoreTarget, public agent::TargetView {
 public:
  struct Node {
    agent::Entry entry;  // mode, times, target
    Bytes content;
    std::uint64_t inode = 0;
    bool made = false;      // by this restore
    bool finished = false;  // has its metadata
  };

  // What is there before.
  void put_file(const std::string& path, Bytes content, agent::Timestamp mtime = {});
  void put_folder(const std::string& path);

  const std::map<std::string, Node>& nodes() const { return nodes_; }
  const Node* find(const std::string& path) const;
  std::vector<std::string> paths() const;  // sorted

  // Faults: calls on these paths fail with this.
  std::map<std::string, Error> write_errors, link_errors, finish_errors, attribute_errors;
  std::map<std::string, Error> look_errors, list_errors, remove_errors;  // look: and matches()
  std::function<void(Node&)> spoil;  // applied to every file that is finished

  // Observations.
  std::vector<std::string> broken_rules;
  std::size_t open_writers = 0, most_open_writers = 0;
  std::size_t whole_writes = 0, piece_writes = 0, links = 0;

  // RestoreTarget.
  Status make_directory(const std::string& path) override;
  Result<std::unique_ptr<agent::FileWriter>> create_file(const std::string& path,
                                                         const agent::Entry& entry) override;
  Status write_file(const std::string& path, const agent::Entry& entry, ByteView content) override;
  Status make_symlink(const std::string& path, const agent::Entry& entry) override;
  Status make_hard_link(const std::string& path, const std::string& existing) override;
  Status make_special(const std::string& path, const agent::Entry& entry) override;
  Status finish_directory(const std::string& path, const agent::Entry& entry) override;
  Result<bool> matches(const std::string& path, const agent::Entry& entry) override;
  // TargetView.
  Result<std::optional<agent::Entry>> look(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;
  Status remove(const std::string& path) override;
  Result<std::unique_ptr<agent::TargetFile>> open(const std::string& path) override;

 private:
  class Writer;
  Status admit(const std::string& path);
  Status place(const std::string& path, const agent::Entry& entry, Bytes content);
  std::map<std::string, Node> nodes_;
  std::uint64_t next_inode_ = 1;
};

}  // namespace holdfast::testing
