// Files as a node's store and an agent's state need them: durable or not, with nothing in between
// assumed. What is promised is what POSIX and a careful reading of ext4, xfs and btrfs promise:
//
//   - written bytes survive a crash only after sync_data() of the file;
//   - a created, renamed or removed name survives only after sync_directory() of its folder;
//   - after a failed sync_data() the bytes written since the last good one may be gone, and calling
//     it again on the same descriptor proves nothing (fsyncgate): the caller must rewrite
//     elsewhere. A process that opens the file later sees those bytes all the same, until it drops
//     them by forget_cached();
//   - rename() replaces atomically.
//
// Paths are bytes with '/' between components. All calls are thread-safe on different files; one
// File takes reads from any thread, and writes from one thread at a time beside sync_data() and
// reads from others.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace holdfast {

class File {
 public:
  virtual ~File() = default;
  // Reads up to out.size() bytes; fewer only at the end of the file.
  virtual Result<std::size_t> read_at(std::uint64_t offset, MutableByteView out) = 0;
  // Writes all of `parts`, one behind the other, or fails; on failure any part may have been
  // written.
  virtual Status write_at(std::uint64_t offset, std::vector<ByteView> parts) = 0;
  virtual Status sync_data() = 0;
  // Drops what the system keeps of the file in memory and need not write any more. Behind a good
  // sync_data(), with no write between, reads then give what the device holds, even where an
  // earlier sync lost bytes that were seen until now.
  virtual Status forget_cached() = 0;
  virtual Status truncate(std::uint64_t size) = 0;
  virtual Result<std::uint64_t> size() = 0;
  // Tells the system that writing this range back to the device may start. Promises nothing.
  virtual void start_writeback(std::uint64_t offset, std::uint64_t length) = 0;
};

enum class OpenMode {
  kRead,       // must exist
  kReadWrite,  // must exist
  kCreateNew,  // must not exist; read and write; mode 0600
};

struct DirectoryEntry {
  std::string name;
  bool is_directory = false;
};

// Held while alive; released when the process ends, however it ends.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  // Creates a folder (mode 0700); kAlreadyExists if the name is taken. The parent must exist.
  virtual Status make_directory(const std::string& path) = 0;
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  // For a file whose new name must be free; kAlreadyExists, and nothing happens, where it is not.
  virtual Status rename_new(const std::string& from, const std::string& to) = 0;
  virtual Status remove(const std::string& path) = 0;  // a file or an empty folder
  virtual Status sync_directory(const std::string& path) = 0;
  virtual Result<std::vector<DirectoryEntry>> list(const std::string& path) = 0;  // sorted by name
  virtual Result<bool> exists(const std::string& path) = 0;
  virtual Result<std::uint64_t> free_bytes(const std::string& path) = 0;
  // A path beside `path` that no process was ever given before, for a file that is to take its
  // place: `path`, a point, 16 hexadecimal digits and ".new". Nothing is made.
  virtual std::string temporary_path(const std::string& path) = 0;
  // An exclusive lock on a file that is created if need be; kConflict at once if another holds it.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
};

// Reads a whole file of at most `limit` bytes; kInvalidArgument if it is larger.
Result<Buffer> read_file(FileSystem& files, const std::string& path, std::size_t limit);
// Replaces `path` so that a crash leaves the old or the new content and, once this returns, the
// new: temporary beside it, sync, rename, sync of the folder. Of processes that do so at once each
// writes the whole content of one of them. `finish` is called with the temporary's path before it
// is moved. A failure leaves no temporary; what a crash has left, the next call removes.
Status write_file_atomically(FileSystem& files, const std::string& path, ByteView content,
                             const std::function<Status(const std::string&)>& finish = {});
// make_directory for each missing component, each made durable, and the last one that was there: it
// may be what an attempt that was cut off has left.
Status make_directories(FileSystem& files, const std::string& path);
std::string parent_path(const std::string& path);

}  // namespace holdfast
