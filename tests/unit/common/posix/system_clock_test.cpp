#include "common/posix/system_clock.h"

#include <gtest/gtest.h>

#include <ctime>

namespace holdfast {
namespace {

TEST(SystemClock, TheMonotonicClockNeverGoesBack) {
  const SystemClock clock;
  Instant last = clock.now();
  for (int i = 0; i < 10000; ++i) {
    const Instant now = clock.now();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(SystemClock, TheWallClockCountsNanosecondsOfTheUnixEpoch) {
  const std::int64_t before = std::time(nullptr);
  const std::int64_t seconds = SystemClock().wall().nanoseconds / 1'000'000'000;
  EXPECT_GE(seconds, before - 1);
  EXPECT_LE(seconds, std::time(nullptr) + 1);
}

}  // namespace
}  // namespace holdfast
