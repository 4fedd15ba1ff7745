#include "repository/disk_probe.h"

#include <gtest/gtest.h>

#include "tests/unit/repository/node_ports.h"

namespace holdfast::repository {
namespace {

using std::chrono::seconds;

// A disk that answers when the test lets it, after as long as the test says, with what it says.
class DiskProbeTest : public ::testing::Test {
 protected:
  DiskProbeTest() { probe->start(); }
  void answer(Result<DiskSpace> with, Duration after = Duration{0}) {
    answer_ = std::move(with);
    takes_ = after;
    ASSERT_TRUE(executor.run_one());
    loop.run_posted();
  }
  static Error error(Code code) { return Error(code, "write probe: as the test says"); }
  std::vector<std::optional<Code>> told;
  int alive = 0;
  ManualClock clock;
  ManualLoop loop{clock};
  ManualExecutor executor;

 private:
  Result<DiskSpace> answer_ = DiskSpace{};
  Duration takes_{0};

 protected:
  std::unique_ptr<DiskProbe> probe = std::make_unique<DiskProbe>(
      DiskProbe::Ports{loop, executor, clock}, DiskProbeOptions{seconds(10), seconds(30)},
      [this] {
        clock.advance(takes_);
        return answer_;
      },
      DiskProbe::Hooks{[this] { ++alive; },
                       [this](const auto& trouble) {
                         told.push_back(trouble ? std::optional(trouble->code()) : std::nullopt);
                       }});
};

TEST_F(DiskProbeTest, EveryAnswerIsASignOfLife) {
  EXPECT_EQ(alive, 0);
  for (int i = 1; i <= 3; ++i) {
    answer(DiskSpace{7, 9});
    EXPECT_EQ(alive, i);
    loop.advance(seconds(10));
  }
  EXPECT_EQ(probe->trouble(), std::nullopt);
  EXPECT_EQ(probe->space()->free, 7U);
  EXPECT_EQ(probe->space()->total, 9U);
  EXPECT_TRUE(told.empty());
}

TEST_F(DiskProbeTest, ADiskThatHangsGivesNoSignOfLifeAndIsSaidToBeUnwellOnce) {
  answer(DiskSpace{});
  loop.advance(seconds(10));
  for (int i = 0; i < 5; ++i) {
    loop.advance(seconds(10));
    EXPECT_EQ(executor.waiting(), 1U);  // none is started behind one that hangs
  }
  EXPECT_EQ(alive, 1);
  EXPECT_EQ(told, (std::vector<std::optional<Code>>{Code::kTimedOut}));
  ASSERT_TRUE(probe->trouble());
  EXPECT_NE(probe->trouble()->message().find("50.0 s"), std::string::npos)
      << probe->trouble()->message();
}

TEST_F(DiskProbeTest, AHangThatEndsIsSaidToBeOverByTheNextAnswerInTime) {
  loop.advance(seconds(10));
  answer(DiskSpace{}, seconds(31));
  EXPECT_EQ(alive, 0) << "an answer that came too late";
  EXPECT_EQ(probe->trouble()->code(), Code::kTimedOut);
  loop.advance(seconds(10));
  answer(DiskSpace{}, seconds(30));
  EXPECT_EQ(alive, 1);
  EXPECT_EQ(probe->trouble(), std::nullopt);
  EXPECT_EQ(told, (std::vector<std::optional<Code>>{Code::kTimedOut, std::nullopt}));
}

TEST_F(DiskProbeTest, ADiskThatIsFullReadOnlyOrBrokenIsUnwellButAnswers) {
  int answers = 0;
  for (const Code code : {Code::kNoSpace, Code::kReadOnly, Code::kIo}) {
    answer(error(code));
    EXPECT_EQ(alive, ++answers);
    EXPECT_EQ(probe->trouble()->code(), code);
    loop.advance(seconds(10));
    answer(error(code));  // said once
    EXPECT_EQ(alive, ++answers);
    loop.advance(seconds(10));
  }
  EXPECT_EQ(told, (std::vector<std::optional<Code>>{Code::kNoSpace, Code::kReadOnly, Code::kIo}));
}

TEST_F(DiskProbeTest, AnAnswerAfterItsEndGoesNowhere) {
  probe.reset();
  answer(DiskSpace{});
  EXPECT_EQ(alive, 0);
  EXPECT_EQ(loop.timers(), 0U);
}

TEST(DiskProbeForAWatchdog, FeedsItInTimeWhereAnswersAreJustInTime) {
  const DiskProbeOptions options = probe_for_watchdog(seconds(60));
  EXPECT_LT(options.interval + options.limit, seconds(60));
}

}  // namespace
}  // namespace holdfast::repository
