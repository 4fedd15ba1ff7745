// What a process made and did not come to sync before it was killed: the next one sees it, relies
// on it, and so makes it durable first. Then the power is cut.
#include <gtest/gtest.h>

#include "cli/local_state.h"
#include "repository/posix/data_folder.h"
#include "repository/posix/folder_invitations.h"
#include "repository/store/memory_index.h"
#include "tests/simulation/sim_file_system.h"
#include "tests/simulation/sim_loop.h"
#include "tests/simulation/sim_random.h"
#include "tests/testing/seed.h"
#include "tests/testing/test_charter.h"

namespace holdfast::testing {
namespace {

using cli::LocalState;
using repository::DataFolder;
using repository::FolderInvitations;
using repository::FolderShelf;
using repository::MemoryIndex;
using repository::Store;
using simulation::CrashKeeps;
using simulation::StopPoint;

class KilledAttempt : public ::testing::Test {
 protected:
  // Runs `attempt` and kills its process once the last call but the sync behind it was made.
  template <typename Attempt>
  void kill_before_its_last_call(const Attempt& attempt) {
    simulation::SimFileSystem trial;
    trial.return_to(files_.moment());
    attempt(trial);
    const std::uint64_t calls = trial.mutating_calls();
    files_.stop_at(calls, StopPoint::kBefore, random_);
    attempt(files_);
    ASSERT_TRUE(files_.stopped());
    files_.kill();
  }
  void cut_power() { files_.crash(CrashKeeps::kNothing, random_); }

  simulation::SimRandom random_{seed()};
  simulation::SimFileSystem files_;
};

TEST_F(KilledAttempt, AFolderThatWasNotSyncedIsDurableOnceItIsMadeAgain) {
  kill_before_its_last_call(
      [](FileSystem& files) { static_cast<void>(make_directories(files, "/a/b")); });
  ASSERT_TRUE(make_directories(files_, "/a/b"));
  cut_power();
  EXPECT_TRUE(files_.exists("/a/b").value());
}

TEST_F(KilledAttempt, AStoreWhoseMarkerWasNotSyncedIsDurableOnceItIsOpened) {
  kill_before_its_last_call(
      [](FileSystem& files) { static_cast<void>(Store::create(files, "/s", {})); });
  MemoryIndex index;
  ASSERT_TRUE(Store::open(files_, "/s", index, {}));
  cut_power();
  EXPECT_TRUE(Store::open(files_, "/s", index, {}));
}

TEST_F(KilledAttempt, AnInvitationWhoseBindingWasNotSyncedIsDurableOnceItIsBoundAgain) {
  SimLoop clock;
  const CurveKey key{1};
  const RepositoryId repository{{2}}, other{{3}};
  ASSERT_TRUE(make_directories(files_, "/i"));
  ASSERT_TRUE(
      write_file_atomically(files_, "/i/" + hex_encode(key), as_bytes("expires 9000000000\n")));
  kill_before_its_last_call([&](FileSystem& files) {
    static_cast<void>(FolderInvitations(files, clock, "/i").bind(key, repository));
  });
  FolderInvitations invitations(files_, clock, "/i");
  ASSERT_TRUE(invitations.bind(key, repository));
  cut_power();
  const Status again = invitations.bind(key, other);
  ASSERT_FALSE(again) << "it is good for a second repository";
  EXPECT_EQ(again.error().code(), Code::kConflict);
}

TEST_F(KilledAttempt, ANodeWhoseConfigurationWasNotSyncedIsDurableOnceItIsOpened) {
  kill_before_its_last_call([](FileSystem& files) {
    static_cast<void>(DataFolder::create(files, "/n", {"node", "", ""}));
  });
  const auto opened = DataFolder::open(files_, "/n");
  ASSERT_TRUE(opened) << opened.error().message();
  cut_power();
  const auto again = DataFolder::open(files_, "/n");
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(again->id(), opened->id());
}

// The rename of a new repository is the last call but two: its folder's sync and its opening
// follow.
TEST_F(KilledAttempt, ARepositoryWhoseNameWasNotSyncedIsDurableOnceItIsOpened) {
  const auto shelf_on = [](FileSystem& files) {
    return FolderShelf(
        files, "/r", {},
        [](const std::string&) -> Result<std::unique_ptr<repository::ObjectIndex>> {
          return std::unique_ptr<repository::ObjectIndex>(std::make_unique<MemoryIndex>());
        });
  };
  const RepositoryId id{{5}};
  bool renamed = false;
  for (std::uint64_t call = 1; !renamed; ++call) {
    cut_power();
    files_.stop_at(call, StopPoint::kAfter, random_);
    static_cast<void>(shelf_on(files_).create(id));
    files_.kill();
    const auto there = shelf_on(files_).list();
    ASSERT_TRUE(there);
    renamed = !there->empty();
  }
  ASSERT_TRUE(shelf_on(files_).open(id));
  cut_power();
  EXPECT_TRUE(shelf_on(files_).open(id));
}

// A folder that holds a configuration and no key is no node, and cannot become one.
TEST_F(KilledAttempt, ANodeWhoseKeyWasNotSyncedHasItWhereverItHasAConfiguration) {
  const auto create = [&] {
    static_cast<void>(DataFolder::create(files_, "/n", {"node", "", ""}));
    return files_.stopped();
  };
  for (std::uint64_t killed_at = 1;; ++killed_at) {
    for (std::uint64_t cut_at = 1, cut = 1; cut != 0; ++cut_at) {
      for (int draw = 0; draw < 8; ++draw) {
        SCOPED_TRACE("killed at call " + std::to_string(killed_at) + ", power cut at call " +
                     std::to_string(cut_at));
        files_.return_to(simulation::SimFileSystem().moment());
        files_.stop_at(killed_at, StopPoint::kBefore, random_);
        if (!create()) return;
        files_.kill();
        files_.stop_at(cut_at, StopPoint::kAfter, random_);
        cut = create() ? 1 : 0;
        files_.crash(CrashKeeps::kSome, random_);
        static_cast<void>(create());
        const auto opened = DataFolder::open(files_, "/n");
        ASSERT_TRUE(opened) << opened.error().message();
      }
    }
  }
}

TEST_F(KilledAttempt, ACharterThatWasSeenAndNotSyncedIsDurableOnceWhatWasSeenIsOpened) {
  const TestCharter charter(seed());
  const RepositoryId repository = charter.repository();
  const format::SignedCharter seen = charter.sign();
  kill_before_its_last_call([&](FileSystem& files) {
    auto local = LocalState::open(files, repository);
    if (local) static_cast<void>(local->keep_charter(seen));
  });
  const auto version = [&]() -> std::uint64_t {
    const auto local = LocalState::open(files_, repository);
    const auto known = local ? local->known_charter() : local.error();
    return known && *known ? (*known)->charter.version : 0;
  };
  ASSERT_EQ(version(), seen.charter.version);
  cut_power();
  EXPECT_EQ(version(), seen.charter.version) << "an older one would not be noticed";
}

}  // namespace
}  // namespace holdfast::testing
