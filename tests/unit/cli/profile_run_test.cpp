#include "cli/profile_run.h"

#include <gtest/gtest.h>
#include <stdlib.h>

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

}  // namespace
}  // namespace holdfast::cli
