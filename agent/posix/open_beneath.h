// Opens what lies below an open folder without following a symbolic link and without leaving the
// folder, however long the path is.
#pragma once

#include <string_view>

#include "agent/posix/kernel_features.h"
#include "common/posix/descriptor.h"

namespace holdfast::agent {

// `path`: components joined by single '/', none of them "." or ".."; "" is the folder itself.
// O_CLOEXEC and O_NOFOLLOW are added to `flags`, which create nothing. On failure the Descriptor is
// empty and errno says why: ELOOP or ENOTDIR where a link or a file stands in the way.
Descriptor open_beneath(int folder, std::string_view path, int flags, KernelFeatures features);

// Opens an absolute path (without its leading '/'), following links in all but its last component;
// with O_NOFOLLOW in `flags` not there either. Longer than PATH_MAX is no problem.
Descriptor open_absolute(std::string_view path, int flags);

// Opens by `open(flags)` with O_NOATIME where the owner `uid` lets this process have it, and
// without where the kernel then refuses.
int noatime_for(unsigned uid);
template <typename Open>
Descriptor open_without_atime(unsigned uid, int flags, Open open);

}  // namespace holdfast::agent

#include <cerrno>

namespace holdfast::agent {

template <typename Open>
Descriptor open_without_atime(unsigned uid, int flags, Open open) {
  const int noatime = noatime_for(uid);
  Descriptor opened = open(flags | noatime);
  if (!opened && errno == EPERM && noatime != 0) opened = open(flags);
  return opened;
}

}  // namespace holdfast::agent
