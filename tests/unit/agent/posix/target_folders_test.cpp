#include "agent/posix/target_folders.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>
#include <vector>

#include "tests/unit/agent/posix/restore_fixture.h"

namespace holdfast::agent {
namespace {

using TargetFoldersEscape = RestoreFixture;

TEST_F(TargetFoldersEscape, PathsThatAreNotWithinAreRefusedByEveryCall) {
  const std::vector<std::string> paths = {
      "",    "/",    "/etc", "..",  "../outside/x",        "a/..", "a/../../outside/x", ".",
      "./a", "a//b", "a/",   "a/.", std::string("a\0b", 3)};
  for (const KernelFeatures features : feature_sets()) {
    const auto target = open(features);
    ASSERT_TRUE(target->make_directory("a"));
    ASSERT_TRUE(write(*target, "a/file", "x"));
    for (const std::string& path : paths) {
      for (const Status& status :
           {target->make_directory(path), write(*target, path, "x"),
            target->make_symlink(path, link_entry("x")), target->make_hard_link(path, "a/file"),
            target->make_hard_link("linked", path),
            target->make_special(path, entry_of(S_IFIFO | 0600)),
            target->finish_directory(path, entry_of(S_IFDIR | 0777))}) {
        ASSERT_FALSE(status) << path;
        EXPECT_EQ(status.error().code(), Code::kInvalidArgument) << status.error().message();
      }
      EXPECT_FALSE(target->create_file(path, file_entry("x"))) << path;
      EXPECT_FALSE(target->matches(path, file_entry("x"))) << path;
    }
  }
}

TEST_F(TargetFoldersEscape, LinkInThePathIsNeverFollowed) {
  for (const KernelFeatures features : feature_sets()) {
    const auto target = open(features);
    // Both what a hostile repository could put there first and what could be there before.
    ASSERT_TRUE(target->make_symlink("link", link_entry("../outside")));
    ASSERT_TRUE(target->make_symlink("absolute", link_entry(at("outside"))));
    ASSERT_TRUE(target->make_symlink("inside", link_entry(".")));
    ASSERT_TRUE(target->make_directory("real"));
    ASSERT_TRUE(target->make_directory("real/deeper"));
    ASSERT_TRUE(target->make_symlink("above", link_entry("real")));
    ASSERT_TRUE(write(*target, "file", "x"));
    for (const std::string link : {"link", "absolute", "inside", "link/deeper", "above/deeper"}) {
      EXPECT_FALSE(target->make_directory(link + "/x"));
      EXPECT_FALSE(write(*target, link + "/secret", "overwritten"));
      EXPECT_FALSE(target->make_symlink(link + "/x", link_entry("x")));
      EXPECT_FALSE(target->make_hard_link(link + "/x", "file"));
      EXPECT_FALSE(target->make_hard_link("stolen", link + "/secret"));
      EXPECT_FALSE(target->make_special(link + "/x", entry_of(S_IFIFO | 0600)));
    }
    for (const std::string link : {"link", "absolute", "inside"})
      EXPECT_FALSE(target->finish_directory(link, entry_of(S_IFDIR | 0777)));
    EXPECT_EQ(stat("outside").st_mode & 07777, 0755U);
    EXPECT_FALSE(std::filesystem::exists(at("target/stolen")));
  }
}

TEST_F(TargetFoldersEscape, HardLinkToALinkIsToTheLinkItself) {
  const auto target = open();
  ASSERT_TRUE(target->make_symlink("link", link_entry("../outside/secret")));
  ASSERT_TRUE(target->make_hard_link("second", "link"));
  EXPECT_TRUE(S_ISLNK(stat("target/second").st_mode));
  ASSERT_TRUE(write(*target, "second", "own"));
  EXPECT_TRUE(S_ISREG(stat("target/second").st_mode));
}

TEST_F(TargetFoldersEscape, FolderSwappedForALinkBetweenCallsIsNotLeft) {
  for (const KernelFeatures features : feature_sets()) {
    const auto target = open(features);
    ASSERT_TRUE(target->make_directory("a"));
    ASSERT_TRUE(target->make_directory("a/b"));
    ASSERT_EQ(::rename(at("target/a").c_str(), at("target/was-a").c_str()), 0);
    make_link("../outside", "target/a");
    EXPECT_FALSE(write(*target, "a/b/x", "x"));
    // The folder may be open already; then what is written goes to it, wherever it is now.
    (void)write(*target, "a/x", "x");
    EXPECT_FALSE(std::filesystem::exists(at("outside/x")));
    ASSERT_EQ(::unlink(at("target/a").c_str()), 0);
    std::filesystem::remove_all(at("target/was-a"));
  }
}

TEST(FolderCache, KeepsTheNewestOfAFolderAndThoseUsedLast) {
  FolderCache<int> cache(2);
  cache.insert("a", std::make_shared<int>(1));
  cache.insert("a", std::make_shared<int>(2));  // by two threads that both had not found it
  cache.insert("b", std::make_shared<int>(3));
  EXPECT_EQ(*cache.find("a"), 2);
  cache.insert("c", std::make_shared<int>(4));
  EXPECT_EQ(cache.find("b"), nullptr);
  EXPECT_EQ(*cache.find("a"), 2);
  cache.forget("a");
  cache.forget("b");
  EXPECT_EQ(cache.find("a"), nullptr);
  EXPECT_EQ(*cache.find("c"), 4);
  cache.clear();
  EXPECT_EQ(cache.find("c"), nullptr);
}

TEST_F(TargetFoldersEscape, SwappingWhileWritingNeverLeavesTheTarget) {
  const auto target = open();
  ASSERT_TRUE(target->make_directory("a"));
  make_link("../outside", "target/link");
  std::atomic<bool> stop{false};
  std::thread attacker([&] {
    while (!stop)
      ::renameat2(AT_FDCWD, at("target/a").c_str(), AT_FDCWD, at("target/link").c_str(),
                  RENAME_EXCHANGE);
  });
  for (int i = 0; i < 500; ++i) {
    const std::string name = std::to_string(i);
    // A new target each time, so that the folder is opened anew.
    const auto fresh = open();
    (void)write(*fresh, "a/" + name, "x");
    (void)fresh->make_symlink("a/l" + name, link_entry("x"));
  }
  stop = true;
  attacker.join();  // TearDown looks at what is outside
}

}  // namespace
}  // namespace holdfast::agent
