#include "tests/testing/failing_system_call.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

#include <cstdint>
#include <thread>

namespace holdfast::testing {
namespace {

sock_filter statement(std::uint16_t code, std::uint32_t k) { return {code, 0, 0, k}; }

// Of this thread only, and of what it starts. No other architecture's numbers come up: nobody
// switches within a test.
bool install_filter(const std::vector<long>& numbers, int error) {
  std::vector<sock_filter> program = {
      statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const long number : numbers) {
    program.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, 1, static_cast<std::uint32_t>(number)});
    program.push_back(
        statement(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error)));
  }
  program.push_back(statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

}  // namespace

bool with_failing_system_calls(const std::vector<long>& numbers, int error,
                               const std::function<void()>& work) {
  bool installed = false;
  std::thread([&] {
    installed = install_filter(numbers, error);
    if (installed) work();
  }).join();
  return installed;
}

}  // namespace holdfast::testing
