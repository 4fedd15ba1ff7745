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

TEST(Profile, HoldsEveryKey) {
  const auto profile = parse_profile(
      "repository = \"/r\"\npassphrase_file = \"/p\"\npassphrase_command = \"cat p\"\n"
      "lock_wait_s = 7\nretry_s = 8\npaths = [\"/a\"]\nfiles_from = [\"/f\"]\n"
      "files_from0 = [\"/f0\"]\nexclude = [\"e\"]\niexclude = [\"ie\"]\n"
      "exclude_files = [\"/ef\"]\nexclude_if_present = [\".skip\", \"T:head\"]\n"
      "exclude_larger_than = \"10M\"\nexclude_caches = true\none_file_system = true\n"
      "tags = [\"t\"]\nhost = \"h\"\nlimit_upload_kib_s = 9\nlimit_download_kib_s = 10\n"
      "receipt = \"/x/receipt\"\nmetrics_textfile = \"/x/home.prom\"\n"
      "[hooks]\nbefore = \"mount /x\"\nafter = [\"/bin/echo\", \"a b\"]\nfailure = \"f\"\n"
      "timeout_s = 11\n",
      "p.toml");
  ASSERT_TRUE(profile) << profile.error().message();
  using Texts = std::vector<std::string>;
  EXPECT_EQ(profile->access.passphrase.file, "/p");
  EXPECT_EQ(profile->access.passphrase.command, "cat p");
  EXPECT_EQ(profile->retry, std::chrono::seconds(8));
  const SourceOptions& source = profile->backup.source;
  EXPECT_EQ(source.files_from, Texts{"/f"});
  EXPECT_EQ(source.files_from0, Texts{"/f0"});
  EXPECT_EQ(source.excludes_in_any_case, Texts{"ie"});
  EXPECT_EQ(source.exclude_files, Texts{"/ef"});
  EXPECT_EQ(source.exclude_if_present, (Texts{".skip", "T:head"}));
  EXPECT_EQ(source.exclude_larger_than, "10M");
  EXPECT_TRUE(source.exclude_caches && source.absolute_only);
  EXPECT_EQ(profile->access.upload_kib_s, 9U);
  EXPECT_EQ(profile->access.download_kib_s, 10U);
  EXPECT_EQ(profile->receipt, "/x/receipt");
  EXPECT_EQ(profile->metrics_textfile, "/x/home.prom");
  EXPECT_EQ(profile->hooks.before, (Texts{"/bin/sh", "-c", "mount /x"}));
  EXPECT_EQ(profile->hooks.after, (Texts{"/bin/echo", "a b"}));
  EXPECT_EQ(profile->hooks.timeout, std::chrono::seconds(11));
}

TEST(Profile, SavesAStreamInsteadOfPaths) {
  const auto profile = parse_profile(
      "repository = \"/r\"\nstdin_from_command = [\"pg_dumpall\", \"-c\"]\n"
      "stdin_filename = \"all.sql\"\n",
      "p.toml");
  ASSERT_TRUE(profile) << profile.error().message();
  EXPECT_EQ(profile->backup.source.stdin_command, (std::vector<std::string>{"pg_dumpall", "-c"}));
  EXPECT_EQ(profile->backup.source.stdin_filename, "all.sql");
}

TEST(Profile, KeysOfATableAreCheckedAsThoseOfTheFile) {
  const std::string unknown = error_of(std::string(kGood) + "[hooks]\nbefor = \"true\"\n");
  EXPECT_NE(unknown.find("p.toml, line 4"), std::string::npos) << unknown;
  EXPECT_NE(unknown.find("\"hooks.befor\"; did you mean \"before\"?"), std::string::npos)
      << unknown;
  const std::string type = error_of(std::string(kGood) + "[hooks]\ntimeout_s = 0\n");
  EXPECT_NE(type.find("line 4: hooks.timeout_s"), std::string::npos) << type;
  EXPECT_NE(error_of(std::string(kGood) + "hooks = 5\n").find("is a table"), std::string::npos);
  EXPECT_NE(error_of(std::string(kGood) + "[hook]\n").find("\"hooks\"?"), std::string::npos);
  // A table is no place for the file's own keys.
  EXPECT_NE(error_of(std::string(kGood) + "[hooks]\npaths = [\"/a\"]\n").find("line 4"),
            std::string::npos);
}

TEST(Profile, EveryKeyRefusesValuesOfAnotherType) {
  for (const char* line : {"repository = 5",
                           "repository = \"\"",
                           "passphrase_file = [\"/p\"]",
                           "passphrase_command = true",
                           "lock_wait_s = \"5\"",
                           "retry_s = 1.5",
                           "retry_s = 1000001",
                           "files_from = \"/f\"",
                           "files_from0 = [5]",
                           "iexclude = \"x\"",
                           "exclude_files = [true]",
                           "exclude_if_present = \"x\"",
                           "exclude_larger_than = -1",
                           "exclude_larger_than = \"1 M\"",
                           "exclude_larger_than = 1.5",
                           "one_file_system = \"yes\"",
                           "stdin_from_command = []",
                           "stdin_from_command = [\"a\", 5]",
                           "stdin_from_command = \"\"",
                           "stdin_filename = 5",
                           "host = [\"h\"]",
                           "limit_upload_kib_s = -1",
                           "limit_download_kib_s = \"1M\"",
                           "limit_upload_kib_s = 4294967297",
                           "receipt = true",
                           "metrics_textfile = 5",
                           "metrics_textfile = \"relative.prom\"",
                           "[hooks]\nafter = 5",
                           "[hooks]\nfailure = [5]"}) {
    const std::string error = error_of("# one line\n" + std::string(line) + "\n");
    const std::string at = std::string("p.toml, line ") + (line[0] == '[' ? "3: hooks." : "2: ");
    EXPECT_EQ(error.find(at), 0U) << line << ": " << error;
  }
}

TEST(Profile, IsNamedAfterItsFile) {
  EXPECT_EQ(profile_name("home"), "home");
  EXPECT_EQ(profile_name("/x/y/home.toml"), "home");
  EXPECT_EQ(profile_name("./ho.me"), "ho");
}

TEST(Profile, RefusesWhatIsNoToml) {
  EXPECT_NE(error_of("repository = \n").find("p.toml, line 1"), std::string::npos);
}

TEST(Profile, RefusesMissingPathsAndRelativeOnes) {
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
  EXPECT_EQ(
      error_of(std::string(kGood) + "[verify]\nread_data = true\nread_data_subset = \"5%\"\n"),
      "p.toml: verify has read_data or read_data_subset, not both");
}

TEST(Profile, RefusesEmptyTextsAndSizesBelowNothing) {
  for (const char* line :
       {"host = \"\"", "host = 7", "repository = \"\"", "repository = 7", "tags = [\"\"]",
        "tags = [7]", "tags = \"a\"", "exclude_larger_than = -1", "exclude_larger_than = \"-1\"",
        "exclude_larger_than = 1.5", "[hooks]\nbefore = \"\"", "[hooks]\nbefore = []"}) {
    const auto profile = parse_profile(std::string("paths = [\"/a\"]\n") + line + "\n", "p.toml");
    EXPECT_FALSE(profile) << line;
  }
  EXPECT_EQ(parse_profile("paths = [\"/a\"]\nexclude_larger_than = 0\n", "p.toml")
                ->backup.source.exclude_larger_than,
            "0");
}

TEST(Profile, MayHaveItsPathsFromAnyOneSource) {
  for (const char* line : {"paths = [\"/a\"]", "files_from = [\"/a\"]", "files_from0 = [\"/a\"]",
                           "stdin_from_command = \"cat\""})
    EXPECT_TRUE(parse_profile(line, "p.toml")) << line;
  EXPECT_FALSE(parse_profile("host = \"a\"", "p.toml"));
}

TEST(Profile, VerifiesAllOrAPartAndNotBoth) {
  const auto parses = [](const std::string& verify) {
    return parse_profile("paths = [\"/a\"]\n[verify]\n" + verify, "p.toml").has_value();
  };
  EXPECT_TRUE(parses("read_data = true"));
  EXPECT_TRUE(parses("read_data_subset = \"5%\""));
  EXPECT_TRUE(parses("read_data = false\nread_data_subset = \"5%\""));
  EXPECT_FALSE(parses("read_data = true\nread_data_subset = \"5%\""));
}

}  // namespace
}  // namespace holdfast::cli
