#include "cli/reference/command_reference.h"

#include <gmock/gmock.h>

namespace holdfast::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(CommandReference, HasWhatAnOptionSaysOfItself) {
  CLI::App app("What it does.", "program");
  std::string file, level = "normal", address;
  bool flag = false;
  std::vector<std::string> many;
  app.add_option("-f,--file", file, "A file")->type_name("FILE")->required()->envname("THE_FILE");
  app.add_option("--level", level, "How much")
      ->check(CLI::IsMember({"low", "normal"}))
      ->capture_default_str();
  app.add_option("--listen", address, "Where")->type_name("tcp://ADDR:PORT");
  app.add_option("--number", file, "How many")->type_name("N")->check(CLI::Range(1, 64));
  app.add_option("--many", many, "Any number")->type_name("TAG");
  app.add_flag("-q,--quiet", flag, "Says less");

  const CommandReference reference = reference_of(app);
  EXPECT_EQ(reference.name, "program");
  EXPECT_EQ(reference.description, "What it does.");
  ASSERT_EQ(reference.options.size(), 7U);  // --help comes first

  const OptionReference& with_file = reference.options[1];
  EXPECT_THAT(with_file.names, ElementsAre("-f", "--file"));
  EXPECT_EQ(with_file.value, "FILE");
  EXPECT_EQ(with_file.environment, "THE_FILE");
  EXPECT_TRUE(with_file.required);
  EXPECT_FALSE(with_file.repeatable);

  const OptionReference& with_level = reference.options[2];
  EXPECT_EQ(with_level.value, "low|normal");
  EXPECT_THAT(with_level.choices, ElementsAre("low", "normal"));
  EXPECT_EQ(with_level.default_value, "normal");

  EXPECT_EQ(reference.options[3].value, "tcp://ADDR:PORT");
  EXPECT_EQ(reference.options[4].value, "N");
  EXPECT_TRUE(reference.options[5].repeatable);
  EXPECT_EQ(reference.options[6].value, "");
  EXPECT_THAT(reference.options[6].choices, IsEmpty());
}

TEST(CommandReference, HasCommandsWithinCommandsAndTheirOperands) {
  CLI::App app("", "program");
  std::string name;
  CLI::App* const key = app.add_subcommand("key", "Keys");
  key->add_subcommand("export", "Writes them")->add_option("NAME", name, "Which")->required();

  const CommandReference reference = reference_of(app);
  ASSERT_EQ(reference.commands.size(), 1U);
  ASSERT_EQ(reference.commands[0].commands.size(), 1U);
  const CommandReference& exports = reference.commands[0].commands[0];
  EXPECT_EQ(exports.name, "export");
  ASSERT_EQ(exports.operands.size(), 1U);
  EXPECT_THAT(exports.operands[0].names, ElementsAre("NAME"));
  EXPECT_TRUE(exports.operands[0].required);
}

TEST(CommandReference, LeavesOutWhatIsHiddenAndTakesNoOddTypeForChoices) {
  CLI::App app("", "program");
  std::string text;
  app.add_option("--hidden", text, "Not shown")->group("");
  app.add_option("--open", text, "Odd")->type_name("A{B");
  app.add_option("--close", text, "Odd")->type_name("A}B");
  app.add_subcommand("secret", "Not shown")->group("");
  const CommandReference reference = reference_of(app);
  EXPECT_THAT(reference.commands, IsEmpty());
  ASSERT_EQ(reference.options.size(), 3U);  // --help comes first
  EXPECT_THAT(reference.options[1].choices, IsEmpty());
  EXPECT_EQ(reference.options[1].value, "A{B");
  EXPECT_THAT(reference.options[2].choices, IsEmpty());
}

}  // namespace
}  // namespace holdfast::cli
