#include "repository/verification_runs.h"

#include <gmock/gmock.h>

#include "tests/testing/observed_files.h"
#include "tests/unit/repository/node_ports.h"
#include "tests/unit/repository/store/store_fixture.h"

namespace holdfast::repository {
namespace {

class VerificationRunsTest : public StoreTest {
 protected:
  const VerificationRuns::Report& ask(VerificationRuns& runs, std::uint64_t run,
                                      VerifyDepth depth = {}) {
    return **runs.advance({{}, run}, depth, keys());
  }
  ManualClock clock_;
};

TEST_F(VerificationRunsTest, OfAThousandProblemsAndMoreAThousandAreKept) {
  std::vector<TestFrame> frames;
  std::vector<ObjectId> lost;
  for (std::size_t i = 0; i < VerificationRuns::kMaxProblems + 5; ++i) {
    frames.push_back(data(1, 10));
    lost.push_back(frames.back().id());
    put(frames.back());
  }
  sync();
  ASSERT_TRUE(index_.write({}, lost, {}, *index_.checkpoint()));
  VerificationRuns runs(*store_, clock_);
  const auto& report = ask(runs, 1);
  EXPECT_TRUE(report.figures.done);
  EXPECT_EQ(report.figures.frames, frames.size());
  EXPECT_EQ(report.figures.problems.size(), VerificationRuns::kMaxProblems);
}

TEST_F(VerificationRunsTest, OfALongProblemTheBeginningIsKept) {
  const TestFrame large = data(1, 3 << 20);
  store({&large});
  bool broken = false;
  int reads = 0;
  testing::ObservedFiles files(files_, [&](std::string_view call, const std::string&) -> Status {
    if (!broken || call != "read_at" || (++reads != 3 && reads != 4)) return {};
    return Error(Code::kIo, std::string(1'000, 'x'));
  });
  store_.reset();
  store_ = Store::open(files, kPath, index_, node_, limits_).value();
  broken =
      true;  // the payload, which is read twice; before it are the segment's header and its own
  VerificationRuns runs(*store_, clock_);
  const auto& report = ask(runs, 1, {VerifyDepth::kChecksum});
  ASSERT_EQ(report.figures.problems.size(), 1u);
  EXPECT_EQ(report.figures.problems[0].size(), VerificationRuns::kMaxProblemSize);
  EXPECT_THAT(report.figures.problems[0], ::testing::StartsWith("segment 1 offset 64: xxx"));
  store_.reset();
}

// The one that has the turn is forgotten like any other, and the next one gets it at once.
TEST_F(VerificationRunsTest, ARunThatIsForgottenInItsTurnGivesItUp) {
  std::vector<TestFrame> frames;
  for (int i = 0; i < 6; ++i) frames.push_back(data(1, 4 << 20));
  for (const TestFrame& frame : frames) put(frame);
  sync();
  VerificationRuns runs(*store_, clock_);
  clock_.pace = VerificationRuns::kSlice;  // a step takes a whole slice
  EXPECT_EQ(ask(runs, 1, {VerifyDepth::kChecksum}).steps, 1u);
  for (std::uint64_t run = 2; run <= VerificationRuns::kMaxRuns; ++run)
    EXPECT_EQ(ask(runs, run, {VerifyDepth::kChecksum}).steps, 0u);  // waits
  EXPECT_EQ(ask(runs, 100, {VerifyDepth::kChecksum}).steps, 1u);
  EXPECT_EQ(ask(runs, 3, {VerifyDepth::kChecksum}).steps, 0u);
}

}  // namespace
}  // namespace holdfast::repository
