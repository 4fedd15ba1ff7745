#include "agent/posix/source_paths.h"

#include <gtest/gtest.h>

#include <climits>

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
  EXPECT_TRUE(on_own_thread([&] {
    return ::unshare(CLONE_FS) == 0 && ::chdir(root().c_str()) == 0 &&
           scan({"a"}).below(entry_path("")) == Paths{"a", "a/x"} &&
           scan({"."}).below(entry_path("")) == Paths{"a", "a/x"};
  }));
}

TEST_F(SourcePathsScan, RelativeOneInAWorkingDirectoryThatIsGoneIsAnError) {
  make_folder("a");
  EXPECT_TRUE(on_own_thread([&] {
    if (::unshare(CLONE_FS) != 0 || ::chdir(at("a").c_str()) != 0) return false;
    ::rmdir(at("a").c_str());
    const Status status = scan({"x"}).status;
    return !status && status.error().message().find("working directory") != std::string::npos;
  }));
}

TEST_F(SourcePathsScan, OneWithALongerPathThanTheKernelTakesIsRead) {
  std::string path = root();
  Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::string name(200, 'd');
  while (path.size() <= 2 * PATH_MAX) {
    ASSERT_EQ(::mkdirat(folder.get(), name.c_str(), 0755), 0);
    folder = Descriptor(::openat(folder.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    path += "/" + name;
  }
  ASSERT_EQ(::mkdirat(folder.get(), "in", 0755), 0);
  ASSERT_EQ(::mkdirat(folder.get(), "in/deeper", 0755), 0);
  for (const KernelFeatures features : feature_sets()) {
    const Scanned scanned = scan({path}, {}, features);
    ASSERT_TRUE(scanned.status) << scanned.status.error().message();
    EXPECT_TRUE(scanned.problems.empty());
    EXPECT_EQ(scanned.below(path.substr(1)), (Paths{"in", "in/deeper"}));
  }
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

TEST_F(SourcePathsScan, OneCoversWhatLiesInItNotWhatBeginsAlike) {
  const SourcePaths sources = SourcePaths::from({"/a/b", "/a", "/ab", "/a/c"}).value();
  EXPECT_EQ(*sources.covering("a/b/c"), "a");
  EXPECT_EQ(*sources.covering("ab"), "ab");
  EXPECT_EQ(sources.covering("abc"), nullptr);
  EXPECT_EQ(sources.covering(""), nullptr);
  const SourcePaths everything = SourcePaths::from({"/a", "/"}).value();
  for (const std::string path : {"", "a", "b/c"}) EXPECT_EQ(*everything.covering(path), "");
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
  EXPECT_FALSE(scan(Paths{root() + std::string("\0x", 2)}).status);
  const Scanned above_nothing = scan({at("none/../a")});
  ASSERT_FALSE(above_nothing.status);
  EXPECT_EQ(above_nothing.status.error().code(), Code::kNotFound);
}

}  // namespace
}  // namespace holdfast::agent
