// A verification by agent and node while one call after the other of a node's disk fails. What must
// hold: nothing is called clean that was not read, and nothing is damaged but by damage.
#include <gmock/gmock.h>

#include "tests/simulation/error_at_every_call.h"

namespace holdfast::testing {
namespace {

using ::testing::HasSubstr;

class FailingVerify : public ErrorAtEveryCall {
 protected:
  agent::VerifyResult verify(bool read_data) {
    ClusterAgent& owner = *cluster_->agents.front();
    const VerifyRun run(cluster_->ports(owner), cluster_->dialer(owner), cluster_->charter(),
                        owner.reader, read_data, cluster_->policy);
    check(cluster_->finish(run), "a verification ends");
    return run.result();
  }
  std::uint64_t calls_of_verify(bool read_data) {
    begin(2, 2);
    const std::uint64_t before = cluster_->nodes[0]->disk().calls();
    EXPECT_TRUE(verify(read_data).is_clean());
    return cluster_->nodes[0]->disk().calls() - before;
  }
  // How many calls were made to fail.
  std::uint64_t explore(bool read_data) {
    const std::uint64_t usual = calls_of_verify(read_data);
    std::uint64_t failed = 0;
    each_call(
        [&](std::uint64_t call, Code code, bool for_good) {
          begin(2, 2);
          SimFileSystem& disk = cluster_->nodes[0]->disk();
          const std::uint64_t before = disk.calls();
          disk.fail_call(call, code, for_good);
          const agent::VerifyResult result = verify(read_data);
          const std::uint64_t made = disk.calls() - before;
          disk.clear_faults();
          const bool reached = made >= call;
          failed += reached ? 1 : 0;
          expect_told(result, reached && for_good);
          if (reached && result.is_clean()) {
            EXPECT_GT(made, usual) << "clean, and what failed was not read again";
          }
          EXPECT_TRUE(result.nodes[1].is_clean()) << "the other node is as it was";
          EXPECT_TRUE(verify(true).is_clean()) << "an error was taken for damage";
          expect_kept(2);
          return reached;
        },
        3);
    return failed;
  }

 private:
  using SimFileSystem = simulation::SimFileSystem;
  static void expect_told(const agent::VerifyResult& result, bool surely) {
    const agent::NodeVerdict& node = result.nodes[0];
    EXPECT_EQ(result.finding_count, 0U) << "the other node has all of it";
    if (surely) {
      EXPECT_FALSE(result.is_clean()) << "false clean";
      EXPECT_FALSE(node.is_clean()) << "false clean";
    }
    if (node.failure) {
      EXPECT_THAT(node.failure->message(), HasSubstr("injected fault"));
    }
  }
};

TEST_F(FailingVerify, CallsNothingCleanOfWhichTheDataCouldNotBeRead) {
  const std::uint64_t failed = explore(true);
  std::printf("%llu calls failed\n", static_cast<unsigned long long>(failed));
  EXPECT_GT(failed, 40U);
}

TEST_F(FailingVerify, CallsNothingCleanThatASpotCheckCouldNotSee) {
  const std::uint64_t failed = explore(false);
  std::printf("%llu calls failed\n", static_cast<unsigned long long>(failed));
  EXPECT_GT(failed, 10U);
}

}  // namespace
}  // namespace holdfast::testing
