// Every command on a repository of which a disk has changed some bytes.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "tests/testing/seeded_random.h"
#include "tests/unit/cli/command_fixture.h"
#include "tests/unit/cli/redirected.h"

namespace holdfast::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class Damage : public CommandTest {
 protected:
  // Larger than everything else, so that what lies far from both ends is of it.
  void save_large_file() {
    std::string content(400'000, 0);
    testing::SeededRandom(1).fill({reinterpret_cast<Byte*>(content.data()), content.size()});
    write_source("large", content);
    make_repository_with_a_snapshot();
  }
  // Of each segment: `length` bytes from `offset` on.
  static void damage(const std::string& node, std::int64_t offset, std::size_t length) {
    std::size_t segments = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(node)) {
      if (entry.path().extension() != ".seg") continue;
      ++segments;
      std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
      std::string bytes(length, 0);
      file.seekg(offset).read(bytes.data(), static_cast<std::streamsize>(length));
      for (char& byte : bytes) byte = static_cast<char>(byte ^ 0x55);
      file.clear();
      file.seekp(offset).write(bytes.data(), static_cast<std::streamsize>(length));
      ASSERT_TRUE(file.good());
    }
    ASSERT_GT(segments, 0U);
  }
  static Command status_of_all() {
    return [](Session& session) { return status(session); };
  }
  static Command repair_all() {
    return [](Session& session) { return repair(session, {}); };
  }
};

TEST_F(Damage, IsNamedByEveryCommandUntilABackupHealsIt) {
  save_large_file();
  damage(repository_, 200'000, 16);
  const Outcome restored = run(restore_to(folder() + "/restored"));
  EXPECT_EQ(restored.code, kFailed);
  EXPECT_THAT(restored.said,
              AllOf(HasSubstr("/large: no node gives object"), HasSubstr(" FAILED")));
  const Outcome verified = run(verify_all());
  EXPECT_EQ(verified.code, kDamaged);
  EXPECT_THAT(verified.printed, AllOf(HasSubstr(": DAMAGED\n"), HasSubstr(" is not whole here\n"),
                                      HasSubstr("DAMAGE FOUND\n")));
  EXPECT_THAT(run(status_of_all()).printed,
              HasSubstr(" objects are DAMAGED here; the next backup"));
  EXPECT_EQ(run(backup_it()).code, kDone);
  expect_clean();
  EXPECT_THAT(run(status_of_all()).printed, Not(HasSubstr("DAMAGED")));
}

// A script that looks at the code alone must not take it for another one.
TEST_F(Damage, IsTheExitCodeAlsoWhereTheReportCannotBeWritten) {
  save_large_file();
  damage(repository_, 200'000, 16);
  const Descriptor full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  const Redirected here(stdout, full.get());
  Workplace work;
  Session session{work, output_, {repository_, {}}};
  EXPECT_EQ(run_command(session, verify_all()), kDamaged);
}

TEST_F(Damage, OfAWholeStoreIsNoCrashOfAnyCommand) {
  save_large_file();
  damage(repository_, 100, 1'000'000);
  for (const Command& command :
       std::vector<Command>{restore_to(folder() + "/restored"), verify_all(), [](Session& session) {
                              return list_entries(session, {"latest", {}, false});
                            }}) {
    const Outcome outcome = run(command);
    EXPECT_NE(outcome.code, kDone) << outcome.said;
    EXPECT_THAT(outcome.said, Not(IsEmpty()));
  }
}

class DamageOnNodes : public Damage {
 protected:
  DamageOnNodes() {
    repository_ = folder() + "/owner.credential";
    nodes_ = {folder() + "/one", folder() + "/two"};
  }
};

TEST_F(DamageOnNodes, OfOneIsRepairedFromTheOther) {
  save_large_file();
  damage(nodes_[1], 200'000, 16);
  EXPECT_EQ(run(restore_to(folder() + "/restored")).code, kDone);
  EXPECT_EQ(run(verify_all()).code, kDamaged);
  // Now that it is known, the other one must not go.
  NodeRemoveOptions options;
  options.node = listed_nodes().front().substr(0, 8);
  EXPECT_THAT(run([&](Session& session) { return remove_node(session, options); }).said,
              HasSubstr("1 of 1 snapshots are whole on no other node that answers"));
  const Outcome repaired = run(repair_all());
  EXPECT_EQ(repaired.code, kDone);
  EXPECT_THAT(repaired.printed, HasSubstr(": 1 snapshots completed"));
  expect_clean();
  EXPECT_THAT(run(repair_all()).printed,
              HasSubstr("every node that answers has all of the 1 snapshots"));
}

TEST_F(DamageOnNodes, OfBothCannotBeRepaired) {
  save_large_file();
  for (const std::string& node : nodes_) damage(node, 200'000, 16);
  EXPECT_EQ(run(verify_all()).code, kDamaged);
  const Outcome repaired = run(repair_all());
  EXPECT_EQ(repaired.code, kDamaged);
  EXPECT_THAT(repaired.printed, HasSubstr(" cannot be completed: "));
  EXPECT_EQ(run(backup_it()).code, kDone);
  expect_clean();
}

TEST_F(DamageOnNodes, IsNotWhatANodeThatIsAwayCounts) {
  save_large_file();
  std::filesystem::rename(nodes_[1], nodes_[1] + ".away");
  const Outcome verified = run(verify_all());
  EXPECT_EQ(verified.code, kFailed);
  EXPECT_THAT(verified.printed, AllOf(HasSubstr(": not verified: "),
                                      HasSubstr("not everything could be verified\n")));
  const Outcome repaired = run(repair_all());
  EXPECT_EQ(repaired.code, kFailed);
  EXPECT_THAT(repaired.said, HasSubstr("does not answer: "));
  write_source("new", "while it was away");
  const Outcome saved = run(backup_it());
  EXPECT_EQ(saved.code, kBehind);
  EXPECT_THAT(saved.said, AllOf(HasSubstr("does not have the snapshot yet: "),
                                HasSubstr("saved on 1 of 2 nodes")));
  std::filesystem::rename(nodes_[1] + ".away", nodes_[1]);
  EXPECT_THAT(run(status_of_all()).printed, HasSubstr("1 BEHIND the others"));
  EXPECT_EQ(run(repair_all()).code, kDone);
  EXPECT_THAT(run(status_of_all()).printed, Not(HasSubstr("BEHIND")));
}

}  // namespace
}  // namespace holdfast::cli
