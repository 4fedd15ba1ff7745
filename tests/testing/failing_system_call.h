// A kernel that refuses some system calls, for the errors that no file can be made to give.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace holdfast::testing {

// Runs `work` on a thread of its own, on which the system calls with these numbers (SYS_fsync...)
// fail with `error`, by a filter of seccomp(2) that ends with the thread. False, without having run
// it, where the kernel takes no filter.
[[nodiscard]] bool with_failing_system_calls(const std::vector<long>& numbers, int error,
                                             const std::function<void()>& work);

// The lower half of an argument of a system call, counted from 0. A pointer is nothing to compare.
struct SystemCallArgument {
  unsigned position;
  std::uint32_t value;
};
// As above, but only the calls that have this argument fail.
[[nodiscard]] bool with_failing_system_call(long number, SystemCallArgument argument, int error,
                                            const std::function<void()>& work);

}  // namespace holdfast::testing
