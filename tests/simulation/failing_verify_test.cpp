// A verification by agent and node while one call after the other of a node's disk fails. What must
// hold: nothing is called clean that was not read, and nothing is damaged but by damage.
#include <gmock/gmock.h>

#include "tests/simulation/error_at_every_call.h"

namespace holdfast::testing {
namespace {

using ::testing::HasSubstr;

class FailingVerify : public ErrorAtEveryCall {
 protected:
  void begin_with_some_segments() {
    begin(2, 2);
    Bytes content(300'000);
    cluster_->random.fill(content);
    cluster_->source.put("srv/largest", std::move(content));
    back_up_well(2);
  }
  agent::VerifyResult verify(bool read_data) {
    ClusterAgent& owner = *cluster_->agents.front();
    const VerifyRun run(cluster_->ports(owner), cluster_->dialer(owner), cluster_->charter(),
                        owner.reader, read_data, cluster_->policy);
    check(cluster_->finish(run), "a verification ends");
    return run.result();
  }
  std::uint64_t calls_of(const std::function<void()>& act) {
    const std::uint64_t before = cluster_->nodes[0]->disk().calls();
    act();
    return cluster_->nodes[0]->disk().calls() - before;
  }
  // Whether by this call, as "open /a", a node remembers when all was read; no verdict rests on it.
  bool remembers_by(const std::string& call) {
    const std::string store =
        parent_path(parent_path(cluster_->nodes[0]->segments(cluster_->repository).front()));
    return call == "list " + store || call == "sync " + store ||
           call.find(store + "/verified") != std::string::npos;
  }
  // How many calls were made to fail.
  std::uint64_t explore(bool read_data) {
    begin_with_some_segments();
    // A node that greets says how much room it has, which no verdict rests on.
    const std::uint64_t greeting =
        calls_of([&] { EXPECT_TRUE(cluster_->holds(0, kept_[0].manifest.id)); });
    const std::uint64_t usual = calls_of([&] { EXPECT_TRUE(verify(read_data).is_clean()); });
    std::uint64_t failed = 0;
    each_call(
        [&](std::uint64_t call, Code code, bool for_good) {
          begin_with_some_segments();
          SimFileSystem& disk = cluster_->nodes[0]->disk();
          const std::uint64_t before = disk.calls();
          disk.fail_call(call, code, for_good);
          const agent::VerifyResult result = verify(read_data);
          const std::uint64_t made = disk.calls() - before;
          disk.clear_faults();
          const bool matters = !remembers_by(disk.failed_call());
          const bool reached = made >= call;
          failed += reached ? 1 : 0;
          expect_told(result, reached && for_good && matters);
          if (reached && call > greeting && matters && result.is_clean()) {
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
  EXPECT_GT(failed, 20U);
}

TEST_F(FailingVerify, CallsNothingCleanThatASpotCheckCouldNotSee) {
  const std::uint64_t failed = explore(false);
  std::printf("%llu calls failed\n", static_cast<unsigned long long>(failed));
  EXPECT_GT(failed, 20U);
}

TEST_F(FailingVerify, CallsNoDiskCleanThatHasABadSector) {
  begin_with_some_segments();
  ClusterNode& node = *cluster_->nodes[0];
  const auto whole = node.image();
  std::size_t sectors = 0;
  for (const std::string& segment : node.segments(cluster_->repository)) {
    const std::uint64_t size = node.disk().size_of(segment);
    for (std::uint64_t at = 0; at < size; at += 7'001, ++sectors) {
      SCOPED_TRACE(segment + " at " + std::to_string(at) + " of " + std::to_string(size));
      node.disk().break_byte(segment, at);
      const agent::VerifyResult result = verify(true);
      EXPECT_FALSE(result.nodes[0].is_clean()) << "false clean";
      EXPECT_TRUE(result.nodes[1].is_clean()) << "the other node is as it was";
      node.crash(simulation::CrashKeeps::kEverything);
      node.restore(whole, true);
      node.start();
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(sectors, 30U);
}

}  // namespace
}  // namespace holdfast::testing
