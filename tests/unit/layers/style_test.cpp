// The part of the style that a machine can see and neither the compiler nor the linters do.
#include <gmock/gmock.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>
#include <vector>

#include "tests/testing/source_tree.h"

namespace holdfast::testing {
namespace {

constexpr std::size_t kMostLines = 500;      // the guide is 400
constexpr std::size_t kMostTestLines = 650;  // a table of cases may be long
constexpr std::size_t kMostColumns = 100;

// Names that say nothing of what a thing is: no file, and no type or namespace, is called so.
const std::vector<std::string_view> kEmptyNames = {"util",    "utils",    "helper", "helpers",
                                                   "manager", "managers", "misc"};

// Marks of work that is not finished, cut in two so that this file has none.
const std::vector<std::string> kUnfinished = {std::string("TO") + "DO", std::string("FIX") + "ME",
                                              std::string("GTEST") + "_SKIP();"};

struct Banned {
  std::string_view name;
  std::string_view instead;
};

const std::vector<Banned> kBannedCalls = {
    {"sleep_for", "wait for the event: a timer of the loop, a condition"},
    {"sleep_until", "wait for the event: a timer of the loop, a condition"},
    {"usleep", "wait for the event"},
    {"nanosleep", "wait for the event"},
    {"strcpy", "std::string"},
    {"strcat", "std::string"},
    {"strtok", "std::string_view"},
    {"sprintf", "fmt::format"},
    {"vsprintf", "fmt::format"},
    {"gets", "std::getline"},
    {"rand", "Random"},
    {"srand", "Random"},
    {"uniform_int_distribution", "Random::below: the same numbers with every library"},
    {"uniform_real_distribution", "Random"},
    {"default_random_engine", "Random"},
    {"random_shuffle", "Random::below"},
    {"system", "posix_spawn, in a shell"},
    {"popen", "posix_spawn, in a shell"},
    {"assert", "check: it holds in release too"},
    {"localtime", "localtime_r: the other shares one buffer between threads"},
    {"gmtime", "gmtime_r: the other shares one buffer between threads"},
    {"strerror", "error_from_errno"},
};

bool is_word_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

// Whether `word` stands in `line` as a word of its own; with `called`, followed by '(', '<' or '{'.
bool has_word(std::string_view line, std::string_view word, bool called = false) {
  for (auto at = line.find(word); at != std::string_view::npos; at = line.find(word, at + 1)) {
    const auto after = line.find_first_not_of(' ', at + word.size());
    const bool starts = at == 0 || !is_word_character(line[at - 1]);
    const bool ends = at + word.size() == line.size() || !is_word_character(line[at + word.size()]);
    const bool is_call =
        after != std::string_view::npos && std::string_view("(<{").find(line[after]) < 3;
    if (starts && ends && (!called || is_call)) return true;
  }
  return false;
}

// A line of C++ without comments and without what stands in quotes.
std::string code_of(std::string_view line) {
  std::string code;
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote != 0) {
      if (c == '\\') ++i;
      if (c == quote) quote = 0;
    } else if (c == '"' || (c == '\'' && (i == 0 || !is_word_character(line[i - 1])))) {
      quote = c;  // a quote behind a digit separates digits
    } else if (line.substr(i, 2) == "//") {
      break;
    } else {
      code += c;
    }
  }
  return code;
}

bool is_cpp(const std::string& path) { return path.ends_with(".h") || path.ends_with(".cpp"); }

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

// The last word of a name: "manager" of cache_manager.h, CacheManager and cache_manager.
bool has_empty_name(std::string_view name) {
  const auto lowered = lower(name);
  return std::any_of(kEmptyNames.begin(), kEmptyNames.end(), [&](const auto empty) {
    if (!lowered.ends_with(empty)) return false;
    const auto at = lowered.size() - empty.size();
    return at == 0 || lowered[at - 1] == '_' || std::isupper(static_cast<unsigned char>(name[at]));
  });
}

using Faults = std::vector<std::string>;

Faults faults_of_length(const SourceFile& file) {
  Faults faults;
  if (file.path.ends_with(".txt")) return faults;  // CMake's declarations are one line each
  if (file.lines.size() > (file.path.starts_with("tests/") ? kMostTestLines : kMostLines))
    faults.push_back(file.path + ": " + std::to_string(file.lines.size()) + " lines");
  for (std::size_t i = 0; i < file.lines.size(); ++i) {
    const auto columns = std::count_if(file.lines[i].begin(), file.lines[i].end(), [](char c) {
      return (static_cast<unsigned char>(c) & 0xC0) != 0x80;  // not the inside of a UTF-8 character
    });
    if (static_cast<std::size_t>(columns) > kMostColumns)
      faults.push_back(file.path + ":" + std::to_string(i + 1) + ": too wide");
  }
  return faults;
}

Faults faults_of_words(const SourceFile& file) {
  Faults faults;
  for (std::size_t i = 0; i < file.lines.size(); ++i) {
    const auto where = file.path + ":" + std::to_string(i + 1) + ": ";
    const bool is_disabled = file.lines[i].find(
                                 "DISABLED"
                                 "_") != std::string::npos;
    for (const auto& mark : kUnfinished)
      if (has_word(file.lines[i], mark)) faults.push_back(where + mark);
    if (is_disabled) faults.push_back(where + "a test that does not run");
    if (!is_cpp(file.path)) continue;
    const auto code = code_of(file.lines[i]);
    for (const auto& banned : kBannedCalls)
      if (has_word(code, banned.name, true))
        faults.push_back(where + std::string(banned.name) +
                         "; instead: " + std::string(banned.instead));
  }
  return faults;
}

Faults faults_of_names(const SourceFile& file) {
  Faults faults;
  std::string_view rest = file.path;
  rest = rest.substr(0, rest.rfind('.'));
  while (!rest.empty()) {
    const auto slash = std::min(rest.find('/'), rest.size());
    if (has_empty_name(rest.substr(0, slash))) faults.push_back(file.path + ": an empty name");
    rest.remove_prefix(std::min(slash + 1, rest.size()));
  }
  if (!is_cpp(file.path)) return faults;
  for (const auto& line : file.lines) {
    const auto code = code_of(line);
    for (const std::string_view keyword : {"class ", "struct ", "namespace ", "using "}) {
      const auto at = code.find(keyword);
      if (at == std::string::npos) continue;
      const auto start = at + keyword.size();
      std::size_t end = start;
      while (end < code.size() && is_word_character(code[end])) ++end;
      const auto name = code.substr(start, end - start);
      if (has_empty_name(name)) faults.push_back(file.path + ": an empty name: " + name);
    }
  }
  return faults;
}

Faults faults_of_opening(const SourceFile& file) {
  if (!file.path.ends_with(".h")) return {};
  const auto first_code =
      std::find_if(file.lines.begin(), file.lines.end(),
                   [](const std::string& line) { return !line.starts_with("//"); });
  if (first_code == file.lines.begin()) return {file.path + ": no comment at the top"};
  if (first_code == file.lines.end() || *first_code != "#pragma once")
    return {file.path + ": no #pragma once under the opening comment"};
  return {};
}

template <typename Rule>
Faults all(Rule rule) {
  static const auto files = read_sources({"common", "agent", "repository", "cli", "tests"},
                                         {".h", ".cpp", ".proto", ".py", ".sh", "/CMakeLists.txt"});
  Faults faults;
  for (const auto& file : files)
    for (auto& fault : rule(file)) faults.push_back(std::move(fault));
  return faults;
}

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(Style, FilesAndLinesAreShort) { EXPECT_THAT(all(faults_of_length), IsEmpty()); }
TEST(Style, NothingIsLeftUnfinishedOrBanned) { EXPECT_THAT(all(faults_of_words), IsEmpty()); }
TEST(Style, NamesSayWhatAThingIs) { EXPECT_THAT(all(faults_of_names), IsEmpty()); }
TEST(Style, AHeaderOpensWithItsContract) { EXPECT_THAT(all(faults_of_opening), IsEmpty()); }

TEST(StyleRule, LongFilesAndWideLinesAreSeen) {
  EXPECT_THAT(faults_of_length({"a.h", std::vector<std::string>(kMostLines + 1)}), SizeIs(1));
  EXPECT_THAT(faults_of_length({"a.h", {std::string(kMostColumns + 1, '-')}}),
              ElementsAre("a.h:1: too wide"));
  std::string accents;
  for (std::size_t i = 0; i < kMostColumns; ++i) accents += "é";
  EXPECT_THAT(faults_of_length({"a.h", {accents}}), IsEmpty());
}

TEST(StyleRule, BannedCallsAreSeenInCodeOnly) {
  EXPECT_THAT(faults_of_words({"a.cpp", {"std::this_thread::sleep_for(1s);"}}), SizeIs(1));
  EXPECT_THAT(faults_of_words({"a.cpp", {"std::uniform_int_distribution<int> d;"}}), SizeIs(1));
  EXPECT_THAT(faults_of_words({"a.cpp", {"std::snprintf(b, 1'000, \"%s\", s);"}}), IsEmpty());
  EXPECT_THAT(faults_of_words({"a.cpp", {"char q = '\"'; rand();"}}), SizeIs(1));
  EXPECT_THAT(faults_of_words({"a.cpp", {"f(\"rand()\");  // rand()"}}), IsEmpty());
  EXPECT_THAT(faults_of_words({"a.cpp", {"static_assert(true);"}}), IsEmpty());
}

TEST(StyleRule, UnfinishedWorkIsSeenInComments) {
  EXPECT_THAT(faults_of_words({"a.py", {"# " + kUnfinished[0] + ": later"}}), SizeIs(1));
  EXPECT_THAT(faults_of_words({"a.cpp",
                               {"TEST(A, DISABLED"
                                "_B) {"}}),
              SizeIs(1));
}

TEST(StyleRule, EmptyNamesAreSeen) {
  EXPECT_THAT(faults_of_names({"agent/string_util.h", {}}), SizeIs(1));
  EXPECT_THAT(faults_of_names({"agent/misc/a.h", {}}), SizeIs(1));
  EXPECT_THAT(faults_of_names({"agent/a.h", {"class SessionManager final : X {"}}), SizeIs(1));
  EXPECT_THAT(faults_of_names({"agent/futile.h",
                               {"struct Util"
                                "isation {"}}),
              IsEmpty());
}

TEST(StyleRule, AHeaderWithoutItsOpeningIsSeen) {
  EXPECT_THAT(faults_of_opening({"a.h", {"// Why.", "#pragma once"}}), IsEmpty());
  EXPECT_THAT(faults_of_opening({"a.h", {"#pragma once"}}), SizeIs(1));
  EXPECT_THAT(faults_of_opening({"a.h", {"// Why.", "#include <map>"}}), SizeIs(1));
}

}  // namespace
}  // namespace holdfast::testing
