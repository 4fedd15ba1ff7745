#include "common/posix/system_random.h"

#include <gtest/gtest.h>

#include <set>

namespace holdfast {
namespace {

TEST(SystemRandom, FillsEveryByteOfALargeRequest) {
  SystemRandom random;
  // A position that is 0 in all of 40 draws was never written (chance below 2^-299).
  Bytes seen(100'000, Byte{0});
  for (int i = 0; i < 40; ++i) {
    Bytes draw(seen.size(), Byte{0});
    random.fill(draw);
    for (std::size_t at = 0; at < seen.size(); ++at) seen[at] |= draw[at];
  }
  EXPECT_EQ(std::count(seen.begin(), seen.end(), Byte{0}), 0);
}

TEST(SystemRandom, DoesNotRepeat) {
  SystemRandom random;
  std::set<std::uint64_t> draws;
  for (int i = 0; i < 1000; ++i) draws.insert(random.uint64());
  EXPECT_EQ(draws.size(), 1000u);
}

TEST(SystemRandom, AnEmptyRequestIsNothing) { SystemRandom().fill({}); }

// Of half of all draws nothing can be made without preferring some numbers: they are drawn again.
TEST(SystemRandom, BelowALargeBoundStaysBelow) {
  SystemRandom random;
  constexpr std::uint64_t kBound = (std::uint64_t{1} << 63) + 1;
  std::set<std::uint64_t> draws;
  for (int i = 0; i < 1000; ++i) draws.insert(random.below(kBound));
  EXPECT_EQ(draws.size(), 1000u);
  EXPECT_LT(*draws.rbegin(), kBound);
}

TEST(SystemRandom, BelowStaysBelow) {
  SystemRandom random;
  std::set<std::uint64_t> draws;
  for (int i = 0; i < 1000; ++i) draws.insert(random.below(7));
  EXPECT_EQ(draws.size(), 7u);
  EXPECT_EQ(*draws.rbegin(), 6u);
}

}  // namespace
}  // namespace holdfast
