#include "agent/rate_limit.h"

#include <gtest/gtest.h>

#include "tests/simulation/sim_clock.h"
#include "tests/testing/seed.h"
#include "tests/testing/seeded_random.h"

namespace holdfast::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

using simulation::SimClock;

TEST(RateLimit, WithoutOneEverythingGoesAtOnce) {
  SimClock clock;
  RateLimit limit(clock, 0);
  EXPECT_FALSE(limit.limits());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limit.take(std::uint64_t{1} << 40), clock.now());
  EXPECT_EQ(limit.delay(), Duration(0));
}

TEST(RateLimit, EachPieceWaitsForThoseBeforeIt) {
  SimClock clock;
  RateLimit limit(clock, 1000);
  clock.advance(seconds(5));
  const Instant first = limit.take(2000);
  EXPECT_EQ(first, clock.now());
  // The quarter of a second that was not used is the bucket's depth.
  EXPECT_EQ(limit.take(500) - first, milliseconds(1750));
  EXPECT_EQ(limit.take(1) - first, milliseconds(2250));
  EXPECT_EQ(limit.delay(), milliseconds(2251));
}

TEST(RateLimit, WhatWasNotUsedForLongIsLost) {
  SimClock clock;
  RateLimit limit(clock, 1000);
  limit.take(1000);
  clock.advance(std::chrono::hours(1));
  EXPECT_EQ(limit.delay(), Duration(0));
  limit.take(1000);
  EXPECT_EQ(limit.delay(), milliseconds(750));
}

TEST(RateLimit, OverAnySpanNoMoreGoesThanTheRateAndOnePiece) {
  SimClock clock;
  constexpr std::uint64_t kRate = 100'000, kLargest = 50'000;
  RateLimit limit(clock, kRate);
  testing::SeededRandom random(testing::seed());
  const Instant began = clock.now();
  std::uint64_t gone = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::uint64_t bytes = random.below(kLargest) + 1;
    const Instant turn = limit.take(bytes);
    EXPECT_GE(turn, clock.now());
    if (turn > clock.now()) clock.advance(turn - clock.now());
    gone += bytes;
    const double most = static_cast<double>(kRate) *
                            (std::chrono::duration<double>(clock.now() - began).count() + 0.25) +
                        kLargest;
    ASSERT_LE(static_cast<double>(gone), most);
    if (random.below(10) == 0)
      clock.advance(milliseconds(static_cast<std::int64_t>(random.below(100))));
  }
  // Nor much less, while somebody always wants.
  const double took = std::chrono::duration<double>(clock.now() - began).count();
  EXPECT_GT(static_cast<double>(gone), 0.8 * kRate * took);
}

}  // namespace
}  // namespace holdfast::agent
