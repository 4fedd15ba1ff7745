// tests/coverage/explained.txt says of places in the source why no test takes them. What explains a
// line that is gone would explain whatever comes to read alike.
#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "tests/testing/source_tree.h"

namespace holdfast::testing {
namespace {

constexpr std::string_view kBecause = "  because: ";

using Lines = std::vector<std::string>;

// The entries that fit no line of their file, and what is no entry.
std::vector<std::string> stale(const Lines& explained, const std::map<std::string, Lines>& files) {
  std::vector<std::string> wrong;
  const Lines* file = nullptr;
  for (const std::string& line : explained) {
    if (line.empty() || line.starts_with("#")) continue;
    if (!line.starts_with("  ")) {
      const auto found = files.find(line);
      file = found == files.end() ? nullptr : &found->second;
      if (file == nullptr) wrong.push_back(line + ": there is no such file");
      continue;
    }
    const auto because = line.find(kBecause, 2);
    const std::string part = line.substr(2, because - 2);
    const bool is_entry =
        because != std::string::npos && !part.empty() && line.size() > because + kBecause.size();
    const bool fits = file != nullptr && std::ranges::any_of(*file, [&](const std::string& its) {
                        return its.find(part) != std::string::npos;
                      });
    if (!is_entry || !fits) wrong.push_back(part);
  }
  return wrong;
}

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(CoverageExplanations, AreOfLinesThatThereAre) {
  const auto explained = read_sources({"tests/coverage"}, {"/explained.txt"});
  ASSERT_THAT(explained, SizeIs(1));
  std::map<std::string, Lines> files;
  for (SourceFile& file : read_sources({"common", "agent", "repository", "cli"}, {".h", ".cpp"}))
    files[file.path] = std::move(file.lines);
  EXPECT_THAT(stale(explained[0].lines, files), IsEmpty());
}

TEST(CoverageExplanations, OfALineThatIsGoneAreSeen) {
  const std::map<std::string, Lines> files = {{"a.cpp", {"if (x) f();"}}};
  EXPECT_THAT(stale({"# Why.", "", "a.cpp", "  if (x)  because: never"}, files), IsEmpty());
  EXPECT_THAT(stale({"a.cpp", "  if (y)  because: never"}, files), ElementsAre("if (y)"));
  EXPECT_THAT(stale({"b.cpp", "  if (x)  because: never"}, files), SizeIs(2));
  EXPECT_THAT(stale({"a.cpp", "  if (x)"}, files), SizeIs(1));
  EXPECT_THAT(stale({"a.cpp", "  if (x)  because: "}, files), SizeIs(1));
}

}  // namespace
}  // namespace holdfast::testing
