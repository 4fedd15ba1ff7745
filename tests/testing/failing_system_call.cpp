#include "tests/testing/failing_system_call.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

#include <bit>
#include <cstdint>
#include <thread>

namespace holdfast::testing {
namespace {

sock_filter statement(std::uint16_t code, std::uint32_t k) { return {code, 0, 0, k}; }

sock_filter jump_unless_equal(std::uint32_t k, std::uint8_t skipped) {
  return {BPF_JMP | BPF_JEQ | BPF_K, 0, skipped, k};
}
sock_filter load(std::size_t offset) {
  return statement(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
}
sock_filter fail(int error) {
  return statement(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error));
}

// Of this thread only, and of what it starts. No other architecture's numbers come up: nobody
// switches within a test.
bool install_filter(std::vector<sock_filter> program) {
  program.insert(program.begin(), load(offsetof(seccomp_data, nr)));
  program.push_back(statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

bool run_filtered(const std::vector<sock_filter>& program, const std::function<void()>& work) {
  bool installed = false;
  std::thread([&] {
    installed = install_filter(program);
    if (installed) work();
  }).join();
  return installed;
}

}  // namespace

bool with_failing_system_calls(const std::vector<long>& numbers, int error,
                               const std::function<void()>& work) {
  std::vector<sock_filter> program;
  for (const long number : numbers) {
    program.push_back(jump_unless_equal(static_cast<std::uint32_t>(number), 1));
    program.push_back(fail(error));
  }
  return run_filtered(program, work);
}

bool with_failing_system_call(long number, SystemCallArgument argument, int error,
                              const std::function<void()>& work) {
  const std::size_t lower_half =
      offsetof(seccomp_data, args) + argument.position * sizeof(seccomp_data::args[0]);
  static_assert(std::endian::native == std::endian::little);
  return run_filtered({jump_unless_equal(static_cast<std::uint32_t>(number), 3), load(lower_half),
                       jump_unless_equal(argument.value, 1), fail(error)},
                      work);
}

}  // namespace holdfast::testing
