// A backup that is interrupted after one event after the other: it ends, once, with that reason;
// whatever answers come behind it change nothing, and the next backup does all that there is to do.
#include <gtest/gtest.h>

#include "tests/simulation/cluster.h"
#include "tests/simulation/lying_node.h"
#include "tests/testing/seed.h"

namespace holdfast::testing {
namespace {

using simulation::CrashKeeps;

class InterruptedBackup : public ::testing::Test {
 protected:
  void put_random(const std::string& path, std::size_t size) {
    Bytes content(size);
    cluster_->random.fill(content);
    cluster_->source.put(path, std::move(content));
  }
  using Alter = AlteredReplies::Alter;

  // Knows another snapshot of this number, whichever that is.
  static void conflict(wire::ReplyProto& reply) {
    if (reply.has_commit()) wire::set_error(reply, Error(Code::kConflict, "there is one"));
  }
  // A snapshot on all three nodes, another that the last one missed, and one to be made, of which
  // the first node answers as `alter` says.
  void begin(const Alter& alter) {
    cluster_ = std::make_unique<Cluster>(seed(), 3, 2);
    put_random("a", 900);
    ASSERT_TRUE(cluster_->back_up());
    cluster_->nodes[2]->crash(CrashKeeps::kNothing);
    put_random("b", 20'000);
    ASSERT_TRUE(cluster_->back_up());
    ASSERT_TRUE(cluster_->nodes[2]->start());
    put_random("c", 20'000);
    if (alter) cluster_->nodes[0]->set_lies(std::make_unique<AlteredReplies>(alter));
    run_ = cluster_->begin_backup(*cluster_->agents.front());
  }
  // False if it ends of itself before that many events.
  bool runs_for(std::uint64_t events) {
    for (std::uint64_t i = 0; i < events && !run_->done(); ++i) EXPECT_TRUE(cluster_->loop.step());
    return !run_->done();
  }
  void expect_that_the_next_does_all() {
    cluster_->nodes[0]->set_lies(nullptr);
    const auto report = cluster_->back_up();
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(report->committed, 3U);
    for (std::size_t node = 0; node < 3; ++node) {
      const auto contents = cluster_->read(*report->manifest, {node});
      ASSERT_TRUE(contents) << contents.error().message();
      EXPECT_EQ(*contents, cluster_->source.contents());
    }
  }

  void interrupt_after_each_event(const Alter& alter) {
    for (std::uint64_t events = 0;; ++events) {
      SCOPED_TRACE("after " + std::to_string(events) + " events");
      begin(alter);
      if (!runs_for(events)) {
        EXPECT_TRUE(run_->result());
        EXPECT_GT(events, 100U);
        return;
      }
      run_->interrupt();
      run_->interrupt();
      ASSERT_TRUE(cluster_->finish(*run_));
      // It may have been done but for the word.
      if (!run_->result()) {
        EXPECT_EQ(run_->result().error().code(), Code::kInterrupted);
      }
      cluster_->loop.run_for(std::chrono::seconds(3));
      run_.reset();
      expect_that_the_next_does_all();
      if (HasFailure()) return;
    }
  }

  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<BackupRun> run_;
};

TEST_F(InterruptedBackup, AfterAnyEventEndsOnceAndLeavesTheRestToTheNext) {
  interrupt_after_each_event({});
}

TEST_F(InterruptedBackup, WhileItMakesWayForAnotherSnapshotEndsOnceToo) {
  interrupt_after_each_event(conflict);
}

// What it gave to the executor is done before, as its owner sees to.
TEST_F(InterruptedBackup, MayGoBeforeItHasEnded) {
  for (std::uint64_t events = 0;; ++events) {
    SCOPED_TRACE("after " + std::to_string(events) + " events");
    begin(conflict);
    bool runs = runs_for(events);
    while (runs && cluster_->agents.front()->machine.pending_work() != 0) runs = runs_for(1);
    if (!runs) return;
    run_->interrupt();
    run_.reset();
    cluster_->loop.run_for(std::chrono::seconds(3));
    expect_that_the_next_does_all();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace holdfast::testing
