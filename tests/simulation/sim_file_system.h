// A FileSystem in memory that crashes as badly as common/ports/file_system.h allows.
//
// Every file and folder has two states: what processes see, and what is on the device. sync_data()
// and sync_directory() carry the one over to the other. A crash keeps, of what was not carried
// over, nothing, everything, or an independent choice for every page (or torn within it, by
// sectors), for the file's size, and for every name that was made, replaced or removed.
//
// Faults: the n-th call fails, once or for good; the machine stops before, within or after the n-th
// mutating call; the disk is full; bits flip; a sync fails and the pages it should have written
// stay readable and clean, and are gone after the next crash; a read gives what lies elsewhere, a
// write goes elsewhere; the device is replaced by an empty one or by an image of an earlier time.
//
// One thread. Files opened before a crash answer kIo after it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/ports/file_system.h"
#include "common/ports/random.h"

namespace holdfast::simulation {

enum class CrashKeeps { kNothing, kEverything, kSome };
enum class StopPoint { kBefore, kTorn, kAfter };

struct SimNode;

class SimFileSystem final : public FileSystem {
 public:
  // With the folder "/" and nothing in it.
  SimFileSystem();
  ~SimFileSystem() override;

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Status make_directory(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override {
    return rename(from, to, true);
  }
  Status rename_new(const std::string& from, const std::string& to) override {
    return rename(from, to, false);
  }
  Status remove(const std::string& path) override;
  Status sync_directory(const std::string& path) override;
  Result<std::vector<DirectoryEntry>> list(const std::string& path) override;
  Result<bool> exists(const std::string& path) override;
  Result<std::uint64_t> free_bytes(const std::string& path) override;
  std::string temporary_path(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;

  // The machine stops and starts again. `random` decides for kSome and is not used otherwise.
  void crash(CrashKeeps keeps, Random& random);

  // The processes end and the machine goes on: files are closed, locks are free, and what was not
  // synced is seen all the same and not on the device.
  void kill();
  // What a system may do at any time: all of this file or folder, and its name, is on the device.
  void persist(const std::string& path);

  // All that is seen and stored at one moment, to come back to as often as one likes.
  class Moment {
   private:
    friend class SimFileSystem;
    std::shared_ptr<const SimNode> root_;
    std::uint64_t temporaries_ = 0;
  };
  Moment moment() const;
  void return_to(const Moment& moment);
  // Of all that is seen and stored.
  std::uint64_t fingerprint() const;

  // Calls of every kind but start_writeback() and closing; those that change something.
  std::uint64_t calls() const { return calls_; }
  std::uint64_t mutating_calls() const { return mutating_calls_; }

  // The `nth` call from now (1 is the next) fails with `code`, and if `for_good` all behind it.
  void fail_call(std::uint64_t nth, Code code, bool for_good);
  // What was to be done by the first call that was made to fail since: "open /a"; "" if none was.
  const std::string& failed_call() const { return failed_call_; }
  // The same for the `nth` sync_data() alone, which also forgets what it should have written.
  void fail_sync(std::uint64_t nth);
  // The machine stops at the `nth` mutating call: from then on every call fails with kInterrupted
  // until crash(). `random` decides how much of a torn write was done; it must live until then.
  void stop_at(std::uint64_t nth, StopPoint point, Random& random);
  bool stopped() const { return stopped_; }
  // The next read (write) of at least a sector gives what lies at (goes to) another place of the
  // file. `random` chooses it; it must live until then.
  void misdirect_read(Random& random) { misdirected_read_ = &random; }
  void misdirect_write(Random& random) { misdirected_write_ = &random; }
  // Reads of this byte of the file fail from now on, as with a sector that went bad.
  void break_byte(const std::string& path, std::uint64_t offset);
  bool misdirects() const { return misdirected_read_ != nullptr || misdirected_write_ != nullptr; }
  void clear_faults();
  // While suspended, calls are neither counted nor made to fail: for who looks on from outside.
  void suspend_faults(bool suspended) { suspended_ = suspended; }
  // Of those above that happened: calls that failed, syncs too, and that were misdirected.
  std::uint64_t faults() const { return faults_; }

  // What is on the device now, as a crash that keeps nothing would leave it. restore() puts it in
  // the place of whatever is there, which ends like a crash; null is an empty device.
  using Image = std::shared_ptr<const SimNode>;
  Image image() const;
  void restore(const Image& image);

  // Bytes that files may take together; none is unlimited.
  void set_capacity(std::optional<std::uint64_t> bytes) { capacity_ = bytes; }
  std::uint64_t used_bytes() const { return used_; }
  // Changes what is stored, seen and on the device alike.
  void flip_bit(const std::string& path, std::uint64_t offset, unsigned bit);
  // The size of a file as seen; 0 if there is none.
  std::uint64_t size_of(const std::string& path) const;

 private:
  friend class SimFile;
  friend class SimFileLock;
  enum class Change { kNone, kMutating };

  Status rename(const std::string& from, const std::string& to, bool replaces);
  // The place that an access of this length is led to instead of `offset`.
  std::uint64_t elsewhere(Random*& misdirected, const SimNode& node, std::uint64_t offset,
                          std::uint64_t length);
  // Behind the end of every process.
  void begin_anew();
  // Counts a call and tells whether it fails. The caller asks stop_now() for a call that the
  // machine does in part or in whole before it stops.
  Status begin_call(Change change, const std::string& what);
  std::optional<StopPoint> stop_now();
  Status end_call();

  Result<std::shared_ptr<SimNode>> find(const std::string& path) const;
  Result<std::shared_ptr<SimNode>> find_folder(const std::string& path) const;
  // Lets the file grow or shrink; kNoSpace. `grown` is what there is room for.
  Status account(SimNode& node, std::uint64_t new_size, std::uint64_t& grown);

  // Ends the tree that was there.
  void replace_root(std::shared_ptr<SimNode> root);

  std::shared_ptr<SimNode> root_;
  std::vector<std::weak_ptr<SimNode>>
      folders_;  // made in this tree: some are in no folder any more
  std::set<const SimNode*> locks_;
  std::uint64_t generation_ = 0;   // counts crashes
  std::uint64_t temporaries_ = 0;  // paths that were given
  std::uint64_t calls_ = 0, mutating_calls_ = 0, syncs_ = 0;
  std::uint64_t failing_call_ = 0, failing_sync_ = 0;  // 0: none
  std::string failed_call_;
  Code failing_code_ = Code::kIo;
  bool fails_for_good_ = false;
  std::uint64_t stopping_call_ = 0;
  StopPoint stop_point_ = StopPoint::kBefore;
  Random* stop_random_ = nullptr;
  bool stopped_ = false, suspended_ = false;
  Random* misdirected_read_ = nullptr;
  Random* misdirected_write_ = nullptr;
  const SimNode* broken_ = nullptr;
  std::uint64_t broken_at_ = 0;
  std::uint64_t faults_ = 0;
  std::optional<std::uint64_t> capacity_;
  std::uint64_t used_ = 0;
};

}  // namespace holdfast::simulation
