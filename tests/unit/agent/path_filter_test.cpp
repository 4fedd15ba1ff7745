#include "agent/path_filter.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace holdfast::agent {
namespace {

struct Case {
  std::vector<std::string> patterns;
  std::string path;
  bool matches;
};

PathFilter filter(const std::vector<std::string>& patterns) {
  auto parsed = PathFilter::parse(patterns);
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message());
  return parsed ? *parsed : PathFilter();
}

void expect_all(const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    std::string patterns;
    for (const std::string& pattern : one.patterns) patterns += " " + pattern;
    EXPECT_EQ(filter(one.patterns).matches(one.path), one.matches)
        << "patterns" << patterns << ", path " << one.path;
  }
}

TEST(PathFilter, RelativePatternMatchesAtAnyDepthAtComponentBorders) {
  expect_all({
      {{"foo"}, "foo", true},
      {{"foo"}, "home/ann/foo", true},
      {{"foo"}, "home/foo/ann", true},
      {{"foo"}, "home/foobar", false},
      {{"foo"}, "home/barfoo", false},
      {{"foo/bar"}, "a/foo/bar", true},
      {{"foo/bar"}, "a/foo/bar/b", true},
      {{"foo/bar"}, "a/foo/x/bar", false},
      {{"foo/bar"}, "foo/foo/bar", true},
      {{"foo/"}, "a/foo", true},
      {{"./foo"}, "a/foo", true},
      {{"foo"}, "", false},
  });
}

TEST(PathFilter, LeadingSlashAnchorsAtTheRoot) {
  expect_all({
      {{"/foo"}, "foo", true},
      {{"/foo"}, "foo/bar", true},
      {{"/foo"}, "a/foo", false},
      {{"/foo/bar"}, "foo", false},
      {{"/foo/*"}, "foo", false},
      {{"/foo/*"}, "foo/x", true},
      {{"/home/*/cache"}, "home/ann/cache/x", true},
      {{"/home/*/cache"}, "home/ann/b/cache", false},
      {{"/"}, "", true},
      {{"/"}, "anything", true},
  });
}

TEST(PathFilter, StarStaysWithinOneComponent) {
  expect_all({
      {{"*.o"}, "src/main.o", true},
      {{"*.o"}, "src/main.c", false},
      {{"*.o"}, "a.o/b", true},
      {{"a*z"}, "az", true},
      {{"a*z"}, "a/z", false},
      {{"*"}, "anything/at/all", true},
      {{"*a*b*"}, "xxaxxbxx", true},
      {{"*a*b*"}, "xxbxxaxx", false},
      {{"a*ab"}, "aaab", true},
      {{"/*/x"}, "a/x", true},
      {{"/*/x"}, "a/b/x", false},
  });
}

TEST(PathFilter, DoubleStarSpansAnyNumberOfComponents) {
  expect_all({
      {{"/a/**/z"}, "a/z", true},
      {{"/a/**/z"}, "a/b/c/z", true},
      {{"/a/**/z"}, "b/a/z", false},
      {{"/**/z"}, "q/r/z", true},
      {{"/a/**/m/**/z"}, "a/1/m/2/3/z/below", true},
      {{"/a/**/m/**/z"}, "a/1/2/3/z", false},
      {{"/a/**/b/c"}, "a/b/x/b/c", true},
      {{"a/**/**/z"}, "q/a/z", true},
      {{"foo/**"}, "x/foo/y", true},
      {{"/a/x**y"}, "a/xzzy", true},  // not a component of its own: like one star
      {{"/a/x**y"}, "a/x/y", false},
  });
}

TEST(PathFilter, QuestionMarkAndSetsTakeOneCharacter) {
  expect_all({
      {{"?"}, "a", true},
      {{"/?"}, "ab", false},
      {{"/?"}, "\xc3\xa9", true},  // e with an accent
      {{"/??"}, "\xc3\xa9", false},
      {{"/??"}, "\xff\xfe", true},         // not UTF-8: bytes
      {{"/?"}, "\xe2\x82\xac", true},      // the euro sign
      {{"/?"}, "\xf0\x9f\x98\x80", true},  // a face
      {{"/?"}, "\xf8\x88\x80\x80", false},
      {{"/??"}, "\x80\xc1", true},  // neither begins a character
      {{"/???"}, "\xe2\x82x", true},
      {{"/??"}, "\xe2\x82", true},
      {{"/[\x80-\xff]"}, "\xc1", true},
      {{"/[a-c]x"}, "bx", true},
      {{"/[a-c]x"}, "dx", false},
      {{"/[^a-c]x"}, "dx", true},
      {{"/[!a-c]x"}, "bx", false},
      {{"/[\xc3\xa0-\xc3\xbf]"}, "\xc3\xa9", true},
      {{"/[\\]]"}, "]", true},
      {{"/[a\\-c]"}, "b", false},
      {{"/[a\\-c]"}, "-", true},
  });
}

TEST(PathFilter, BackslashTakesTheMeaningAway) {
  expect_all({
      {{"/\\*"}, "*", true},
      {{"/\\*"}, "a", false},
      {{"/a\\?b*"}, "a?bc", true},
      {{"\\!x"}, "!x", true},
  });
}

TEST(PathFilter, LaterNegationTakesBackAndLaterPatternTakesAgain) {
  expect_all({
      {{"*.o", "!keep.o"}, "src/keep.o", false},
      {{"*.o", "!keep.o"}, "src/other.o", true},
      {{"!keep.o", "*.o"}, "src/keep.o", true},
      {{"/a/*", "!/a/keep"}, "a/keep/inner", false},
      {{"/a/*", "!/a/keep", "/a/keep/secret"}, "a/keep/secret/x", true},
      {{"!x"}, "x", false},
  });
}

TEST(PathFilter, MatchesNamesThatAreNoText) {
  expect_all({
      {{"a\nb"}, "x/a\nb", true},
      {{"*\nb"}, "x/a\nb", true},
      {{"\xff*"}, "x/\xff\xfe", true},
  });
}

TEST(PathFilter, MalformedPatternsAreRefusedByName) {
  for (const std::string pattern : {"", "!", "[", "[a", "[]", "[^]", "[b-a]", "[a-]", "[a-",
                                    "[a-\\", "[\\", "a\\", "a/../b", "."}) {
    const auto parsed = PathFilter::parse({"fine", pattern});
    ASSERT_FALSE(parsed) << pattern;
    EXPECT_EQ(parsed.error().code(), Code::kInvalidArgument);
    EXPECT_NE(parsed.error().message().find("\"" + pattern + "\""), std::string::npos);
  }
}

// Behind it, the rest of the pattern would have counted for nothing.
TEST(PathFilter, APatternWithANulByteIsRefused) {
  const auto parsed = PathFilter::parse({std::string("a\0b", 3)});
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code(), Code::kInvalidArgument);
}

TEST(PathFilter, SaysWhereNothingCanMatchAnyMore) {
  const auto may = [](const std::string& pattern, const std::string& folder) {
    return filter({pattern}).may_match_below(folder);
  };
  EXPECT_TRUE(may("/home/ann/x", ""));
  EXPECT_TRUE(may("/home/ann/x", "home"));
  EXPECT_TRUE(may("/home/ann/x", "home/ann/x/deeper"));
  EXPECT_FALSE(may("/home/ann/x", "var"));
  EXPECT_FALSE(may("/home/ann/x", "home/bob"));
  EXPECT_TRUE(may("/home/*/x", "home/bob"));
  EXPECT_TRUE(may("/home/**/x", "home/bob/deep/er"));
  EXPECT_TRUE(may("x", "any/where"));
  EXPECT_FALSE(filter({"!x"}).may_match_below("any"));
}

TEST(PathFilter, ManyStarsTakeNoExponentialTime) {
  std::string pattern, name(200, 'a');
  for (int i = 0; i < 50; ++i) pattern += "a*";
  EXPECT_FALSE(matches_wildcard(pattern + "b", name));
  std::string deep, folders;
  for (int i = 0; i < 30; ++i) deep += "/**/a";
  for (int i = 0; i < 200; ++i) folders += "a/";
  EXPECT_FALSE(filter({deep + "/b"}).matches(folders + "c"));
}

TEST(PathFilterError, APatternWithControlCharactersIsNamedSafely) {
  const auto parsed = PathFilter::parse({"\x1b[31m["});
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().message().find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace holdfast::agent
