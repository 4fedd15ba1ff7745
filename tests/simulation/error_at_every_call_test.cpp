// Whole backups and restores in which one call after the other fails: of a node's disk, of the
// agent's disk, of the network; once, or it and all that follow. What must hold: what was
// acknowledged is durable and restores byte for byte, what was not says why, and once the fault is
// over the next backup does all that there is to do.
#include "tests/simulation/error_at_every_call.h"

#include <gmock/gmock.h>

namespace holdfast::testing {
namespace {

using simulation::CrashKeeps;
using simulation::SimFileSystem;
using simulation::StopPoint;
using ::testing::AnyOf;
using ::testing::HasSubstr;

SimFileSystem& agent_disk(Cluster& cluster) { return cluster.agent_disk(); }

TEST_F(ErrorAtEveryCall, OfTheOnlyNodesDiskLosesNothingThatABackupWasToldIsKept) {
  each_call(
      [&](std::uint64_t call, Code code, bool for_good) {
        begin(1, 1);
        SimFileSystem& disk = cluster_->nodes[0]->disk();
        const std::uint64_t before = disk.calls();
        disk.fail_call(call, code, for_good);
        const auto report = back_up();
        const bool reached = disk.calls() - before >= call;
        disk.clear_faults();
        if (!report) {
          EXPECT_THAT(report.error().message(), HasSubstr("node1"));
          EXPECT_THAT(report.error().message(), HasSubstr("injected fault"));
        }
        restart_nodes();
        expect_kept(1);
        back_up_well(1);
        expect_kept(1);
        return reached;
      },
      5);
}

TEST_F(ErrorAtEveryCall, OfOneOfThreeNodesDisksIsMadeUpForByTheOthers) {
  each_call(
      [&](std::uint64_t call, Code code, bool for_good) {
        begin(3, 2);
        SimFileSystem& disk = cluster_->nodes[1]->disk();
        const std::uint64_t before = disk.calls();
        disk.fail_call(call, code, for_good);
        const auto report = back_up();
        const bool reached = disk.calls() - before >= call;
        disk.clear_faults();
        EXPECT_TRUE(report) << report.error().message();
        if (report) {
          EXPECT_GE(report->committed, 2U);
          for (const auto& node : report->nodes)
            if (!node.committed) {
              EXPECT_EQ(node.name, "node2");
            }
        }
        restart_nodes();
        expect_kept(2);
        back_up_well(3);
        return reached;
      },
      5);
}

TEST_F(ErrorAtEveryCall, OfTheAgentsDiskFailsABackupWithAReasonOrNotAtAll) {
  each_call(
      [&](std::uint64_t call, Code code, bool for_good) {
        begin(1, 1);
        SimFileSystem& disk = agent_disk(*cluster_);
        const std::uint64_t before = disk.calls();
        disk.fail_call(call, code, for_good);
        const auto report = back_up();
        const bool reached = disk.calls() - before >= call;
        disk.clear_faults();
        if (!report) {
          EXPECT_EQ(report.error().code(), code) << report.error().message();
          EXPECT_THAT(report.error().message(), HasSubstr("local catalog"));
          EXPECT_THAT(report.error().message(), HasSubstr("injected fault"));
        }
        disk.crash(CrashKeeps::kSome, cluster_->random);
        back_up_well(1);
        restart_nodes();
        expect_kept(1);
        return reached;
      },
      5);
}

// Of a catalog of more than a buffer, while a node is brought what it missed.
TEST_F(ErrorAtEveryCall, OfTheAgentsDiskWhileANodeIsBehindFailsABackupWithAReasonOrNotAtAll) {
  each_call(
      [&](std::uint64_t call, Code code, bool for_good) {
        begin(2, 1);
        cluster_->nodes[1]->crash(CrashKeeps::kNothing);
        back_up_well(1);
        EXPECT_TRUE(cluster_->nodes[1]->start());
        change_source(*cluster_);
        for (const char* const path : {"l/1", "l/2", "l/3", "l/4", "l/5"})
          cluster_->source.put_symlink(path, std::string(255'000, 'x'));
        SimFileSystem& disk = agent_disk(*cluster_);
        const std::uint64_t before = disk.calls();
        disk.fail_call(call, code, for_good);
        const auto report = back_up();
        const bool reached = disk.calls() - before >= call;
        disk.clear_faults();
        if (!report) {
          EXPECT_EQ(report.error().code(), code) << report.error().message();
          EXPECT_THAT(report.error().message(), HasSubstr("injected fault"));
        }
        back_up_well(2);
        restart_nodes();
        expect_kept(1);
        return reached;
      },
      10);
}

// Whatever is left of the local catalog, no backup takes wrong content from it, nor fails.
TEST_F(ErrorAtEveryCall, CrashOfTheAgentsMachineLeavesACatalogThatHarmsNoLaterBackup) {
  for (std::uint64_t call = 1, reached = 1; reached != 0; ++call) {
    for (const StopPoint point : {StopPoint::kBefore, StopPoint::kTorn, StopPoint::kAfter}) {
      for (const CrashKeeps keeps :
           {CrashKeeps::kNothing, CrashKeeps::kEverything, CrashKeeps::kSome, CrashKeeps::kSome}) {
        SCOPED_TRACE("stopped at call " + std::to_string(call) + " point " +
                     std::to_string(static_cast<int>(point)) + " keeping " +
                     std::to_string(static_cast<int>(keeps)));
        begin(1, 1);
        SimFileSystem& disk = agent_disk(*cluster_);
        disk.stop_at(call, point, cluster_->random);
        static_cast<void>(back_up());
        reached = disk.stopped() ? 1 : 0;
        if (reached == 0) {
          EXPECT_GT(call, 3U);
          return;
        }
        disk.crash(keeps, cluster_->random);
        change_source(*cluster_);
        back_up_well(1);
        expect_kept(1);
        if (HasFailure()) return;
      }
    }
  }
}

TEST_F(ErrorAtEveryCall, OfTheAgentsDiskFailsARestoreWithAReasonOrNotAtAll) {
  begin(1, 1);
  each_call(
      [&](std::uint64_t call, Code code, bool for_good) {
        SimFileSystem& disk = agent_disk(*cluster_);
        const std::uint64_t before = disk.calls();
        disk.fail_call(call, code, for_good);
        const auto contents = cluster_->read(kept_[0].manifest, {0});
        const bool reached = disk.calls() - before >= call;
        disk.clear_faults();
        EXPECT_TRUE(!contents || *contents == kept_[0].contents);
        if (!contents) {
          EXPECT_THAT(contents.error().message(), HasSubstr("injected fault"));
        }
        expect_kept(1);
        return reached;
      },
      3);
}

TEST_F(ErrorAtEveryCall, OfANodesDiskWhileItIsReadIsMadeUpForByTheOther) {
  begin(2, 2);
  each_call(
      [&](std::uint64_t call, Code code, bool for_good) {
        SimFileSystem& disk = cluster_->nodes[0]->disk();
        const std::uint64_t before = disk.calls();
        disk.fail_call(call, code, for_good);
        const auto contents = cluster_->read(kept_[0].manifest, {0, 1});
        const bool reached = disk.calls() - before >= call;
        disk.clear_faults();
        EXPECT_TRUE(contents) << contents.error().message();
        EXPECT_TRUE(contents && *contents == kept_[0].contents);
        expect_kept(2);  // and nobody took an error for damage
        return reached;
      },
      1);
}

TEST_F(ErrorAtEveryCall, OfTheOnlyNodesDiskWhileItIsReadIsTold) {
  begin(1, 1);
  each_call(
      [&](std::uint64_t call, Code code, bool for_good) {
        SimFileSystem& disk = cluster_->nodes[0]->disk();
        const std::uint64_t before = disk.calls();
        disk.fail_call(call, code, for_good);
        const auto contents = cluster_->read(kept_[0].manifest, {0});
        const bool reached = disk.calls() - before >= call;
        disk.clear_faults();
        EXPECT_TRUE(!contents || *contents == kept_[0].contents);
        if (!contents) {
          EXPECT_THAT(contents.error().message(), HasSubstr("injected fault"));
        }
        expect_kept(1);
        return reached;
      },
      1);
}

TEST_F(ErrorAtEveryCall, MessageThatVanishesIsSentAgain) {
  for (std::uint64_t nth = 1, reached = 1; reached != 0; ++nth) {
    SCOPED_TRACE("message " + std::to_string(nth));
    begin(2, 2);
    const std::uint64_t before = cluster_->network.figures().sent;
    cluster_->network.lose_message(nth, false);
    const auto report = back_up();
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(report->committed, 2U);
    reached = cluster_->network.figures().sent - before >= nth ? 1 : 0;
    cluster_->network.lose_message(nth, false);
    const auto contents = cluster_->read(kept_.back().manifest, {0});
    ASSERT_TRUE(contents) << contents.error().message();
    EXPECT_TRUE(*contents == kept_.back().contents);
    cluster_->network.lose_message(0, false);
    expect_kept(2);
    if (HasFailure()) return;
    if (reached == 0) {
      EXPECT_GT(nth, 20U);
    }
  }
}

TEST_F(ErrorAtEveryCall, NetworkThatVanishesEndsABackupWithoutAFalseWord) {
  for (std::uint64_t nth = 1, reached = 1; reached != 0; ++nth) {
    SCOPED_TRACE("from message " + std::to_string(nth) + " on");
    begin(2, 2);
    const std::uint64_t before = cluster_->network.figures().sent;
    cluster_->network.lose_message(nth, true);
    const auto report = back_up();
    reached = cluster_->network.figures().sent - before >= nth ? 1 : 0;
    cluster_->network.lose_message(0, false);
    if (!report) {
      EXPECT_EQ(report.error().code(), Code::kUnavailable);
      EXPECT_THAT(report.error().message(), AnyOf(HasSubstr("node1"), HasSubstr("node2")));
    }
    restart_nodes();
    expect_kept(2);
    back_up_well(2);
    expect_kept(2);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace holdfast::testing
