#include "common/posix/system_clock.h"

#include <ctime>

#include "common/base/check.h"

namespace holdfast {
namespace {

std::int64_t nanoseconds(clockid_t clock) {
  timespec time{};
  check(::clock_gettime(clock, &time) == 0, "clock_gettime failed");
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

Instant SystemClock::now() const { return {nanoseconds(CLOCK_MONOTONIC)}; }
UnixTime SystemClock::wall() const { return {nanoseconds(CLOCK_REALTIME)}; }

}  // namespace holdfast
