// Two types of one name in one namespace compile, link, and run with each other's functions as the
// linker chooses: nothing says so. This reads the source for them.
#include <gmock/gmock.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/testing/source_tree.h"

namespace holdfast::testing {
namespace {

// The word behind `prefix`, if the line begins with it.
std::optional<std::string> word_behind(std::string_view line, std::string_view prefix) {
  if (!line.starts_with(prefix)) return std::nullopt;
  line.remove_prefix(prefix.size());
  constexpr std::string_view kWord =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:";
  return std::string(line.substr(0, line.find_first_not_of(kWord)));
}

// The type that a line at the margin begins to define: a declaration ends in the same line. One for
// some arguments of a template is another beside it.
std::optional<std::string> type_defined(std::string_view line) {
  if (line.ends_with(';') && line.find('{') == std::string_view::npos) return std::nullopt;
  for (const std::string_view keyword :
       {"class [[nodiscard]] ", "enum class ", "class ", "struct "})
    if (const auto name = word_behind(line, keyword)) {
      const bool is_special = line.substr(keyword.size() + name->size()).starts_with('<');
      return is_special ? std::nullopt : name;
    }
  return std::nullopt;
}

// The types that more than one file defines, with these files. What lies in an unnamed namespace is
// its file's own.
std::vector<std::string> types_defined_twice(const std::vector<SourceFile>& files) {
  std::map<std::string, std::vector<std::string>> places;
  for (const SourceFile& file : files) {
    std::vector<std::string> namespaces;
    for (const std::string& line : file.lines) {
      if (const auto opened = word_behind(line, "namespace "); opened && line.ends_with('{'))
        namespaces.push_back(*opened);
      else if (line.starts_with("}  // namespace") && !namespaces.empty())
        namespaces.pop_back();
      else if (const auto type = type_defined(line); type && !namespaces.empty()) {
        std::string name;
        for (const std::string& part : namespaces) name += part.empty() ? file.path : part + "::";
        places[name + *type].push_back(file.path);
      }
    }
  }
  std::vector<std::string> twice;
  for (const auto& [name, paths] : places)
    if (paths.size() > 1) twice.push_back(name + ": " + paths[0] + ", " + paths[1]);
  return twice;
}

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The file of a restore and the file in its target were both RestoredFile: what was compiled
// without inlining called the one's destructor for the other.
TEST(OneDefinition, TwoClassesOfOneNameWereEachDestroyedAsTheOther) {
  EXPECT_THAT(types_defined_twice(
                  read_sources({"common", "agent", "repository", "cli", "tests"}, {".h", ".cpp"})),
              IsEmpty());
}

TEST(OneDefinition, ATypeInTwoFilesIsSeenUnlessItIsOfAnotherNamespace) {
  const SourceFile a{"a.h", {"namespace n {", "class A final : public B {", "};"}};
  EXPECT_THAT(types_defined_twice({a, {"b.h", {"namespace n {", "struct A {};"}}}),
              ElementsAre("n::A: a.h, b.h"));
  EXPECT_THAT(types_defined_twice({a, {"b.h", {"namespace m {", "struct A {"}}}), IsEmpty());
  EXPECT_THAT(types_defined_twice({a, {"b.h", {"namespace n {", "class A;", "struct A::C {"}}}),
              IsEmpty());
  EXPECT_THAT(types_defined_twice({a, {"b.cpp", {"namespace n {", "namespace {", "class A {"}}}),
              IsEmpty());
  EXPECT_THAT(types_defined_twice(
                  {a, {"b.cpp", {"namespace n {", "namespace {", "}  // namespace", "class A {"}}}),
              ElementsAre("n::A: a.h, b.cpp"));
}

}  // namespace
}  // namespace holdfast::testing
