#include "cli/reference/manual_page.h"

#include <gmock/gmock.h>

#include <set>

#include "tests/testing/source_tree.h"
#include "tests/unit/cli/reference/program_descriptions.h"

namespace holdfast::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Result<CommandReference> program_named(const std::string& name) {
  for (CommandReference& program : testing::all_programs())
    if (program.name == name) return std::move(program);
  return Error(Code::kNotFound, "no such program");
}

TEST(ManualPage, IsFilledInWithWhatTheProgramSays) {
  const auto page = manual_page(
      "@command holdfast key export\n# SYNOPSIS\n@synopsis\n@options\n@program-options\nText.\n",
      program_named);
  ASSERT_TRUE(page) << page.error().message();
  EXPECT_THAT(*page, AllOf(HasSubstr("# SYNOPSIS\n*holdfast key export* [_options_...]\n"),
                           HasSubstr("*\\-o*, *\\-\\-output* _FILE_\n\tThe file"),
                           HasSubstr("*\\-\\-repo* _REPO_"), HasSubstr("Text.\n")));
}

TEST(ManualPage, SaysWhichLineIsWrong) {
  const auto error_of = [](std::string_view text) {
    const auto page = manual_page(text, program_named);
    return page ? "" : page.error().message();
  };
  EXPECT_THAT(error_of("@command holdfast key lose\n"), HasSubstr("@command holdfast key lose"));
  EXPECT_THAT(error_of("@command nothing\n"), HasSubstr("no such program"));
  EXPECT_THAT(error_of("@options\n"), HasSubstr("@options"));
  EXPECT_THAT(error_of("@command holdfast\n@opitons\n"), HasSubstr("@opitons"));
}

TEST(ManualPage, IsThereForEveryCommandAndCanBeFilledIn) {
  std::set<std::string> pages;
  for (const testing::SourceFile& source : testing::read_sources({"docs/man"}, {".scd"})) {
    std::string text;
    for (const std::string& line : source.lines) text += line + "\n";
    const auto page = manual_page(text, program_named);
    EXPECT_TRUE(page) << source.path << ": " << page.error().message();
    const std::string name = source.path.substr(std::string("docs/man/").size());
    pages.insert(name.substr(0, name.size() - std::string(".1.scd").size()));
  }
  std::vector<std::string> wanted;
  const std::vector<CommandReference> programs = testing::all_programs();
  testing::collect_leaves(programs[0], "holdfast", wanted);
  // The commands of these have a section each.
  for (const CommandReference& program : programs) wanted.push_back(program.name);
  for (const std::string& name : wanted) EXPECT_TRUE(pages.contains(name)) << name;
}

TEST(ManualPage, ShowsEveryCharacterAsItIs) {
  CommandReference program;
  program.name = "p";
  OptionReference option;
  option.names = {"--it"};
  option.value = "N";
  option.description = "\\ * _ # [ | . ! ~ < - two\nlines";
  option.default_value = "1.5";
  program.options.push_back(option);
  option.names = {"--flag"};
  option.value = "";
  option.description = "";
  program.options.push_back(option);
  option.names = {"--end"};
  option.description = "Ends itself!";
  program.options.push_back(option);
  const auto page =
      manual_page("@command  p\n@options\n",
                  [&](const std::string&) -> Result<CommandReference> { return program; });
  ASSERT_TRUE(page) << page.error().message();
  EXPECT_EQ(*page,
            "*\\-\\-it* _N_\n\t"
            "\\\\ \\* \\_ \\# \\[ \\| \\. \\! \\~ \\< \\- two lines."
            " The default is 1\\.5.\n\n"
            "*\\-\\-flag*\n\t\n\n"
            "*\\-\\-end*\n\tEnds itself\\!\n\n");
}

TEST(ManualPage, SaysThatALineHasTooManyOrTooFewWords) {
  for (const char* text : {"@command\n", "@command holdfast\n@program-options more\n",
                           "@command holdfast\n@synopsis more\n", "@command holdfast\n@command\n"})
    EXPECT_FALSE(manual_page(text, program_named)) << text;
}

}  // namespace
}  // namespace holdfast::cli
