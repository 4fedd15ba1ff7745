#include "agent/posix/restored_attributes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "agent/posix/extended_attributes.h"
#include "common/base/text.h"

namespace holdfast::agent {
namespace {

constexpr unsigned kPermissionBits = 0777;
constexpr unsigned kModeBits = 07777;
const std::string kAccessAcl = "system.posix_acl_access";
const std::string kDefaultAcl = "system.posix_acl_default";

// Keeps the first failure.
class Failures {
 public:
  void add(const std::string& what) {
    const int value = errno;
    if (first_) return;
    Error error = error_from_errno(value, "cannot set " + what);
    // EINVAL: a user or group that this user namespace does not have, or a value the file system
    // knows nothing of.
    const bool is_refusal = value == EPERM || value == EACCES || value == ENOTSUP ||
                            value == EINVAL || value == EOVERFLOW;
    first_ = is_refusal ? Error(Code::kPermissionDenied, error.message()) : std::move(error);
  }
  Status status() && { return first_ ? Status(*std::move(first_)) : Status(); }

 private:
  std::optional<Error> first_;
};

struct Ownership {
  bool changed = false;
  bool right_user = true, right_group = true;
};

// `change(uid, gid)` is a chown, (-1) leaves one as it is.
template <typename Change>
Ownership set_owner(const struct stat& now, const Entry& entry, Change change, Failures& failures) {
  if (now.st_uid == entry.uid && now.st_gid == entry.gid) return {};
  if (change(entry.uid, entry.gid)) return {.changed = true};
  failures.add("owner " + std::to_string(entry.uid) + ":" + std::to_string(entry.gid));
  // Who may not give files away may still hand them to a group of his own.
  const bool grouped =
      now.st_gid == entry.gid || change(static_cast<uid_t>(-1), static_cast<gid_t>(entry.gid));
  return {true, now.st_uid == entry.uid, grouped};
}

unsigned final_mode(const Entry& entry, const Ownership& owner) {
  unsigned mode = entry.mode & kModeBits;
  if (!owner.right_user) mode &= ~static_cast<unsigned>(S_ISUID);
  // On a folder setgid gives nobody rights, it says which group new files get.
  if (!owner.right_group && !entry.is_directory()) mode &= ~static_cast<unsigned>(S_ISGID);
  return mode;
}

bool set_xattrs(const XattrSubject& subject, const Entry& entry, Failures& failures) {
  bool has_acl = false;
  for (const Xattr& xattr : entry.xattrs) {
    // A NUL would cut the name short, and so set another attribute than the entry says.
    errno = EINVAL;
    if (xattr.name.find('\0') == std::string::npos && subject.set(xattr.name, xattr.value))
      has_acl = has_acl || xattr.name == kAccessAcl;
    else
      failures.add("attribute " + printable(xattr.name));
  }
  return has_acl;
}

void remove_acl(const XattrSubject& subject, Failures& failures) {
  for (const std::string& acl : {kAccessAcl, kDefaultAcl})
    if (!subject.remove(acl) && errno != ENODATA && errno != ENOTSUP && errno != EACCES)
      failures.add("no ACL");
}

void times_of(const Entry& entry, struct timespec (&times)[2]) {
  times[0] = {0, UTIME_OMIT};  // access times are not kept
  times[1] = {static_cast<time_t>(entry.mtime.seconds), static_cast<long>(entry.mtime.nanoseconds)};
}

}  // namespace

unsigned creation_mode(const TargetFolder& folder, const Entry& entry) {
  const bool in_right_hands = entry.xattrs.empty() && !folder.has_default_acl &&
                              folder.gives_own_group && entry.uid == folder.creator.uid &&
                              entry.gid == folder.creator.gid;
  return in_right_hands ? entry.mode & kPermissionBits : S_IRUSR | S_IWUSR;
}

Status set_attributes(int fd, struct stat now, const Entry& entry, bool inherits_acl) {
  Failures failures;
  const XattrSubject subject = XattrSubject::open_file(fd);
  if (inherits_acl) {
    remove_acl(subject, failures);
    if (::fstat(fd, &now) != 0) return error_from_errno(errno, "fstat");
  }
  const auto change = [fd](uid_t uid, gid_t gid) { return ::fchown(fd, uid, gid) == 0; };
  const Ownership owner = set_owner(now, entry, change, failures);
  const bool has_acl = set_xattrs(subject, entry, failures);
  const unsigned mode = final_mode(entry, owner);
  const bool lost_bits = owner.changed && (mode & (S_ISUID | S_ISGID)) != 0;
  if (((now.st_mode & kModeBits) != mode || lost_bits || has_acl) && ::fchmod(fd, mode) != 0)
    failures.add("mode");
  struct timespec times[2];
  times_of(entry, times);
  if (::futimens(fd, times) != 0) failures.add("times");
  return std::move(failures).status();
}

void remove_other_xattrs(int fd, const Entry& entry) {
  const XattrSubject subject = XattrSubject::open_file(fd);
  std::vector<std::string> names;
  if (!subject.list(names)) return;
  for (const std::string& name : names) {
    const bool wanted = std::any_of(entry.xattrs.begin(), entry.xattrs.end(),
                                    [&](const Xattr& xattr) { return xattr.name == name; });
    if (!wanted && !name.starts_with("security.")) (void)subject.remove(name);
  }
}

// Somebody who may write to the folder could have put another file, perhaps a link to one of ours,
// in the place of what was made. So it is opened as a handle, looked at, and changed by that
// handle.
Status set_attributes_at(const TargetPlace& place, const Entry& entry) {
  const Descriptor handle(::openat(place.fd(), place.c_name(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat now {};
  if (!handle || ::fstat(handle.get(), &now) != 0) return error_from_errno(errno, "lstat");
  if ((now.st_mode & S_IFMT) != (entry.mode & S_IFMT) || now.st_nlink != 1 ||
      now.st_uid != place.folder->creator.uid)
    return Error(Code::kChanged, "it was replaced by something else while it was restored");

  Failures failures;
  const XattrSubject subject = XattrSubject::path_handle(handle.get());
  if (place.folder->has_default_acl && !entry.is_symlink()) remove_acl(subject, failures);
  const auto change = [&](uid_t uid, gid_t gid) {
    return ::fchownat(handle.get(), "", uid, gid, AT_EMPTY_PATH) == 0;
  };
  const Ownership owner = set_owner(now, entry, change, failures);
  set_xattrs(subject, entry, failures);
  const std::string proc_path = "/proc/self/fd/" + std::to_string(handle.get());
  if (!entry.is_symlink() && ::chmod(proc_path.c_str(), final_mode(entry, owner)) != 0)
    failures.add("mode");
  struct timespec times[2];
  times_of(entry, times);
  // The call for a handle came with Linux 5.8, the way by /proc was always there.
  if (::utimensat(handle.get(), "", times, AT_EMPTY_PATH) != 0 &&
      ::utimensat(AT_FDCWD, proc_path.c_str(), times, 0) != 0)
    failures.add("times");
  return std::move(failures).status();
}

}  // namespace holdfast::agent
