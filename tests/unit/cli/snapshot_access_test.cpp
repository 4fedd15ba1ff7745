#include "cli/snapshot_access.h"

#include <gtest/gtest.h>

namespace holdfast::cli {
namespace {

TEST(SnapshotPath, IsSplitAtTheFirstColon) {
  EXPECT_EQ(split_snapshot_path("latest").snapshot, "latest");
  EXPECT_EQ(split_snapshot_path("latest").below, "");
  const SnapshotPath split = split_snapshot_path("1a2b:/home//ann/./a:b/");
  EXPECT_EQ(split.snapshot, "1a2b");
  EXPECT_EQ(split.below, "home/ann/a:b");
  EXPECT_EQ(split_snapshot_path("latest:/").below, "");
}

TEST(ParseTime, IncludesTheWholeOfWhatIsNotSaid) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  const auto second = parse_time("2026-11-20T14:00:05Z");
  ASSERT_TRUE(second);
  EXPECT_EQ(second->nanoseconds, 1'795'183'205 * kSecond + kSecond - 1);
  EXPECT_EQ(parse_time("2026-11-20 14:00Z")->nanoseconds - second->nanoseconds, 54 * kSecond);
  EXPECT_EQ(parse_time("2026-11-20Z")->nanoseconds - second->nanoseconds,
            (9 * 3600 + 59 * 60 + 54) * kSecond);
}

TEST(ParseTime, RefusesWhatIsNoTime) {
  for (const char* const text : {"", "yesterday", "2026-13-01", "2026-11-20 14:00 or so", "14:00"})
    EXPECT_FALSE(parse_time(text)) << text;
}

// Nanoseconds in 64 bits end in 2262; a year behind that wrapped round to one long past.
TEST(ParseTime, ATimeBeyondWhatNanosecondsCanSayIsRefused) {
  for (const char* const text : {"2263-01-01Z", "9999-12-31 23:59", "1600-01-01Z"}) {
    const auto time = parse_time(text);
    ASSERT_FALSE(time) << text;
    EXPECT_EQ(time.error().code(), Code::kInvalidArgument);
  }
  EXPECT_GT(parse_time("2262-01-01Z")->nanoseconds, parse_time("2261-01-01Z")->nanoseconds);
}

// An agent may claim any time for a snapshot.
TEST(IsoTime, BeforeTheEpochHasNoNegativeFraction) {
  EXPECT_EQ(iso_time({-1}), "1969-12-31T23:59:59.999999999Z");
  EXPECT_EQ(iso_time({-1'000'000'000}), "1969-12-31T23:59:59.000000000Z");
}

TEST(IsoTime, IsUtcWithNanoseconds) {
  EXPECT_EQ(iso_time({1'000'000'000'000'000'007}), "2001-09-09T01:46:40.000000007Z");
}

TEST(FilterFrom, SplitsTagsIntoGroups) {
  const auto filter = filter_from({{"h"}, {"a,b", "c"}, {"/p"}});
  EXPECT_EQ(filter.tags, (std::vector<std::vector<std::string>>{{"a", "b"}, {"c"}}));
}

}  // namespace
}  // namespace holdfast::cli
