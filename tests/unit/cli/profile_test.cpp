#include "cli/profile.h"

#include <gtest/gtest.h>

namespace holdfast::cli {
namespace {

constexpr const char* kGood =
    "repository = \"/srv/repo\"\n"
    "paths = [\"/home\", \"/etc\"]\n";

std::string error_of(const std::string& text) {
  const auto profile = parse_profile(text, "p.toml");
  return profile ? "" : profile.error().message();
}

TEST(Profile, HoldsWhatItSays) {
  const auto profile = parse_profile(std::string(kGood) +
                                         "tags = [\"a\"]\nhost = \"h\"\none_file_system = true\n"
                                         "exclude = [\"*.o\"]\nlock_wait_s = 5\n",
                                     "p.toml");
  ASSERT_TRUE(profile) << profile.error().message();
  EXPECT_EQ(profile->access.repository, "/srv/repo");
  EXPECT_EQ(profile->backup.source.paths, (std::vector<std::string>{"/home", "/etc"}));
  EXPECT_EQ(profile->backup.tags, std::vector<std::string>{"a"});
  EXPECT_EQ(profile->backup.source.excludes, std::vector<std::string>{"*.o"});
  EXPECT_EQ(profile->backup.host, "h");
  EXPECT_TRUE(profile->backup.source.one_file_system);
  EXPECT_FALSE(profile->backup.source.exclude_caches);
  EXPECT_EQ(profile->access.lock_wait, std::chrono::seconds(5));
}

TEST(Profile, NamesTheLineAndTheNearestKeyOfOneThatThereIsNot) {
  const std::string error = error_of(std::string(kGood) + "exlude = [\"*.o\"]\n");
  EXPECT_NE(error.find("p.toml, line 3"), std::string::npos) << error;
  EXPECT_NE(error.find("\"exclude\"?"), std::string::npos) << error;
}

TEST(Profile, SuggestsNothingWhereNothingIsNear) {
  const std::string error = error_of(std::string(kGood) + "colour = \"red\"\n");
  EXPECT_NE(error.find("\"colour\""), std::string::npos) << error;
  EXPECT_EQ(error.find("did you mean"), std::string::npos) << error;
}

TEST(Profile, RefusesValuesOfAnotherType) {
  EXPECT_NE(error_of(std::string(kGood) + "tags = \"a\"\n").find("line 3"), std::string::npos);
  EXPECT_NE(error_of(std::string(kGood) + "tags = [1]\n").find("line 3"), std::string::npos);
  EXPECT_NE(error_of(std::string(kGood) + "exclude_caches = 1\n").find("line 3"),
            std::string::npos);
  EXPECT_NE(error_of(std::string(kGood) + "lock_wait_s = -1\n").find("line 3"), std::string::npos);
}

TEST(Profile, RefusesWhatIsNoToml) {
  EXPECT_NE(error_of("repository = \n").find("p.toml, line 1"), std::string::npos);
}

TEST(Profile, RefusesMissingKeysAndRelativePaths) {
  EXPECT_NE(error_of("paths = [\"/home\"]\n").find("repository"), std::string::npos);
  EXPECT_NE(error_of("repository = \"/r\"\n").find("paths"), std::string::npos);
  EXPECT_NE(error_of("repository = \"/r\"\npaths = [\"home\"]\n").find("not absolute"),
            std::string::npos);
}

TEST(Profile, IsFoundByNameOrPath) {
  EXPECT_EQ(profile_path("home"), "/etc/holdfast/home.toml");
  EXPECT_EQ(profile_path("./home"), "./home");
  EXPECT_EQ(profile_path("home.toml"), "home.toml");
}

TEST(NearestWord, IsTheOneWithTheFewestChanges) {
  const std::vector<std::string> words{"exclude", "exclude_files", "host", "paths"};
  EXPECT_EQ(nearest_word("exclud", words), "exclude");
  EXPECT_EQ(nearest_word("exclude-files", words), "exclude_files");
  EXPECT_EQ(nearest_word("path", words), "paths");
  EXPECT_EQ(nearest_word("compression", words), "");
}

TEST(Profile, SaysHowDeepAVerificationReads) {
  const auto part =
      parse_profile(std::string(kGood) + "[verify]\nread_data_subset = \"5%\"\n", "p.toml");
  ASSERT_TRUE(part) << part.error().message();
  EXPECT_EQ(part->verify.subset, "5%");
  EXPECT_FALSE(part->verify.read_data);
  EXPECT_EQ(error_of(std::string(kGood) + "[verify]\nread_date = true\n"),
            "p.toml, line 4: there is no key \"verify.read_date\"; did you mean \"read_data\"?");
  EXPECT_EQ(error_of(std::string(kGood) +
                     "[verify]\nread_data = true\nread_data_subset = \"5%\"\n"),
            "p.toml: verify has read_data or read_data_subset, not both");
}

}  // namespace
}  // namespace holdfast::cli
