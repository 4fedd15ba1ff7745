// Most files have no attribute, so one call with a small buffer is the common case; only ERANGE
// asks for the largest size that the kernel allows.
#include "agent/posix/extended_attributes.h"

#include <fcntl.h>
#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "agent/posix/xattr_system_calls.h"
#include "common/posix/system_call.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kLargest =
    std::size_t{64} * 1024;  // XATTR_LIST_MAX and XATTR_SIZE_MAX of linux/limits.h
constexpr std::size_t kUsual = 512;

// Fills `out` by `read(buffer, size)`, which answers a length or -1 with errno.
template <typename Read>
bool read_whole(Read read, std::string& out) {
  std::array<char, kUsual> usual;
  long length = read(usual.data(), usual.size());
  if (length >= 0) {
    out.assign(usual.data(), static_cast<std::size_t>(length));
    return true;
  }
  if (errno != ERANGE) return false;
  out.resize(kLargest);
  length = read(out.data(), out.size());
  out.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
  return length >= 0;
}

}  // namespace

// Before Linux 6.13 no call takes a folder and a name. A descriptor's link in /proc leads to what
// is open itself, wherever it lies and whatever it is; the l...xattr calls do not follow a name
// behind it.
std::string XattrSubject::proc_path() const {
  const std::string handle = "/proc/self/fd/" + std::to_string(fd_);
  return kind_ == Kind::kInFolder ? handle + "/" + name_ : handle;
}

long XattrSubject::list_into(char* out, std::size_t size) const {
  check(kind_ != Kind::kPathHandle, "attributes listed by a handle");
  if (kind_ == Kind::kOpenFile) return ::flistxattr(fd_, out, size);
  if (features_.xattr_at)
    return ::syscall(kListxattrat, fd_, name_.c_str(), AT_SYMLINK_NOFOLLOW, out, size);
  return ::llistxattr(proc_path().c_str(), out, size);
}

long XattrSubject::get_into(const char* name, char* out, std::size_t size) const {
  check(kind_ != Kind::kPathHandle, "an attribute read by a handle");
  if (kind_ == Kind::kOpenFile) return ::fgetxattr(fd_, name, out, size);
  if (features_.xattr_at) {
    XattrArguments arguments;
    arguments.value = reinterpret_cast<std::uintptr_t>(out);
    arguments.size = static_cast<std::uint32_t>(size);
    return ::syscall(kGetxattrat, fd_, name_.c_str(), AT_SYMLINK_NOFOLLOW, name, &arguments,
                     sizeof arguments);
  }
  return ::lgetxattr(proc_path().c_str(), name, out, size);
}

bool XattrSubject::list(std::vector<std::string>& names) const {
  names.clear();
  std::string joined;
  if (!read_whole([&](char* out, std::size_t size) { return list_into(out, size); }, joined))
    return errno == ENOTSUP;
  for (std::size_t begin = 0; begin < joined.size();) {
    const std::size_t end = std::min(joined.find('\0', begin), joined.size());
    names.push_back(joined.substr(begin, end - begin));
    begin = end + 1;
  }
  std::sort(names.begin(), names.end());
  return true;
}

bool XattrSubject::get(const std::string& name, std::string& value) const {
  return read_whole([&](char* out, std::size_t size) { return get_into(name.c_str(), out, size); },
                    value);
}

bool XattrSubject::set(const std::string& name, std::string_view value) const {
  check(kind_ != Kind::kInFolder, "an attribute set by name");
  if (kind_ == Kind::kOpenFile)
    return ::fsetxattr(fd_, name.c_str(), value.data(), value.size(), 0) == 0;
  return ::setxattr(proc_path().c_str(), name.c_str(), value.data(), value.size(), 0) == 0;
}

bool XattrSubject::remove(const std::string& name) const {
  check(kind_ != Kind::kInFolder, "an attribute removed by name");
  if (kind_ == Kind::kOpenFile) return ::fremovexattr(fd_, name.c_str()) == 0;
  return ::removexattr(proc_path().c_str(), name.c_str()) == 0;
}

Status read_xattrs(const XattrSubject& subject, std::vector<Xattr>& xattrs) {
  xattrs.clear();
  std::vector<std::string> names;
  if (!subject.list(names)) return system_error("listxattr", "");
  std::optional<Error> failure;
  for (std::string& name : names) {
    std::string value;
    if (subject.get(name, value))
      xattrs.push_back({std::move(name), std::move(value)});
    else if (errno != ENODATA && !failure)  // ENODATA: removed since it was listed
      failure = system_error("getxattr", name);
  }
  if (failure) return *std::move(failure);
  return {};
}

}  // namespace holdfast::agent
