#include "common/posix/posix_file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "common/base/text.h"
#include "common/posix/descriptor.h"
#include "common/posix/posix_file.h"
#include "common/posix/system_call.h"
#include "common/posix/system_random.h"

namespace holdfast {
namespace {

class PosixFileLock final : public FileLock {
 public:
  explicit PosixFileLock(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

 private:
  const Descriptor descriptor_;
};

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

// A NUL would cut the path short and name another file.
Status check_path(const std::string& path) {
  if (!path.empty() && path.find('\0') == std::string::npos) return {};
  return Error(Code::kInvalidArgument, path.empty() ? "an empty path" : "a path with a NUL byte");
}

int open_flags(OpenMode mode) {
  // O_NONBLOCK keeps open() of a FIFO from waiting for its other end; regular files ignore it.
  constexpr int kAlways = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  switch (mode) {
    case OpenMode::kRead:
      return kAlways | O_RDONLY;
    case OpenMode::kReadWrite:
      return kAlways | O_RDWR | O_NOFOLLOW;
    case OpenMode::kCreateNew:
      return kAlways | O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;
  }
  check(false, "an OpenMode that does not exist");
  return 0;
}

Result<Descriptor> open_regular(const std::string& path, int flags) {
  HOLDFAST_TRY(check_path(path));
  Descriptor descriptor(retry_interrupted([&] { return ::open(path.c_str(), flags, 0600); }));
  if (!descriptor) return system_error("open", path);
  struct stat status {};
  if (::fstat(descriptor.get(), &status) != 0) return system_error("stat", path);
  if (!S_ISREG(status.st_mode))
    return Error(Code::kInvalidArgument, "open " + path + ": not a regular file");
  return descriptor;
}

Result<bool> entry_is_directory(int folder, const dirent& entry, const std::string& path) {
  if (entry.d_type != DT_UNKNOWN) return entry.d_type == DT_DIR;
  struct stat status {};
  if (::fstatat(folder, entry.d_name, &status, AT_SYMLINK_NOFOLLOW) == 0)
    return S_ISDIR(status.st_mode);
  if (errno == ENOENT) return false;  // removed since it was read
  return system_error("stat", path + "/" + entry.d_name);
}

}  // namespace

Result<std::unique_ptr<File>> PosixFileSystem::open(const std::string& path, OpenMode mode) {
  HOLDFAST_ASSIGN(Descriptor descriptor, open_regular(path, open_flags(mode)));
  return std::unique_ptr<File>(std::make_unique<PosixFile>(std::move(descriptor), path));
}

Status PosixFileSystem::make_directory(const std::string& path) {
  HOLDFAST_TRY(check_path(path));
  if (::mkdir(path.c_str(), 0700) != 0) return system_error("mkdir", path);
  return {};
}

Status PosixFileSystem::rename(const std::string& from, const std::string& to) {
  HOLDFAST_TRY(check_path(from));
  HOLDFAST_TRY(check_path(to));
  if (::rename(from.c_str(), to.c_str()) != 0) return system_error("rename", from + " to " + to);
  return {};
}

// Where a file system cannot rename so (NFS, for one), a second name is made and the first one
// taken away: a crash in between leaves both.
Status PosixFileSystem::rename_new(const std::string& from, const std::string& to) {
  HOLDFAST_TRY(check_path(from));
  HOLDFAST_TRY(check_path(to));
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return {};
  const int refused = errno;
  if (refused != EINVAL && refused != ENOSYS) return system_error("rename", from + " to " + to);
  if (::link(from.c_str(), to.c_str()) != 0) {
    if (errno == EPERM) errno = refused;  // a folder, or there are no links either
    return system_error("rename", from + " to " + to);
  }
  if (::unlink(from.c_str()) != 0) return system_error("unlink", from);
  return {};
}

Status PosixFileSystem::remove(const std::string& path) {
  HOLDFAST_TRY(check_path(path));
  if (::unlink(path.c_str()) == 0) return {};
  // Linux says EISDIR for a folder, POSIX EPERM.
  if (errno != EISDIR && errno != EPERM) return system_error("unlink", path);
  const int refused = errno;
  if (::rmdir(path.c_str()) == 0) return {};
  if (errno != ENOTDIR) return system_error("rmdir", path);
  errno = refused;
  return system_error("unlink", path);
}

Status PosixFileSystem::sync_directory(const std::string& path) {
  HOLDFAST_TRY(check_path(path));
  const Descriptor folder(
      retry_interrupted([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!folder) return system_error("open", path);
  if (retry_interrupted([&] { return ::fsync(folder.get()); }) != 0)
    return system_error("fsync", path);
  return {};
}

Result<std::vector<DirectoryEntry>> PosixFileSystem::list(const std::string& path) {
  HOLDFAST_TRY(check_path(path));
  const std::unique_ptr<DIR, CloseDirectory> folder(::opendir(path.c_str()));
  if (!folder) return system_error("opendir", path);
  std::vector<DirectoryEntry> entries;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(folder.get());
    if (entry == nullptr) {
      if (errno != 0) return system_error("readdir", path);
      break;
    }
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    HOLDFAST_ASSIGN(const bool is_directory,
                    entry_is_directory(::dirfd(folder.get()), *entry, path));
    entries.push_back({std::string(name), is_directory});
  }
  std::sort(entries.begin(), entries.end(),
            [](const DirectoryEntry& a, const DirectoryEntry& b) { return a.name < b.name; });
  return entries;
}

Result<bool> PosixFileSystem::exists(const std::string& path) {
  HOLDFAST_TRY(check_path(path));
  struct stat status {};
  if (::fstatat(AT_FDCWD, path.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return system_error("stat", path);
}

Result<std::uint64_t> PosixFileSystem::free_bytes(const std::string& path) {
  HOLDFAST_TRY(check_path(path));
  struct statvfs status {};
  if (retry_interrupted([&] { return ::statvfs(path.c_str(), &status); }) != 0)
    return system_error("statvfs", path);
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

std::string PosixFileSystem::temporary_path(const std::string& path) {
  std::array<Byte, 8> drawn;
  SystemRandom().fill(drawn);
  return path + "." + hex_encode(drawn) + ".new";
}

Result<std::unique_ptr<FileLock>> PosixFileSystem::lock(const std::string& path) {
  HOLDFAST_ASSIGN(Descriptor descriptor,
                  open_regular(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (retry_interrupted([&] { return ::flock(descriptor.get(), LOCK_EX | LOCK_NB); }) != 0) {
    if (errno == EWOULDBLOCK)
      return Error(Code::kConflict, "lock " + path + ": another process holds it");
    return system_error("flock", path);
  }
  return std::unique_ptr<FileLock>(std::make_unique<PosixFileLock>(std::move(descriptor)));
}

}  // namespace holdfast
