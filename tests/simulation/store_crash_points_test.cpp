// A store cut off at every call that changes its disk, and again at every call of the recovery.
#include <gtest/gtest.h>

#include "tests/simulation/sim_random.h"
#include "tests/simulation/store_under_crashes.h"
#include "tests/testing/seed.h"

namespace holdfast::testing {
namespace {

using repository::StoreLimits;
using simulation::CrashFigures;
using simulation::SimRandom;

constexpr StoreLimits kOneSegment{64 << 10, 4 << 10, 0};
constexpr StoreLimits kManySegments{1200, 512, 0};  // each record but the smallest seals one

class CreatedStore : public StoreUnderCrashes {
 public:
  explicit CreatedStore(const SealedSnapshots& snapshots)
      : StoreUnderCrashes(snapshots, kOneSegment) {}
  void work() override {
    create();
    open();
    append_charter(1);
    sync();
    put_all(snapshots().all()[0]);
    append_manifest(snapshots().all()[0]);
    sync();
  }
};

// Commits with puts between a sync's beginning and its end, as a node's are.
class CommittingStore : public StoreUnderCrashes {
 public:
  CommittingStore(const SealedSnapshots& snapshots, StoreLimits limits)
      : StoreUnderCrashes(snapshots, limits) {}
  void work() override {
    create();
    open();
    const auto& all = snapshots().all();
    append_charter(1);
    put_all(all[0]);
    auto first = begin_sync();
    put(all[1].chunks);
    finish_sync(std::move(first));
    append_manifest(all[0]);
    put(all[1].others);
    auto second = begin_sync();
    put(all[1].low);
    auto third = begin_sync();
    put(all[1].root);
    finish_sync(std::move(second));
    append_manifest(all[1]);
    finish_sync(std::move(third));
    append_charter(2);
    sync();
    put_all(all[2]);
    append_manifest(all[2]);
    sync();
  }
};

// Opened again and again, with something unsynced left behind each time.
class ReopenedStore : public StoreUnderCrashes {
 public:
  explicit ReopenedStore(const SealedSnapshots& snapshots)
      : StoreUnderCrashes(snapshots, kManySegments) {}
  void work() override {
    create();
    for (std::size_t i = 0; i < 3; ++i) {
      open();
      put_all(snapshots().all()[i]);
      append_manifest(snapshots().all()[i]);
      if (i > 0) append_charter(i);
      if (i == 1) sync();
    }
    open();
    sync();
  }
};

class ReindexedStore : public StoreUnderCrashes {
 public:
  explicit ReindexedStore(const SealedSnapshots& snapshots)
      : StoreUnderCrashes(snapshots, kManySegments) {}
  void work() override {
    create();
    open();
    put_all(snapshots().all()[0]);
    append_manifest(snapshots().all()[0]);
    append_charter(1);
    sync();
    put_all(snapshots().all()[1]);
    reindex();
    append_manifest(snapshots().all()[1]);
    sync();
    reindex();
    put_all(snapshots().all()[2]);
    sync();
  }
};

// A sync fails, what it should have written is given up, and writing goes on in a fresh segment.
class StoreWithAFailedSync : public StoreUnderCrashes {
 public:
  explicit StoreWithAFailedSync(const SealedSnapshots& snapshots)
      : StoreUnderCrashes(snapshots, kManySegments) {}
  void work() override {
    create();
    open();
    put_all(snapshots().all()[0]);
    append_manifest(snapshots().all()[0]);
    sync();
    put_all(snapshots().all()[1]);
    fail_sync();
    put_all(snapshots().all()[1]);
    append_manifest(snapshots().all()[1]);
    sync();
    append_charter(1);
    sync();
  }
};

class StoreCrashPoints : public ::testing::Test {
 protected:
  // How many distinct states each test reaches at least; together more than 10,000, so that what is
  // covered cannot shrink unseen.
  void explore(const std::function<std::unique_ptr<simulation::CrashSubject>()>& make,
               std::uint64_t least) {
    SimRandom random(seed());
    const CrashFigures figures =
        explore_crashes(make, random, {.sorts_of_harm = StoreUnderCrashes::kSortsOfHarm});
    if (HasFailure()) return;
    std::printf("%s\n", describe(figures).c_str());
    RecordProperty("distinct_states", std::to_string(figures.states));
    EXPECT_GE(figures.states, least);
  }
  const SealedSnapshots snapshots_{seed(), 4, 300};
};

TEST_F(StoreCrashPoints, CreatingAStoreSurvivesAllOfThem) {
  explore([&] { return std::make_unique<CreatedStore>(snapshots_); }, 1'000);
}

TEST_F(StoreCrashPoints, CommittingToOneSegmentSurvivesAllOfThem) {
  explore([&] { return std::make_unique<CommittingStore>(snapshots_, kOneSegment); }, 4'000);
}

TEST_F(StoreCrashPoints, SealingSegmentsSurvivesAllOfThem) {
  explore([&] { return std::make_unique<CommittingStore>(snapshots_, kManySegments); }, 10'000);
}

TEST_F(StoreCrashPoints, OpeningAgainAndAgainSurvivesAllOfThem) {
  explore([&] { return std::make_unique<ReopenedStore>(snapshots_); }, 10'000);
}

TEST_F(StoreCrashPoints, ReindexingSurvivesAllOfThem) {
  explore([&] { return std::make_unique<ReindexedStore>(snapshots_); }, 10'000);
}

// A process that is killed between a failed sync and the cut leaves bytes that the kernel shows,
// calls written and has not written.
TEST_F(StoreCrashPoints, AFailedSyncAndAFreshSegmentSurviveAllOfThem) {
  explore([&] { return std::make_unique<StoreWithAFailedSync>(snapshots_); }, 4'000);
}

class StoreErrors : public ::testing::Test {
 protected:
  void explore(const std::function<std::unique_ptr<simulation::CrashSubject>()>& make,
               std::uint64_t least) {
    SimRandom random(seed());
    const std::uint64_t failed = explore_errors(make, random);
    if (HasFailure()) return;
    std::printf("%llu calls failed\n", static_cast<unsigned long long>(failed));
    EXPECT_GE(failed, least);
  }
  const SealedSnapshots snapshots_{seed(), 4, 300};
};

TEST_F(StoreErrors, NothingIsPromisedInVainWhicheverCallOfACommitFails) {
  explore([&] { return std::make_unique<CommittingStore>(snapshots_, kManySegments); }, 250);
}

TEST_F(StoreErrors, NothingIsPromisedInVainWhicheverCallOfAnOpeningFails) {
  explore([&] { return std::make_unique<ReopenedStore>(snapshots_); }, 500);
}

TEST_F(StoreErrors, NothingIsLostWhicheverCallOfReindexingFails) {
  explore([&] { return std::make_unique<ReindexedStore>(snapshots_); }, 400);
}

// A verification that meets an error ends with it, or names what it could not read.
class VerifiedStore final : public CommittingStore {
 public:
  explicit VerifiedStore(const SealedSnapshots& snapshots)
      : CommittingStore(snapshots, kManySegments) {
    CommittingStore::work();
  }
  bool verify_is_clean() {
    for (bool restart = true;; restart = false) {
      const auto step = store().verify_step(
          {repository::VerifyDepth::kChecksum}, [](const AgentId&) { return std::nullopt; },
          restart);
      if (!step || !step->problems.empty()) return false;
      if (step->done) return true;
    }
  }
};

TEST_F(StoreErrors, AVerificationCallsNothingCleanThatItCouldNotRead) {
  for (const bool for_good : {false, true}) {
    for (std::uint64_t call = 1;; ++call) {
      SCOPED_TRACE("call " + std::to_string(call) + (for_good ? " for good" : " once"));
      VerifiedStore verified(snapshots_);
      const std::uint64_t before = verified.disk().calls();
      verified.disk().fail_call(call, Code::kIo, for_good);
      const bool clean = verified.verify_is_clean();
      const bool reached = verified.disk().calls() - before >= call;
      verified.disk().clear_faults();
      // What failed once may have been read again.
      EXPECT_TRUE(!for_good || clean == !reached);
      EXPECT_TRUE(reached || clean);
      if (HasFailure()) return;
      if (!reached) {
        EXPECT_GT(call, 10U);
        break;
      }
      verified.check();  // what could be read again is not taken for damaged
    }
  }
}

}  // namespace
}  // namespace holdfast::testing
