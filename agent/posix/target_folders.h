// The folders of a restore's target, reached without ever leaving it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "agent/posix/folder_cache.h"
#include "agent/posix/kernel_features.h"
#include "common/base/result.h"
#include "common/posix/descriptor.h"

namespace holdfast::agent {

// Who creates what is restored, asked once: each question would be a system call.
struct Creator {
  unsigned uid, gid;
  static Creator current();
};

struct TargetFolder {
  Creator creator;
  Descriptor descriptor;
  // What is created here gets an ACL of the folder's choice, which must be taken off again.
  bool has_default_acl = false;
  // Whether what the creator makes here has his group. A setgid folder, or a mount with "grpid",
  // gives it the folder's group instead.
  bool gives_own_group = false;
};

// A name in an open folder.
struct TargetPlace {
  std::shared_ptr<TargetFolder> folder;
  std::string name;

  int fd() const { return folder->descriptor.get(); }
  const char* c_name() const { return name.c_str(); }
};

// Thread-safe.
class TargetFolders {
 public:
  TargetFolders(Descriptor root, KernelFeatures features);

  // The folder that `path` lies in, opened, and its name there. kInvalidArgument if `path` is not
  // relative or has an empty, "." or ".." component or a NUL byte; kNotFound, or kInvalidArgument
  // for a symbolic link, where the folder should be.
  Result<TargetPlace> locate(std::string_view path);
  // The folder `path` itself.
  Result<std::shared_ptr<TargetFolder>> open(std::string_view path);
  // Must be called when the folder `path` was removed.
  void forget(std::string_view path) { cache_.forget(path); }

 private:
  const Descriptor root_;
  const Creator creator_ = Creator::current();
  const KernelFeatures features_;
  FolderCache<TargetFolder> cache_;
};

}  // namespace holdfast::agent
