#include "agent/posix/kernel_features.h"

#include <fcntl.h>
#include <linux/openat2.h>

#include "agent/posix/xattr_system_calls.h"
#include "common/posix/descriptor.h"

namespace holdfast::agent {

KernelFeatures KernelFeatures::probe() {
  KernelFeatures features;
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_NO_MAGICLINKS;
  const Descriptor root(static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof how)));
  features.openat2 = static_cast<bool>(root);
  // Whatever "/" itself answers (its file system may have no attributes), a kernel without the call
  // says ENOSYS and a filter EPERM; both end in the way around.
  features.xattr_at = ::syscall(kListxattrat, AT_FDCWD, "/", 0, nullptr, 0UL) >= 0;
  return features;
}

}  // namespace holdfast::agent
