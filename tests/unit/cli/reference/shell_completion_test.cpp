// Bash completions are run by bash, as it would; zsh and fish may not be there, and their files are
// looked at.
#include "cli/reference/shell_completion.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "common/posix/child_process.h"
#include "tests/unit/cli/reference/program_descriptions.h"

namespace holdfast::cli {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// A temporary file with `text`.
class Script {
 public:
  explicit Script(const std::string& text) {
    const int descriptor = ::mkstemp(path_.data());
    EXPECT_EQ(::write(descriptor, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    ::close(descriptor);
  }
  ~Script() { ::unlink(path_.data()); }
  Script(const Script&) = delete;
  Script& operator=(const Script&) = delete;
  const char* path() const { return path_.data(); }

 private:
  std::array<char, 32> path_{"/tmp/holdfast-completion-XXXXXX"};
};

// What bash offers behind `words`, of which the last is being typed.
std::vector<std::string> offered(const CommandReference& program,
                                 const std::vector<std::string>& words) {
  std::string list;
  for (const std::string& word : words) list += "'" + word + "' ";
  std::string function = program.name;
  std::ranges::replace(function, '-', '_');
  const Script script(bash_completion(program) + "COMP_WORDS=(" + list +
                      ")\nCOMP_CWORD=" + std::to_string(words.size() - 1) + "\n_" + function +
                      "\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n");
  const Script output("");
  const Descriptor file(::open(output.path(), O_WRONLY | O_CLOEXEC));
  ChildCommand command;
  command.arguments = {"bash", "-c", std::string("exec bash -u ") + script.path() + " 2>&1"};
  command.output = file.get();
  command.reads_input = false;
  auto bash = ChildProcess::start(command);
  EXPECT_TRUE(bash && (*bash)->wait()) << "there is no bash";
  std::vector<std::string> lines;
  std::ifstream text(output.path());
  for (std::string line; std::getline(text, line);)
    if (!line.empty()) lines.push_back(line);
  return lines;
}

class Completion : public ::testing::Test {
 protected:
  const std::vector<CommandReference> programs_ = testing::all_programs();
  const CommandReference& holdfast_ = programs_[0];
};

TEST_F(Completion, OfBashOffersCommandsOptionsAndTheFewValuesOfAnOption) {
  EXPECT_THAT(offered(holdfast_, {"holdfast", "ba"}), ElementsAre("backup"));
  EXPECT_THAT(offered(holdfast_, {"holdfast", "key", ""}), ElementsAre("export"));
  EXPECT_THAT(offered(holdfast_, {"holdfast", "restore", "--overw"}), ElementsAre("--overwrite"));
  EXPECT_THAT(offered(holdfast_, {"holdfast", "restore", "--overwrite", "if-"}),
              ElementsAre("if-changed", "if-newer"));
  EXPECT_THAT(offered(holdfast_, {"holdfast", "ls", "--tag", ""}), IsEmpty());
}

TEST_F(Completion, OfBashKnowsTheCommandBehindOptionsOfTheProgram) {
  EXPECT_THAT(offered(holdfast_, {"holdfast", "-r", "/srv/x", "verify", "--read"}),
              ElementsAre("--read-data", "--read-data-subset"));
  EXPECT_THAT(offered(holdfast_, {"holdfast", "backup", "--pass"}),
              ElementsAre("--passphrase-file", "--passphrase-command"));
}

TEST_F(Completion, OfBashOffersFilesWherePathsStand) {
  EXPECT_THAT(offered(holdfast_, {"holdfast", "backup", "/et"}), Contains("/etc"));
  EXPECT_THAT(offered(holdfast_, {"holdfast", "-r", "/et"}), Contains("/etc"));
}

TEST_F(Completion, NamesEveryCommandAndOptionInEveryShell) {
  for (const CommandReference& program : programs_) {
    const std::string bash = bash_completion(program), zsh = zsh_completion(program),
                      fish = fish_completion(program);
    for (const CommandReference& command : program.commands) {
      EXPECT_THAT(bash, HasSubstr("'" + command.name + "')"));
      EXPECT_THAT(zsh, HasSubstr("'" + command.name + ":"));
      EXPECT_THAT(fish, HasSubstr("-a " + command.name));
      for (const OptionReference& option : command.options) {
        const std::string& name = option.names.back();
        EXPECT_THAT(bash, HasSubstr(name));
        EXPECT_THAT(zsh, HasSubstr(name + "["));
        EXPECT_THAT(fish, HasSubstr("-l " + name.substr(2)));
      }
    }
  }
}

TEST_F(Completion, LeavesNoQuoteOfADescriptionOpen) {
  CommandReference program;
  program.name = "p";
  program.options.push_back({{"--it"}, "FILE", {}, "It's [a] thing: this", "", "", false, false});
  EXPECT_THAT(zsh_completion(program), HasSubstr("It'\\''s \\[a\\] thing\\: this"));
  EXPECT_THAT(fish_completion(program), HasSubstr("-d 'It'\\''s [a] thing: this'"));
}

TEST_F(Completion, OfZshTakesNoCharacterOfADescriptionForItsOwn) {
  CommandReference program;
  program.name = "p";
  program.options.push_back({{"--it"}, "FILE", {}, "a\\b [c] d:e\nf", "", "", false, false});
  EXPECT_THAT(zsh_completion(program), HasSubstr("a\\\\b \\[c\\] d\\:e f"));
}

}  // namespace
}  // namespace holdfast::cli
