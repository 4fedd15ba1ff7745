// Every command from its beginning to its end, on a repository in a folder or on two nodes in this
// process, while one call of the file system after the other fails. What must hold: it does what it
// says, or says that it did not and why; and the repository is as good as before.
#include <gmock/gmock.h>

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/testing/seed.h"
#include "tests/unit/cli/command_fixture.h"

namespace holdfast::cli {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

class CommandsUnderFailingCalls : public CommandTest {
 protected:
  void SetUp() override { make_repository_with_a_snapshot(); }

  // All that commands leave behind, which would otherwise let each one make more calls.
  void keep_state() { copy(folder(), kept_.path()); }
  void return_to_state() {
    std::filesystem::remove_all(folder());
    copy(kept_.path(), folder());
  }

  // Call after call fails, until the command makes no more of them; where that takes long, every
  // few calls, from one that is drawn. `least` is fewer than there are; `after` looks at each
  // outcome.
  void each_call(
      const Command& command, std::uint64_t least,
      const std::function<void(const Outcome&)>& after = [](const Outcome&) {}) {
    for (const bool for_good : {false, true}) {
      for (std::uint64_t call = 1 + (testing::seed() + for_good) % stride_;; call += stride_) {
        SCOPED_TRACE(fmt::format("call {} failed {}", call, for_good ? "for good" : "once"));
        const Outcome outcome = run(command, {call, for_good});
        const bool reached = calls() >= call;
        if (outcome.code != kDone) {
          EXPECT_THAT(outcome.code, AnyOf(kFailed, kSomeUnread, kDamaged)) << outcome.said;
          EXPECT_THAT(outcome.said, HasSubstr("injected fault"));
        }
        after(outcome);
        if (HasFailure()) return;
        if (reached) continue;
        EXPECT_GT(call, least);
        break;
      }
    }
    const Outcome healthy = run(command);
    EXPECT_EQ(healthy.code, kDone) << healthy.said;
  }

  std::uint64_t stride_ = 1;

 private:
  static void copy(const std::string& from, const std::string& to) {
    const auto how = std::filesystem::copy_options::recursive;
    std::filesystem::create_directories(to);
    for (const auto& entry : std::filesystem::directory_iterator(from))
      if (!entry.is_socket())
        std::filesystem::copy(entry.path(), to / entry.path().filename(), how);
  }
  TemporaryFolder kept_;
};

class CommandsOnNodesUnderFailingCalls : public CommandsUnderFailingCalls {
 protected:
  CommandsOnNodesUnderFailingCalls() {
    repository_ = folder() + "/owner.credential";
    nodes_ = {folder() + "/one", folder() + "/two"};
    stride_ = 7;
  }
  std::size_t count_nodes() { return listed_nodes().size(); }
};

TEST_F(CommandsUnderFailingCalls, BackupSaysWhyAndTheNextOneIsWhole) {
  write_source("new", "new content");
  keep_state();
  stride_ = 2;
  std::size_t round = 0;
  each_call(backup_it(), 40, [&](const Outcome&) {
    if (++round % 8 == 0) {
      EXPECT_EQ(run(backup_it()).code, kDone);
      expect_clean();
      const std::string target = folder() + "/restored";
      EXPECT_EQ(run(restore_to(target)).code, kDone);
      PosixFileSystem files;
      const auto restored = read_file(files, target + source() + "/new", 100);
      ASSERT_TRUE(restored) << restored.error().message();
      EXPECT_EQ(as_text(*restored), "new content");
    }
    return_to_state();
  });
}

TEST_F(CommandsUnderFailingCalls, RestoreSaysWhatIsMissing) {
  const std::string target = folder() + "/restored";
  PosixFileSystem files;
  each_call(restore_to(target), 30, [&](const Outcome& outcome) {
    const auto restored = read_file(files, target + source() + "/a", 100);
    if (outcome.code == kDone) {
      ASSERT_TRUE(restored) << restored.error().message();
    }
    if (restored) {
      EXPECT_EQ(as_text(*restored), "some content");
    }
    std::filesystem::remove_all(target);
  });
  expect_clean();
}

TEST_F(CommandsUnderFailingCalls, DryRestoreSaysWhatItCouldNotSee) {
  RestoreCommandOptions options;
  options.snapshot = "latest";
  options.target = folder() + "/nowhere";
  options.dry_run = true;
  each_call([&](Session& session) { return restore(session, options); }, 20);
  EXPECT_FALSE(std::filesystem::exists(options.target));
}

TEST_F(CommandsUnderFailingCalls, VerifyCallsNothingCleanThatItCouldNotRead) {
  VerifyCommandOptions options;
  options.read_data = true;
  each_call([&](Session& session) { return verify(session, options); }, 20);
}

TEST_F(CommandsUnderFailingCalls, ListsSayWhatTheyCouldNotSee) {
  each_call([](Session& session) { return list_snapshots(session, {}); }, 20);
  ListOptions entries;
  entries.snapshot = "latest";
  entries.long_form = true;
  each_call([&](Session& session) { return list_entries(session, entries); }, 20);
}

TEST_F(CommandsUnderFailingCalls, StatusSaysWhatItCouldNotSee) {
  each_call([](Session& session) { return status(session); }, 20);
  each_call([](Session& session) { return list_nodes(session); }, 20);
  each_call([](Session& session) { return list_agents(session); }, 20);
}

TEST_F(CommandsUnderFailingCalls, KeyIsExportedWholeOrNotAtAll) {
  const std::string file = folder() + "/key";
  std::string whole;
  ASSERT_EQ(run([&](Session& session) { return export_key(session, file); }).code, kDone);
  PosixFileSystem files;
  whole = as_text(*read_file(files, file, 1 << 20));
  std::filesystem::remove(file);
  each_call([&](Session& session) { return export_key(session, file); }, 20,
            [&](const Outcome& outcome) {
              const auto exported = read_file(files, file, 1 << 20);
              if (outcome.code == kDone) {
                EXPECT_TRUE(exported);
              }
              if (exported) {
                EXPECT_EQ(as_text(*exported).size(), whole.size());
              }
              std::filesystem::remove(file);
            });
}

// Whoever got a credential can use it.
TEST_F(CommandsOnNodesUnderFailingCalls, AgentsCredentialIsGoodOrNotThere) {
  keep_state();
  AgentAddOptions options;
  options.name = "other";
  options.file = folder() + "/other.credential";
  each_call([&](Session& session) { return add_agent(session, options); }, 60,
            [&](const Outcome& outcome) {
              if (outcome.code == kDone) {
                // A node that did not take the new charter gets it from the owner's next command.
                ASSERT_EQ(run([](Session& session) { return list_agents(session); }).code, kDone);
                const std::string owners = std::exchange(repository_, options.file);
                const Outcome saved = run(backup_it());
                EXPECT_EQ(saved.code, kDone) << saved.said;
                repository_ = owners;
              }
              return_to_state();
            });
}

TEST_F(CommandsOnNodesUnderFailingCalls, RepairSaysWhatItCouldNotBring) {
  each_call([](Session& session) { return repair(session, {}); }, 40);
  expect_clean();
}

TEST_F(CommandsOnNodesUnderFailingCalls, NodeIsAddedOrNot) {
  keep_state();
  NodeAddOptions options;
  options.invite = folder() + "/three";
  each_call([&](Session& session) { return add_node(session, options); }, 60,
            [&](const Outcome& outcome) {
              const std::size_t nodes = count_nodes();
              EXPECT_LE(nodes, 3U);
              if (outcome.code == kDone) {
                EXPECT_EQ(nodes, 3U);
              }
              return_to_state();
            });
}

TEST_F(CommandsOnNodesUnderFailingCalls, NodeIsRemovedOrNot) {
  keep_state();
  NodeRemoveOptions options;
  options.node = id_of_last_node();
  each_call([&](Session& session) { return remove_node(session, options); }, 60,
            [&](const Outcome& outcome) {
              const std::size_t nodes = count_nodes();
              EXPECT_GE(nodes, 1U);
              if (outcome.code == kDone) {
                EXPECT_EQ(nodes, 1U);
              }
              expect_clean();
              return_to_state();
            });
}

}  // namespace
}  // namespace holdfast::cli
