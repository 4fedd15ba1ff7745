// System calls newer than the oldest kernel Holdfast runs on. Each has a slower way around it,
// which tests take by switching the call off.
#pragma once

namespace holdfast::agent {

struct KernelFeatures {
  bool openat2 = false;   // Linux 5.6
  bool xattr_at = false;  // Linux 6.13: getxattrat, listxattrat

  // Asks the kernel (and whatever seccomp filter lies before it).
  static KernelFeatures probe();
};

}  // namespace holdfast::agent
