// Sessions that are destroyed before their end, after one event of the simulation as after any
// other: what they gave to workers is done, as programs wait for it, and all else comes back to
// somebody who has gone. Links, nodes and ports stay. Sanitizers say whether anything was touched;
// the test, whether the next session does its work.
#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "tests/simulation/cluster.h"
#include "tests/testing/seed.h"

namespace holdfast::testing {
namespace {

using simulation::CrashKeeps;
using AgentRun = Run;  // a test has a Run of its own

class AbandonedSession : public ::testing::Test {
 protected:
  AbandonedSession() {
    for (int i = 0; i < 12; ++i) put("srv/" + std::to_string(i), 3'000);
    put("srv/large", 400'000);
    back_up();
  }
  void put(const std::string& path, std::size_t size) {
    Bytes content(size);
    cluster_.random.fill(content);
    cluster_.source.put(path, std::move(content));
  }
  void back_up() {
    const auto report = cluster_.back_up();
    ASSERT_TRUE(report) << report.error().message();
    newest_ = *report->manifest;
    contents_ = cluster_.source.contents();
  }
  void expect_readable() {
    const auto contents = cluster_.read(newest_, {0, 1, 2});
    ASSERT_TRUE(contents) << contents.error().message();
    EXPECT_EQ(*contents, contents_);
  }
  void miss_a_snapshot(std::size_t node) {
    cluster_.nodes[node]->crash(CrashKeeps::kNothing);
    put("srv/missed", 50'000);
    back_up();
    ASSERT_TRUE(cluster_.nodes[node]->start());
  }
  ClusterAgent& owner() { return *cluster_.agents.front(); }

  // Begins runs and destroys each one event (or `stride` events, from a drawn one on) later than
  // the one before, until one ends by itself. `prepare` comes before each.
  template <typename Begin>
  void abandon_after_each_event(
      const Begin& begin, const std::function<void()>& prepare = [] {}, std::uint64_t stride = 1) {
    std::uint64_t events = 1 + cluster_.random.below(stride);
    for (bool ended = false; !ended && !HasFailure(); events += stride) {
      SCOPED_TRACE("destroyed after " + std::to_string(events) + " events");
      prepare();
      std::unique_ptr<AgentRun> run = begin();
      for (std::uint64_t i = 0; i < events && !run->done(); ++i) cluster_.loop.step();
      ended = run->done();
      owner().machine.drain();
      const AgentRun::Connections connections = run->release_connections();
      run.reset();
      cluster_.loop.run_for(std::chrono::seconds(20));
    }
    std::printf("destroyed after up to %llu events\n", static_cast<unsigned long long>(events));
    EXPECT_GT(events, 25U);
  }

  Cluster cluster_{seed(), 3, 2};
  format::SignedManifest newest_;
  Files contents_;
};

TEST_F(AbandonedSession, OfABackupLeavesTheNextOneNothingToTripOver) {
  int round = 0;
  abandon_after_each_event([&] { return cluster_.begin_backup(owner()); },
                           [&] {
                             put("srv/" + std::to_string(round % 12), 5'000);
                             if (++round % 40 != 0) return;
                             back_up();
                             expect_readable();
                           });
  back_up();
  expect_readable();
}

TEST_F(AbandonedSession, OfABackupThatCatchesANodeUpLeavesTheNextOneNothingToTripOver) {
  abandon_after_each_event([&] { return cluster_.begin_backup(owner()); },
                           [&] {
                             miss_a_snapshot(2);
                             put("srv/new", 5'000);
                           },
                           5);
  back_up();
  expect_readable();
}

TEST_F(AbandonedSession, OfARestoreIsForgotten) {
  abandon_after_each_event([&] { return cluster_.begin_restore(owner(), newest_, {0, 1, 2}); });
  expect_readable();
}

TEST_F(AbandonedSession, OfAVerificationIsForgotten) {
  const auto verify = [&] {
    return std::make_unique<VerifyRun>(cluster_.ports(owner()), cluster_.dialer(owner()),
                                       cluster_.charter(), owner().reader, true, cluster_.policy);
  };
  abandon_after_each_event(verify);
  const auto last = verify();
  ASSERT_TRUE(cluster_.finish(*last));
  EXPECT_TRUE(last->result().is_clean());
}

TEST_F(AbandonedSession, OfARepairLeavesTheNextOneNothingToTripOver) {
  abandon_after_each_event([&] { return cluster_.begin_repair(owner()); },
                           [&] { miss_a_snapshot(1); });
  const auto last = cluster_.begin_repair(owner());
  ASSERT_TRUE(cluster_.finish(*last));
  for (const auto& [node, report] : last->reports()) EXPECT_TRUE(report.is_whole()) << node;
  const auto contents = cluster_.read(newest_, {1});
  ASSERT_TRUE(contents) << contents.error().message();
  EXPECT_EQ(*contents, contents_);
}

}  // namespace
}  // namespace holdfast::testing
