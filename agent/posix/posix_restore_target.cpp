#include "agent/posix/posix_restore_target.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "agent/posix/posix_file_writer.h"
#include "agent/posix/restored_attributes.h"
#include "common/base/text.h"
#include "common/posix/system_call.h"

namespace holdfast::agent {
namespace {

constexpr mode_t kOwnerOnly = 0700;

std::string quoted(std::string_view path) { return "\"" + printable(path) + "\""; }

// What a folder that was there before needs, so that its owner can restore into it.
Status open_to_owner(const TargetPlace& place, const struct stat& there) {
  if ((there.st_mode & kOwnerOnly) == kOwnerOnly || place.folder->creator.uid == 0) return {};
  const mode_t mode = (there.st_mode & 07777) | kOwnerOnly;
  if (::fchmodat(place.fd(), place.c_name(), mode, AT_SYMLINK_NOFOLLOW) == 0 || errno == EPERM)
    return {};  // others' folder may still let us in; if not, what is restored into it says so
  return system_error("chmod", printable(place.name));
}

}  // namespace

Result<std::unique_ptr<PosixRestoreTarget>> PosixRestoreTarget::open(const std::string& path,
                                                                     KernelFeatures features) {
  if (::mkdir(path.c_str(), kOwnerOnly) != 0 && errno != EEXIST)
    return system_error("cannot make the target", printable(path));
  Descriptor root(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return system_error("cannot open the target", printable(path));
  return std::unique_ptr<PosixRestoreTarget>(new PosixRestoreTarget(std::move(root), features));
}

PosixRestoreTarget::PosixRestoreTarget(Descriptor root, KernelFeatures features)
    : folders_(std::move(root), features) {}

// Removes a folder that is in the way, if it is empty; nothing else. ENOTDIR: there is none.
Status PosixRestoreTarget::clear_folder(const std::string& path, const TargetPlace& place) {
  if (::unlinkat(place.fd(), place.c_name(), AT_REMOVEDIR) == 0) {
    folders_.forget(path);
    return {};
  }
  if (errno == ENOTDIR || errno == ENOENT) return {};
  return error_from_errno(errno, "the folder in the place of " + quoted(path));
}

// Makes something new by make(name): under its own name if that is free, else under a temporary one
// that is then renamed over what is there.
template <typename Make>
Status PosixRestoreTarget::make_in_place(const std::string& path, const TargetPlace& place,
                                         Make make) {
  if (make(place.c_name()) == 0) return {};
  if (errno != EEXIST) return error_from_errno(errno, "cannot create " + quoted(path));
  HOLDFAST_TRY(clear_folder(path, place));
  const std::string temporary = temporary_name();
  if (make(temporary.c_str()) != 0) return error_from_errno(errno, "cannot create " + quoted(path));
  const int renamed = ::renameat(place.fd(), temporary.c_str(), place.fd(), place.c_name());
  const int value = errno;
  // After a failure, but also if both names are links to one inode: then rename does nothing.
  (void)::unlinkat(place.fd(), temporary.c_str(), 0);
  if (renamed != 0) return error_from_errno(value, "cannot replace " + quoted(path));
  return {};
}

Status PosixRestoreTarget::make_directory(const std::string& path) {
  HOLDFAST_ASSIGN(const TargetPlace place, folders_.locate(path));
  const auto make = [&] { return ::mkdirat(place.fd(), place.c_name(), kOwnerOnly) == 0; };
  if (make()) return {};
  struct stat there {};
  if (errno == EEXIST && ::fstatat(place.fd(), place.c_name(), &there, AT_SYMLINK_NOFOLLOW) == 0) {
    if (S_ISDIR(there.st_mode)) return open_to_owner(place, there);
    if (::unlinkat(place.fd(), place.c_name(), 0) != 0)
      return error_from_errno(errno, "cannot remove what is in the place of " + quoted(path));
    if (make()) return {};
  }
  return error_from_errno(errno, "cannot make folder " + quoted(path));
}

Result<std::unique_ptr<FileWriter>> PosixRestoreTarget::create_file(const std::string& path,
                                                                    const Entry& entry) {
  HOLDFAST_ASSIGN(TargetPlace place, folders_.locate(path));
  auto file = PosixFileWriter::create(place, entry);
  if (!file && file.error().code() == Code::kAlreadyExists) {
    HOLDFAST_TRY(clear_folder(path, place));
    file = PosixFileWriter::create(std::move(place), entry);
  }
  if (!file) return std::move(file).error().with_context(quoted(path));
  return std::unique_ptr<FileWriter>(std::move(file).value());
}

Status PosixRestoreTarget::write_file(const std::string& path, const Entry& entry,
                                      ByteView content) {
  if (content.size() != entry.size)
    return Error(Code::kInvalidArgument, quoted(path) + " has " + std::to_string(content.size()) +
                                             " bytes of content and " + std::to_string(entry.size) +
                                             " in its entry");
  HOLDFAST_ASSIGN(const std::unique_ptr<FileWriter> file, create_file(path, entry));
  HOLDFAST_TRY_OR(file->write_at(0, content), quoted(path));
  return file->finish(entry);
}

Status PosixRestoreTarget::make_symlink(const std::string& path, const Entry& entry) {
  if (entry.target.empty() || entry.target.find('\0') != std::string::npos)
    return Error(Code::kInvalidArgument, quoted(path) + " has no sound target");
  HOLDFAST_ASSIGN(const TargetPlace place, folders_.locate(path));
  HOLDFAST_TRY(make_in_place(path, place, [&](const char* name) {
    return ::symlinkat(entry.target.c_str(), place.fd(), name);
  }));
  HOLDFAST_TRY_OR(set_attributes_at(place, entry), quoted(path));
  return {};
}

Status PosixRestoreTarget::make_hard_link(const std::string& path, const std::string& existing) {
  HOLDFAST_ASSIGN(const TargetPlace from, folders_.locate(existing));
  HOLDFAST_ASSIGN(const TargetPlace place, folders_.locate(path));
  return make_in_place(path, place, [&](const char* name) {
    return ::linkat(from.fd(), from.c_name(), place.fd(), name, 0);  // 0: the link itself
  });
}

Status PosixRestoreTarget::make_special(const std::string& path, const Entry& entry) {
  const mode_t type = entry.mode & S_IFMT;
  if (type != S_IFIFO && type != S_IFSOCK && type != S_IFCHR && type != S_IFBLK)
    return Error(Code::kInvalidArgument, quoted(path) + " is no fifo, socket or device");
  HOLDFAST_ASSIGN(const TargetPlace place, folders_.locate(path));
  const mode_t mode = type | (creation_mode(*place.folder, entry) & entry.mode);
  HOLDFAST_TRY(make_in_place(path, place, [&](const char* name) {
    return ::mknodat(place.fd(), name, mode, entry.special_device);
  }));
  HOLDFAST_TRY_OR(set_attributes_at(place, entry), quoted(path));
  return {};
}

Status PosixRestoreTarget::finish_directory(const std::string& path, const Entry& entry) {
  HOLDFAST_ASSIGN(const TargetPlace place, folders_.locate(path));
  HOLDFAST_ASSIGN(const std::shared_ptr<TargetFolder> folder, folders_.open(path));
  folders_.forget(path);  // all in it is done
  const int fd = folder->descriptor.get();
  remove_other_xattrs(fd, entry);
  struct stat now {};
  if (::fstat(fd, &now) != 0) return error_from_errno(errno, "fstat " + quoted(path));
  HOLDFAST_TRY_OR(set_attributes(fd, now, entry, false), quoted(path));
  return {};
}

Result<bool> PosixRestoreTarget::matches(const std::string& path, const Entry& entry) {
  auto place = folders_.locate(path);
  if (!place && place.error().code() == Code::kNotFound) return false;
  if (!place) return std::move(place).error();
  struct stat there {};
  if (::fstatat(place->fd(), place->c_name(), &there, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return false;
    return error_from_errno(errno, quoted(path));
  }
  return S_ISREG(there.st_mode) && static_cast<std::uint64_t>(there.st_size) == entry.size &&
         there.st_mtim.tv_sec == entry.mtime.seconds &&
         there.st_mtim.tv_nsec == static_cast<long>(entry.mtime.nanoseconds);
}

}  // namespace holdfast::agent
