#include "agent/posix/source_paths.h"

#include <gtest/gtest.h>

#include "tests/unit/agent/posix/tree_fixture.h"

namespace holdfast::agent {
namespace {

using SourcePathsScan = TreeFixture;
using Paths = std::vector<std::string>;

TEST_F(SourcePathsScan, AreNormalisedMergedAndVisitedOnce) {
  make_folder("a");
  make_folder("a/b");
  make_file("a/b/file");
  make_folder("c");
  const Scanned scanned =
      scan({at("a/b/"), at("a/./b/../../a//"), at("a/b/file"), at("c"), at("c")});
  ASSERT_TRUE(scanned.status) << scanned.status.error().message();
  EXPECT_EQ(scanned.below(entry_path("")), (Paths{"a", "a/b", "a/b/file", "c"}));
}

TEST_F(SourcePathsScan, OnlyWhatLeadsToThemIsVisitedAbove) {
  make_folder("a");
  make_file("a/wanted");
  make_file("a/beside");
  make_file("other");
  EXPECT_EQ(scan({at("a/wanted")}).below(entry_path("")), (Paths{"a", "a/wanted"}));
}

TEST_F(SourcePathsScan, RelativeOnesStartAtTheWorkingDirectory) {
  make_folder("a");
  make_file("a/x");
  EXPECT_TRUE(in_child([&] {
    return ::chdir(root().c_str()) == 0 && scan({"a"}).below(entry_path("")) == Paths{"a", "a/x"} &&
           scan({"."}).below(entry_path("")) == Paths{"a", "a/x"};
  }));
}

TEST_F(SourcePathsScan, LinkIsKeptAsALink) {
  make_folder("real");
  make_file("real/x");
  make_link("real", "link");
  const auto tree = PosixSourceTree::create({at("link") + "/"}, {}).value();
  Scanned scanned = scan(*tree);
  ASSERT_EQ(scanned.below(entry_path("")), Paths{"link"});
  ASSERT_TRUE(tree->describe(scanned.entries.back()));
  EXPECT_EQ(scanned.entries.back().target, "real");
}

TEST_F(SourcePathsScan, LinkAboveASourceIsFollowedAndKeptAsAFolder) {
  make_folder("real");
  make_folder("real/in");
  make_file("real/in/x", "content");
  make_link("real", "link");
  const auto tree = PosixSourceTree::create({at("link/in")}, {}).value();
  Scanned scanned = scan(*tree);
  ASSERT_EQ(scanned.below(entry_path("")), (Paths{"link", "link/in", "link/in/x"}));
  Entry link = scanned.find(entry_path("link"));
  EXPECT_TRUE(link.is_directory());
  EXPECT_TRUE(tree->describe(link));
  EXPECT_EQ(read_all(*tree, scanned.find(entry_path("link/in/x"))).value(), "content");
}

TEST_F(SourcePathsScan, OneBehindALinkInAnotherIsRefused) {
  make_folder("real");
  make_file("real/x");
  make_link("real", "link");
  const Scanned scanned = scan({root(), at("link/x")});
  ASSERT_FALSE(scanned.status);
  EXPECT_EQ(scanned.status.error().code(), Code::kInvalidArgument);
  EXPECT_NE(scanned.status.error().message().find(at("link")), std::string::npos);
  EXPECT_FALSE(scan({at("link"), at("link/x")}).status);
}

TEST_F(SourcePathsScan, OneThatDoesNotExistIsAnError) {
  for (const Paths& sources : {Paths{at("none")}, Paths{root(), at("none/deeper")}}) {
    const Scanned scanned = scan(sources);
    ASSERT_FALSE(scanned.status);
    EXPECT_EQ(scanned.status.error().code(), Code::kNotFound);
    EXPECT_NE(scanned.status.error().message().find(at("none")), std::string::npos);
    EXPECT_TRUE(scanned.entries.empty());
  }
  EXPECT_FALSE(scan(Paths{}).status);
  EXPECT_FALSE(scan(Paths{""}).status);
}

}  // namespace
}  // namespace holdfast::agent
