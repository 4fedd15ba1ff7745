// Reading and writing extended attributes; POSIX ACLs are among them, as the kernel's raw bytes
// (system.posix_acl_access, system.posix_acl_default), and capabilities (security.capability).
#pragma once

#include <string>
#include <vector>

#include "agent/entry.h"
#include "agent/posix/kernel_features.h"
#include "common/base/result.h"

namespace holdfast::agent {

// What the attributes belong to. Does not own the descriptor.
class XattrSubject {
 public:
  // An open file or folder (not O_PATH).
  static XattrSubject open_file(int fd) { return {Kind::kOpenFile, fd, {}, {}}; }
  // For writing only: what is open with O_PATH, by way of /proc; a link itself if it is one.
  static XattrSubject path_handle(int fd) { return {Kind::kPathHandle, fd, {}, {}}; }
  // For reading only: `name` in the folder `folder` (O_PATH will do), the link itself if it is one.
  static XattrSubject in_folder(int folder, std::string_view name, KernelFeatures features) {
    return {Kind::kInFolder, folder, std::string(name), features};
  }

  // The attributes' names, sorted. Empty where the file system has none. errno on failure.
  bool list(std::vector<std::string>& names) const;
  // False with errno, ENODATA if it is not there.
  bool get(const std::string& name, std::string& value) const;
  bool set(const std::string& name, std::string_view value) const;
  bool remove(const std::string& name) const;

 private:
  enum class Kind { kOpenFile, kPathHandle, kInFolder };
  XattrSubject(Kind kind, int fd, std::string name, KernelFeatures features)
      : kind_(kind), fd_(fd), name_(std::move(name)), features_(features) {}

  long list_into(char* out, std::size_t size) const;
  long get_into(const char* name, char* out, std::size_t size) const;
  std::string proc_path() const;

  Kind kind_;
  int fd_;
  std::string name_;
  KernelFeatures features_;
};

// All attributes, sorted by name. Goes on after one that cannot be read and reports it then.
Status read_xattrs(const XattrSubject& subject, std::vector<Xattr>& xattrs);

}  // namespace holdfast::agent
