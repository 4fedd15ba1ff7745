// The FileSystem of the machine. Stateless; any thread. Every call is retried when a signal
// interrupts it, every descriptor is closed on exec, and every error names the call and the path.
//
// Only regular files are opened. A symbolic link as the last component is followed for kRead (keys
// and credentials are often mounted as links) and refused for what writes and locks.
#pragma once

#include "common/ports/file_system.h"

namespace holdfast {

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Status make_directory(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status rename_new(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status sync_directory(const std::string& path) override;
  Result<std::vector<DirectoryEntry>> list(const std::string& path) override;
  // True for any name that is taken, a dangling symbolic link too.
  Result<bool> exists(const std::string& path) override;
  // What a process without privileges may still use.
  Result<std::uint64_t> free_bytes(const std::string& path) override;
  std::string temporary_path(const std::string& path) override;
  // flock(2): two locks of one process exclude each other as well. The file is left behind.
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;
};

}  // namespace holdfast
