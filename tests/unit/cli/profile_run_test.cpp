#include "cli/profile_run.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "tests/unit/common/posix/temporary_folder.h"

namespace holdfast::cli {
namespace {

// The environment is the process's: each test runs in one of its own.
class ProfileOfARun : public ::testing::Test {
 protected:
  ProfileOfARun() {
    ::unsetenv("HOLDFAST_PASSPHRASE");
    ::unsetenv("HOLDFAST_PASSPHRASE_FILE");
    ::setenv("HOLDFAST_STATE_DIR", folder_.path().c_str(), 1);
    profile_.access.repository = "/of-profile";
    profile_.access.passphrase.file = "/of-profile";
    profile_.access.upload_kib_s = 1;
    profile_.access.download_kib_s = 2;
    profile_.backup.tags = {"of-profile"};
    profile_.backup.host = "of-profile";
  }
  void apply_overrides() {
    const Status applied = apply(overrides_, "p.toml", profile_);
    EXPECT_TRUE(applied) << applied.error().message();
  }
  TemporaryFolder folder_;
  PosixFileSystem files_;
  Profile profile_;
  ProfileOverrides overrides_;
};

TEST_F(ProfileOfARun, IsTheProfileWhereNothingElseIsSaid) {
  apply_overrides();
  EXPECT_EQ(profile_.access.repository, "/of-profile");
  EXPECT_EQ(profile_.access.passphrase.file, "/of-profile");
  EXPECT_EQ(profile_.access.upload_kib_s, 1U);
  EXPECT_EQ(profile_.backup.tags, std::vector<std::string>{"of-profile"});
}

TEST_F(ProfileOfARun, TakesWhatTheCommandLineSays) {
  overrides_ = {"/of-line", {"", "cat /of-line"}, {"a", "b"}, "of-line", 0, 7, true};
  apply_overrides();
  EXPECT_EQ(profile_.access.repository, "/of-line");
  EXPECT_EQ(profile_.access.passphrase.file, "");
  EXPECT_EQ(profile_.access.passphrase.command, "cat /of-line");
  EXPECT_EQ(profile_.backup.tags, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(profile_.backup.host, "of-line");
  EXPECT_EQ(profile_.access.upload_kib_s, 0U);
  EXPECT_EQ(profile_.access.download_kib_s, 7U);
  EXPECT_TRUE(profile_.backup.dry_run);
}

TEST_F(ProfileOfARun, APassphraseOfTheEnvironmentComesBeforeTheProfiles) {
  ::setenv("HOLDFAST_PASSPHRASE", "", 1);
  apply_overrides();
  EXPECT_EQ(profile_.access.passphrase.file, "/of-profile") << "an empty one is none";
  ::setenv("HOLDFAST_PASSPHRASE_FILE", "/of-environment", 1);
  apply_overrides();
  EXPECT_EQ(profile_.access.passphrase.file, "");
  overrides_.passphrase.file = "/of-line";
  apply_overrides();
  EXPECT_EQ(profile_.access.passphrase.file, "/of-line");
}

TEST_F(ProfileOfARun, NeedsARepositoryFromSomewhere) {
  profile_.access.repository.clear();
  const Status applied = apply(overrides_, "p.toml", profile_);
  ASSERT_FALSE(applied);
  EXPECT_NE(applied.error().message().find("p.toml: repository"), std::string::npos);
}

TEST_F(ProfileOfARun, IsLockedUntilItEndsHoweverItIsNamed) {
  const std::string path = folder_.path() + "/home.toml";
  const std::string other = folder_.path() + "/other/home.toml";
  ASSERT_TRUE(make_directories(files_, folder_.path() + "/other"));
  for (const std::string& one : {path, other})
    ASSERT_TRUE(write_file_atomically(files_, one, as_bytes("x")));
  {
    const auto lock = lock_profile(files_, path);
    ASSERT_TRUE(lock) << lock.error().message();
    const auto again = lock_profile(files_, folder_.path() + "/other/../home.toml");
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code(), Code::kConflict);
    EXPECT_NE(again.error().message().find("home runs already"), std::string::npos);
    EXPECT_TRUE(lock_profile(files_, other)) << "another profile of that name";
  }
  EXPECT_TRUE(lock_profile(files_, path));
}

TEST_F(ProfileOfARun, OfTheSystemIsLockedByItsNameAlone) {
  ASSERT_TRUE(lock_profile(files_, "/etc/holdfast/home.toml"));
  EXPECT_TRUE(*files_.exists(folder_.path() + "/home.lock"));
}

TEST_F(ProfileOfARun, IsLockedInTheCacheWhereThereIsNoStateFolder) {
  ::setenv("HOLDFAST_STATE_DIR", (folder_.path() + "/absent").c_str(), 1);
  ::setenv("HOLDFAST_CACHE_DIR", (folder_.path() + "/cache").c_str(), 1);
  EXPECT_TRUE(lock_profile(files_, "/etc/holdfast/home.toml"));
  EXPECT_TRUE(*files_.exists(folder_.path() + "/cache/home.lock"));
  ::setenv("HOLDFAST_CACHE_DIR", "/dev/null/cache", 1);
  const auto lock = lock_profile(files_, "/etc/holdfast/home.toml");
  ASSERT_FALSE(lock);
  EXPECT_THAT(lock.error().message(), ::testing::HasSubstr("folder for the profile's lock"));
}

TEST_F(ProfileOfARun, WithANameThatNoFileCanHaveIsAnError) {
  const auto lock = lock_profile(files_, "/" + std::string(300, 'x') + ".toml");
  ASSERT_FALSE(lock);
  EXPECT_THAT(lock.error().message(), ::testing::HasSubstr("the profile's lock"));
}

// What a run leaves when there was nothing to back up to.
class FailedRun : public ProfileOfARun {
 protected:
  FailedRun() {
    ::setenv("HOLDFAST_CACHE_DIR", (folder_.path() + "/cache").c_str(), 1);
    profile_.access.repository = folder_.path() + "/absent";
    profile_.backup.source.paths = {"/etc"};
    profile_.receipt = folder_.path() + "/receipt";
    profile_.retry = Duration(0);
    profile_.hooks.failure = {"touch", folder_.path() + "/failure"};
    profile_.hooks.after = {"touch", folder_.path() + "/after"};
  }
  int run() {
    Output output("holdfast-agent");
    output.verbosity = 0;
    Workplace work;
    Session session{work, output, profile_.access};
    ::testing::internal::CaptureStderr();
    const int code = run_profile(session, "home", profile_);
    said_ = ::testing::internal::GetCapturedStderr();
    return code;
  }
  Json receipt() {
    const auto text = read_file(files_, profile_.receipt, 1 << 20);
    EXPECT_TRUE(text);
    return Json::parse(as_text(*text));
  }
  bool exists(const std::string& name) { return *files_.exists(folder_.path() + "/" + name); }
  std::string said_;
};

TEST_F(FailedRun, IsSaidByItsCodeItsReceiptAndItsHook) {
  EXPECT_EQ(run(), kNoSuchRepository);
  EXPECT_EQ(receipt()["attempts"], 1);
  EXPECT_EQ(receipt()["exit_code"], kNoSuchRepository);
  EXPECT_THAT(receipt()["error"].get<std::string>(),
              ::testing::StartsWith("there is no repository"));
  EXPECT_TRUE(exists("failure"));
  EXPECT_FALSE(exists("after"));
}

TEST_F(FailedRun, IsTriedAgainAsLongAsItMayCome) {
  profile_.retry = std::chrono::milliseconds(50);
  EXPECT_EQ(run(), kNoSuchRepository);
  EXPECT_EQ(receipt()["attempts"], 2);
  EXPECT_THAT(receipt()["error"].get<std::string>(),
              ::testing::StartsWith("given up after 2 attempts: "));
  EXPECT_THAT(said_, ::testing::HasSubstr("; trying again in 1 s"));
}

TEST_F(FailedRun, IsNotTriedAgainWhereTimeChangesNothing) {
  profile_.retry = std::chrono::hours(1);
  profile_.backup.source.paths = {folder_.path() + "/nothing"};
  EXPECT_EQ(run(), kFailed);
  EXPECT_EQ(receipt()["attempts"], 1);
}

TEST_F(FailedRun, ByTheHookBeforeMakesNoAttempt) {
  profile_.hooks.before = {"false"};
  EXPECT_EQ(run(), kFailed);
  EXPECT_EQ(receipt()["attempts"], 0);
  EXPECT_TRUE(exists("failure"));
}

TEST_F(FailedRun, WhoseHookAndReceiptFailSaysSo) {
  profile_.hooks.failure = {"false"};
  profile_.receipt = "/dev/null/receipt";
  profile_.metrics_textfile = "/dev/null/metrics";
  EXPECT_EQ(run(), kNoSuchRepository);
  EXPECT_THAT(said_, ::testing::AllOf(::testing::HasSubstr("warning: receipt: "),
                                      ::testing::HasSubstr("warning: metrics_textfile: "),
                                      ::testing::HasSubstr("failure")));
}

}  // namespace
}  // namespace holdfast::cli
