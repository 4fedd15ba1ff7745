#include "common/base/histogram.h"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

using Counts = std::vector<std::uint64_t>;

TEST(Histogram, AValueBelongsToTheFirstBoundThatIsNotBelowIt) {
  Histogram histogram({1, 2, 5});
  for (const double value : {0.5, 1.0, 1.5, 5.0, 5.1, 1e9}) histogram.observe(value);
  EXPECT_EQ(histogram.counts(), (Counts{2, 1, 1, 2}));
  EXPECT_DOUBLE_EQ(histogram.sum(), 0.5 + 1 + 1.5 + 5 + 5.1 + 1e9);
}

TEST(Histogram, WithoutBoundsCountsAll) {
  Histogram histogram({});
  histogram.observe(-1);
  EXPECT_EQ(histogram.counts(), (Counts{1}));
}

TEST(HistogramDeathTest, BoundsThatDoNotAscendAbort) {
  EXPECT_DEATH(Histogram({1, 1}), "ascend");
  EXPECT_DEATH(Histogram({2, 1}), "ascend");
}

}  // namespace
}  // namespace holdfast
