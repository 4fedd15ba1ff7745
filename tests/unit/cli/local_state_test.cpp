#include "cli/local_state.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include "cli/credential_file.h"
#include "tests/unit/cli/failing_workplace.h"

namespace holdfast::cli {
namespace {

using ::testing::HasSubstr;

// The environment is the process's: each test runs in one of its own.
TEST(CacheFolder, IsWhereTheEnvironmentSays) {
  ::setenv("HOLDFAST_CACHE_DIR", "/own", 1);
  ::setenv("XDG_CACHE_HOME", "/xdg", 1);
  ::setenv("HOME", "/home/ann", 1);
  EXPECT_EQ(cache_folder(), "/own");
  ::setenv("HOLDFAST_CACHE_DIR", "", 1);
  EXPECT_EQ(cache_folder(), "/xdg/holdfast");
  ::setenv("XDG_CACHE_HOME", "relative", 1);
  EXPECT_EQ(cache_folder(), "/home/ann/.cache/holdfast");
  ::unsetenv("XDG_CACHE_HOME");
  ::unsetenv("HOME");
  EXPECT_EQ(cache_folder(), "/var/cache/holdfast");
}

class OneBackupOfAnAgent : public WorkplaceTest {
 protected:
  Result<std::unique_ptr<FileLock>> lock(Workplace& work, Duration patience) {
    HOLDFAST_ASSIGN(LocalState local, LocalState::open(work.files, RepositoryId{{1}}));
    return local.lock(AgentId{{2}}, patience, work, output_);
  }
};

TEST_F(OneBackupOfAnAgent, AtATimeIsWaitedFor) {
  Workplace work;
  output_.verbosity = 1;
  auto first = lock(work, Duration(0));
  ASSERT_TRUE(first) << first.error().message();
  const auto second = lock(work, Duration(0));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Code::kConflict);
  EXPECT_THAT(second.error().message(), HasSubstr("--lock-wait says how long"));
  work.loop.after(std::chrono::milliseconds(1), [&] { first->reset(); });
  ::testing::internal::CaptureStderr();
  EXPECT_TRUE(lock(work, std::chrono::hours(1)));
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "waiting for another backup of this agent on this machine\n");
}

TEST_F(OneBackupOfAnAgent, IsNotWaitedForWhereNoLockCanBeHad) {
  Workplace work(
      std::make_unique<MachineFiles>([](std::string_view call, const std::string& path) -> Status {
        if (call == "lock") return injected(call, path);
        return {};
      }));
  const auto failed = lock(work, std::chrono::hours(1));
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message(), HasSubstr("injected fault"));
}

// Whose temporary file an attempt that was cut off may have left.
class CredentialFile : public WorkplaceTest {
 protected:
  std::unique_ptr<FileSystem> failing(std::vector<std::string> calls) {
    return std::make_unique<MachineFiles>(
        [calls = std::move(calls)](std::string_view call, const std::string& path) -> Status {
          if (std::ranges::find(calls, call) != calls.end()) return injected(call, path);
          return {};
        });
  }
  std::vector<std::string> left() {
    PosixFileSystem files;
    std::vector<std::string> names;
    const auto entries = files.list(folder());
    for (const auto& entry : *entries) names.push_back(entry.name);
    return names;
  }
  const format::Credential credential_;
  const std::string path_ = folder() + "/it";
};

TEST_F(CredentialFile, IsWrittenOverWhatAnAttemptLeft) {
  EXPECT_FALSE(write_credential(*failing({"rename_new", "remove"}), path_, credential_));
  ASSERT_EQ(left().size(), 1U);
  EXPECT_FALSE(write_credential(*failing({"remove"}), path_, credential_));
  EXPECT_EQ(left().size(), 1U);
  PosixFileSystem files;
  EXPECT_TRUE(write_credential(files, path_, credential_));
  EXPECT_EQ(left(), std::vector<std::string>{"it"});
}

TEST_F(CredentialFile, IsNotWrittenOverWhatCameMeanwhile) {
  PosixFileSystem machine;
  MachineFiles files([&](std::string_view call, const std::string& path) -> Status {
    if (call == "rename_new") return write_file_atomically(machine, path, as_bytes("another's"));
    return {};
  });
  const Status written = write_credential(files, path_, credential_);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), Code::kAlreadyExists);
  EXPECT_THAT(written.error().message(), HasSubstr("never written over anything"));
  EXPECT_EQ(as_text(*read_file(machine, path_, 100)), "another's");
  EXPECT_EQ(left(), std::vector<std::string>{"it"});
}

}  // namespace
}  // namespace holdfast::cli
