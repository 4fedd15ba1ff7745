// The programs' command lines from their words to their exit codes.
#include "cli/command_line.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "cli/agent_command_line.h"
#include "tests/unit/cli/command_fixture.h"
#include "tests/unit/cli/redirected.h"

namespace holdfast::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class CommandLine : public CommandTest {
 protected:
  using Program = int (*)(int, char**, Output&, const char*);

  void SetUp() override {
    ::unsetenv("HOLDFAST_REPOSITORY");
    make_repository_with_a_snapshot();
  }
  Outcome call(Program program, std::vector<std::string> words) {
    words.insert(words.begin(), "program");
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    Output output("program");
    Outcome outcome;
    outcome.code =
        program(static_cast<int>(arguments.size()), arguments.data(), output, "program 1.2.3");
    std::cout.flush();
    std::fflush(stdout);
    outcome.printed = ::testing::internal::GetCapturedStdout();
    outcome.said = outcome.printed + ::testing::internal::GetCapturedStderr();
    return outcome;
  }
  Outcome holdfast(std::vector<std::string> words) {
    words.insert(words.begin(), {"-r", repository_});
    return call(&run_command_line, std::move(words));
  }
  Outcome agent(std::vector<std::string> words) {
    return call(&run_agent_command_line, std::move(words));
  }
  std::string profile(const std::string& text) {
    PosixFileSystem files;
    std::string path = folder() + "/profile.toml";
    EXPECT_TRUE(write_file_atomically(files, path, as_bytes(text)));
    return path;
  }
};

TEST_F(CommandLine, OfARestoreNamesASnapshotOrATime) {
  const std::string target = folder() + "/restored";
  const auto restore = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"restore", "-t", target});
    return holdfast(std::move(words));
  };
  const std::string path = ":" + source() + "/a";
  EXPECT_EQ(restore({}).code, kUsage);
  EXPECT_EQ(restore({path}).code, kUsage);
  EXPECT_EQ(restore({"latest", "--at", "2100-01-01"}).code, kUsage);
  EXPECT_FALSE(std::filesystem::exists(target));
  EXPECT_EQ(restore({path, "--at", "2100-01-01"}).code, kDone);
  EXPECT_TRUE(std::filesystem::exists(target + "/a"));
  EXPECT_EQ(restore({"--at", "2100-01-01"}).code, kDone);
  EXPECT_EQ(restore({"latest" + path}).code, kDone);
  EXPECT_THAT(restore({"--at", "yesterday"}).said, HasSubstr("--at: \"yesterday\" is no time"));
  EXPECT_THAT(restore({"--at", "1999-01-01"}).said, HasSubstr("as old as that"));
  EXPECT_THAT(restore({"latest", "-i", "["}).said, HasSubstr("--include: "));
  EXPECT_THAT(restore({"latest", "-e", "["}).said, HasSubstr("--exclude: "));
  EXPECT_EQ(restore({"latest", "--overwrite", "perhaps"}).code, kUsage);
}

TEST_F(CommandLine, OfARestoreWantsAFolder) {
  const Outcome onto_file = holdfast({"restore", "latest", "-t", source() + "/a"});
  EXPECT_EQ(onto_file.code, kFailed);
  EXPECT_THAT(onto_file.said, HasSubstr("target: "));
  RestoreCommandOptions options;
  options.snapshot = "latest";
  options.target = folder() + "/restored";
  options.overwrite = "perhaps";
  EXPECT_THAT(run([&](Session& session) { return restore(session, options); }).said,
              HasSubstr("--overwrite: always, if-changed, if-newer or never"));
}

TEST_F(CommandLine, SaysWhyThereIsNoSuchRepository) {
  for (const auto& [where, why] : std::vector<std::pair<std::string, std::string>>{
           {"", "no repository given: -r or HOLDFAST_REPOSITORY"},
           {folder() + "/absent", "there is no repository at"},
           {source() + "/a/b", "there is no repository at"},
           {source(), "there is no repository in"}}) {
    repository_ = where;
    const Outcome outcome = run([](Session& session) { return status(session); });
    EXPECT_EQ(outcome.code, kNoSuchRepository) << where;
    EXPECT_THAT(outcome.said, HasSubstr(why));
  }
  repository_ = folder() + "/" + std::string(300, 'x');
  const Outcome too_long = run([](Session& session) { return status(session); });
  EXPECT_EQ(too_long.code, kFailed) << "init could not create one there";
  repository_ = source() + "/a";
  EXPECT_EQ(run([](Session& session) { return status(session); }).code, kFailed);
}

TEST_F(CommandLine, OfAFolderWithSeveralRepositoriesNeedsTheCredential) {
  InitOptions options;
  options.kdf_cost = "low";
  options.nodes = {folder() + "/node"};
  for (const char* name : {"/one", "/two"}) {
    repository_ = folder() + name;
    ASSERT_EQ(run([&](Session& session) { return init(session, options); }).code, kDone);
  }
  EXPECT_EQ(run([](Session& session) { return status(session); }).code, kDone);
  repository_ = folder() + "/node";
  EXPECT_THAT(run([](Session& session) { return status(session); }).said,
              HasSubstr("holds 2 repositories; name one by its credential file"));
}

TEST_F(CommandLine, OfInitRefusesWhatIsThereAndWhatCannotWork) {
  InitOptions options;
  options.kdf_cost = "low";
  const auto said = [&](const std::string& where) {
    repository_ = where;
    return run([&](Session& session) { return init(session, options); }).said;
  };
  EXPECT_THAT(said(""), HasSubstr("init: -r says which folder becomes the repository"));
  EXPECT_THAT(said(source() + "/a"), HasSubstr("exists already"));
  EXPECT_THAT(said(source()), HasSubstr("is not empty"));
  options.write_quorum = 2;
  EXPECT_THAT(said(folder() + "/new"), AllOf(HasSubstr("init: "), HasSubstr("charter")));
  options.nodes = {"word"};
  EXPECT_THAT(said(folder() + "/new.credential"), HasSubstr("neither a folder nor an invitation"));
  options.write_quorum = 0;
  options.nodes = {folder() + "/new"};
  EXPECT_THAT(said(source()), HasSubstr("exists already")) << "a credential is a file";
  ::setenv("HOLDFAST_PASSPHRASE_FILE", "/absent", 1);
  ::unsetenv("HOLDFAST_PASSPHRASE");
  EXPECT_THAT(said(folder() + "/new.credential"), HasSubstr("passphrase file"));
  EXPECT_FALSE(std::filesystem::exists(folder() + "/new.credential"));
}

// Half a GiB of memory and a second or two: for the most careful.
TEST_F(CommandLine, OfInitCanAskForAHighCost) {
  InitOptions options;
  options.kdf_cost = "high";
  repository_ = folder() + "/high";
  ASSERT_EQ(run([&](Session& session) { return init(session, options); }).code, kDone);
  EXPECT_EQ(run(backup_it()).code, kDone);
}

TEST_F(CommandLine, OfABackupSaysWhichListCannotBeRead) {
  EXPECT_THAT(holdfast({"backup", "--files-from", "/absent"}).said, HasSubstr("--files-from: "));
  EXPECT_THAT(holdfast({"backup", "--files-from0", "/absent"}).said, HasSubstr("--files-from0: "));
  EXPECT_THAT(holdfast({"backup", source(), "--exclude-file", "/absent"}).said,
              HasSubstr("--exclude-file: "));
  const Descriptor directory(::open("/", O_RDONLY | O_CLOEXEC));
  {
    const Redirected here(stdin, directory.get());
    EXPECT_THAT(holdfast({"backup", "--files-from", "-"}).said,
                HasSubstr("--files-from: standard input: Is a directory"));
  }
  std::filesystem::resize_file(source() + "/a", (16 << 20) + 1);
  const Descriptor large(::open((source() + "/a").c_str(), O_RDONLY | O_CLOEXEC));
  const Redirected here(stdin, large.get());
  EXPECT_THAT(holdfast({"backup", "--files-from0", "-"}).said,
              HasSubstr("--files-from0: standard input: larger than 16.0 MiB"));
}

TEST_F(CommandLine, OfTheAgentHasItsVersionAndNeedsAProfile) {
  EXPECT_EQ(agent({"--version"}).code, kDone);
  EXPECT_EQ(agent({"--help"}).code, kDone);
  EXPECT_EQ(agent({"nonsense"}).code, kUsage);
  const std::string none = profile("paths = [\"/nowhere\"]\n");
  for (const char* command : {"run", "check", "verify"}) {
    EXPECT_THAT(agent({command, folder() + "/absent.toml"}).said, HasSubstr("profile: "));
    const Outcome outcome = agent({command, none});
    EXPECT_EQ(outcome.code, kFailed);
    EXPECT_THAT(outcome.said, HasSubstr("repository = \"...\" is missing"));
  }
  EXPECT_EQ(agent({"verify", none, "--tag", "x"}).code, kUsage);
}

TEST_F(CommandLine, OfTheAgentShowsAllThatAProfileLeavesOut) {
  const std::string text = fmt::format("repository = \"{}\"\n", repository_);
  const std::string tree = profile(text + "paths = [\"" + source() +
                                   "\"]\nexclude_caches = true\none_file_system = true\n");
  EXPECT_THAT(agent({"check", tree}).printed,
              AllOf(HasSubstr("caches (CACHEDIR.TAG)\n"), HasSubstr("one file system only\n")));
  EXPECT_EQ(agent({"-q", "verify", tree}).code, kDone);
  const std::string stream = profile(text + "stdin_from_command = [\"cat\", \"/a b\"]\n");
  EXPECT_THAT(agent({"check", stream}).printed,
              AllOf(HasSubstr("output of             cat /a b\n"),
                    HasSubstr("would read a stream and save it as /stdin\n")));
}

}  // namespace
}  // namespace holdfast::cli
