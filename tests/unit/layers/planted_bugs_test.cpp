// Bugs on purpose stand where they cannot reach what ships, and none stands there that nobody looks
// for.
#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/testing/source_tree.h"

namespace holdfast::testing {
namespace {

constexpr std::string_view kMacro = "HOLDFAST_PLANTED(";
constexpr std::string_view kItself = "common/base/planted_bug.h";

// What stands in quotes behind each `opening`, and how often; also where a line was broken.
std::map<std::string, int> names_behind(std::string_view opening, const SourceFile& file) {
  std::string text;
  for (const std::string& line : file.lines)
    text += line.substr(std::min(line.find_first_not_of(' '), line.size()));
  std::map<std::string, int> names;
  const std::string begin = std::string(opening) + '"';
  for (auto at = text.find(begin); at != std::string::npos; at = text.find(begin, at + 1)) {
    const auto name = at + begin.size();
    ++names[text.substr(name, text.find('"', name) - name)];
  }
  return names;
}

std::map<std::string, int> names_in_the_source() {
  std::map<std::string, int> all;
  for (const SourceFile& file : read_sources({"common", "agent", "repository", "cli"}, {".cpp"}))
    for (const auto& [name, count] : names_behind(kMacro, file)) all[name] += count;
  return all;
}

std::vector<std::string> keys(const std::map<std::string, int>& names) {
  std::vector<std::string> all;
  for (const auto& [name, count] : names) all.push_back(name);
  return all;
}

TEST(PlantedBugs, AreThoseOfTheListThatIsProved) {
  const auto lists = read_sources({"tests/planted"}, {"/planted_bugs.cpp"});
  ASSERT_EQ(lists.size(), 1U);
  const auto listed = names_behind("{", lists.front());
  EXPECT_GE(listed.size(), 25U);
  EXPECT_EQ(keys(names_in_the_source()), keys(listed));
}

TEST(PlantedBugs, StandInSourcesNotInHeaders) {
  for (const SourceFile& file : read_sources({"common", "agent", "repository", "cli"}, {".h"})) {
    if (file.path == kItself) continue;
    for (const std::string& line : file.lines)
      EXPECT_EQ(line.find("HOLDFAST_PLANTED"), std::string::npos) << file.path;
  }
}

TEST(PlantedBugs, AreReadFromBrokenLinesToo) {
  const SourceFile file{"a.cpp", {"  if (HOLDFAST_PLANTED(", "          \"a bug\"))"}};
  EXPECT_EQ(keys(names_behind(kMacro, file)), std::vector<std::string>{"a bug"});
}

}  // namespace
}  // namespace holdfast::testing
