#include "agent/posix/posix_restore_target.h"

#include <gtest/gtest.h>
#include <sys/sysmacros.h>

#include <atomic>
#include <filesystem>
#include <limits>
#include <thread>

#include "tests/unit/agent/posix/restore_fixture.h"

namespace holdfast::agent {
namespace {

using PosixRestoreTargetFiles = RestoreFixture;
using PosixRestoreTargetFolders = RestoreFixture;
using PosixRestoreTargetOthers = RestoreFixture;
using PosixRestoreTargetMatches = RestoreFixture;

TEST_F(PosixRestoreTargetFiles, AreWrittenWithContentModeAndTime) {
  for (const KernelFeatures features : feature_sets()) {
    const auto target = open(features);
    ASSERT_TRUE(target->make_directory("a"));
    ASSERT_TRUE(write(*target, "a/file", "content", 0640));
    EXPECT_EQ(content("target/a/file"), "content");
    const struct stat found = stat("target/a/file");
    EXPECT_EQ(found.st_mode, static_cast<mode_t>(S_IFREG | 0640));
    EXPECT_EQ(found.st_mtim.tv_sec, 1'234'567'890);
    EXPECT_EQ(found.st_mtim.tv_nsec, 987'654'321);
  }
}

TEST_F(PosixRestoreTargetFiles, ModeDoesNotDependOnTheUmask) {
  const mode_t before = ::umask(077);
  EXPECT_TRUE(write(*open(), "open", "x", 0666));
  ::umask(0);
  EXPECT_TRUE(write(*open(), "closed", "x", 0400));
  ::umask(before);
  EXPECT_EQ(stat("target/open").st_mode & 07777, 0666U);
  EXPECT_EQ(stat("target/closed").st_mode & 07777, 0400U);
}

TEST_F(PosixRestoreTargetFiles, PiecesArriveInAnyOrderAndHolesAreZeros) {
  const Entry entry = entry_of(S_IFREG | 0600, 100'000);
  const auto target = open();
  const auto file = target->create_file("file", entry).value();
  ASSERT_TRUE(file->write_at(90'000, as_bytes("late")));
  ASSERT_TRUE(file->write_at(0, as_bytes("early")));
  ASSERT_TRUE(file->finish(entry));
  std::string expected(100'000, '\0');
  expected.replace(0, 5, "early").replace(90'000, 4, "late");
  EXPECT_EQ(content("target/file"), expected);
  EXPECT_EQ(stat("target/file").st_mtim.tv_nsec, 987'654'321);
}

TEST_F(PosixRestoreTargetFiles, UnfinishedOnesAreRemovedAndWhatWasThereStays) {
  const auto target = open();
  ASSERT_TRUE(write(*target, "old", "old"));
  {
    const auto fresh = target->create_file("fresh", file_entry("new")).value();
    const auto replacing = target->create_file("old", file_entry("new")).value();
    ASSERT_TRUE(fresh->write_at(0, as_bytes("new")));
    ASSERT_TRUE(replacing->write_at(0, as_bytes("new")));
  }
  EXPECT_EQ(content("target/old"), "old");
  EXPECT_FALSE(std::filesystem::exists(at("target/fresh")));
}

TEST_F(PosixRestoreTargetFiles, ContentOfAnotherLengthThanTheEntrySaysIsRefused) {
  const auto status = open()->write_file("file", file_entry("four"), as_bytes("longer"));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code(), Code::kInvalidArgument);
  EXPECT_FALSE(std::filesystem::exists(at("target/file")));
  const auto target = open();
  const auto file = target->create_file("f", {}).value();
  constexpr auto kEnd = static_cast<std::uint64_t>(std::numeric_limits<off_t>::max());
  for (const std::uint64_t offset : {~std::uint64_t{0}, kEnd + 1, kEnd})
    EXPECT_EQ(file->write_at(offset, as_bytes("x")).error().message(),
              "content behind the largest possible file");
  EXPECT_EQ(file->finish(entry_of(S_IFREG | 0600, kEnd + 1)).error().message(),
            "a size beyond the largest possible file");
}

TEST_F(PosixRestoreTargetFiles, ReplaceWhateverIsThereWithoutWritingIntoIt) {
  make_link(at("outside/secret"), "target/link");
  ASSERT_EQ(::link(at("outside/secret").c_str(), at("target/hard").c_str()), 0);
  ASSERT_EQ(::mkfifo(at("target/fifo").c_str(), 0600), 0);
  make_folder("target/empty");
  make_file("target/file", "a much longer old content");
  const auto target = open();
  for (const std::string name : {"link", "hard", "fifo", "empty", "file"}) {
    ASSERT_TRUE(write(*target, name, "new")) << name;
    EXPECT_EQ(content("target/" + name), "new");
    EXPECT_TRUE(S_ISREG(stat("target/" + name).st_mode));
  }
}

TEST_F(PosixRestoreTargetFiles, FolderThatIsNotEmptyIsNeverReplaced) {
  make_folder("target/full");
  make_file("target/full/precious", "precious");
  const auto target = open();
  const Entry fifo = entry_of(S_IFIFO | 0600);
  ASSERT_TRUE(write(*target, "file", "x"));
  for (const Status& status :
       {write(*target, "full", "x"), target->make_symlink("full", link_entry("x")),
        target->make_special("full", fifo), target->make_hard_link("full", "file")}) {
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code(), Code::kAlreadyExists) << status.error().message();
  }
  EXPECT_EQ(content("target/full/precious"), "precious");
}

TEST_F(PosixRestoreTargetFiles, FolderThatWasReplacedIsNotUsedAnyMore) {
  const auto target = open();
  ASSERT_TRUE(target->make_directory("a"));
  ASSERT_TRUE(write(*target, "a/x", "x"));
  ASSERT_EQ(::unlink(at("target/a/x").c_str()), 0);
  ASSERT_TRUE(write(*target, "a", "a file now"));
  EXPECT_FALSE(write(*target, "a/x", "x"));
  ASSERT_TRUE(target->make_directory("a"));
  ASSERT_TRUE(write(*target, "a/x", "again"));
  EXPECT_EQ(content("target/a/x"), "again");
}

TEST_F(PosixRestoreTargetFiles, SeveralThreadsWriteAtOnce) {
  const auto target = open();
  for (int folder = 0; folder < 100; ++folder)
    ASSERT_TRUE(target->make_directory(std::to_string(folder)));
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 400; ++i) {
        const std::string name = std::to_string(i % 100) + "/" + std::to_string(t * 1000 + i);
        if (!write(*target, name, name)) ++failures;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  for (int t = 0; t < 4; ++t)
    EXPECT_EQ(content("target/7/" + std::to_string(t * 1000 + 307)),
              "7/" + std::to_string(t * 1000 + 307));
}

TEST_F(PosixRestoreTargetFolders, AreClosedToOthersUntilTheyAreFinished) {
  const auto target = open();
  ASSERT_TRUE(target->make_directory("a"));
  EXPECT_EQ(stat("target/a").st_mode & 07777, 0700U);
  ASSERT_TRUE(write(*target, "a/file", "x"));
  ASSERT_TRUE(target->finish_directory("a", entry_of(S_IFDIR | 03755)));
  const struct stat found = stat("target/a");
  EXPECT_EQ(found.st_mode & 07777, 03755U);
  EXPECT_EQ(found.st_mtim.tv_sec, 1'234'567'890);
  EXPECT_EQ(found.st_mtim.tv_nsec, 987'654'321);
}

TEST_F(PosixRestoreTargetFolders, TakeThePlaceOfFilesAndLinksAndJoinFolders) {
  make_link(at("outside"), "target/link");
  make_file("target/file");
  make_folder("target/folder");
  make_file("target/folder/stays", "stays");
  const auto target = open();
  for (const std::string name : {"link", "file", "folder"}) {
    ASSERT_TRUE(target->make_directory(name)) << name;
    ASSERT_TRUE(write(*target, name + "/new", "new"));
    ASSERT_TRUE(target->finish_directory(name, entry_of(S_IFDIR | 0750)));
    EXPECT_EQ(stat("target/" + name).st_mode, static_cast<mode_t>(S_IFDIR | 0750));
  }
  EXPECT_EQ(content("target/folder/stays"), "stays");
}

TEST_F(PosixRestoreTargetFolders, TargetItselfIsMadeForItsOwner) {
  ASSERT_TRUE(PosixRestoreTarget::open(at("target/fresh")));
  EXPECT_EQ(stat("target/fresh").st_mode & 07777, 0700U);
  EXPECT_FALSE(PosixRestoreTarget::open(at("target/none/fresh")));
  EXPECT_FALSE(PosixRestoreTarget::open(at("outside/secret")));
}

TEST_F(PosixRestoreTargetFolders, AreMadeBelowPathsOfAnyLength) {
  for (const KernelFeatures features : feature_sets()) {
    const auto target = open(features);
    std::string path = features.openat2 ? "by-kernel" : "by-component";
    ASSERT_TRUE(target->make_directory(path));
    for (int i = 0; i < 40; ++i) {
      path += "/" + std::string(200, 'd');
      ASSERT_TRUE(target->make_directory(path)) << i;
    }
    ASSERT_TRUE(write(*target, path + "/file", "deep"));
    ASSERT_TRUE(target->finish_directory(path, entry_of(S_IFDIR | 0755)));
    EXPECT_TRUE(target->matches(path + "/file", file_entry("deep")).value());
  }
}

TEST_F(PosixRestoreTargetFolders, NamesLongerThanAnyPathAreRefused) {
  for (const KernelFeatures features : feature_sets()) {
    const auto target = open(features);
    for (const std::size_t length : {256U, 4095U, 4096U, 100'000U}) {
      const std::string name(length, 'n');
      for (const Status& status :
           {write(*target, name, "x"), write(*target, name + "/file", "x"),
            target->make_directory(name + "/a/b"), target->make_directory(name)}) {
        ASSERT_FALSE(status) << length;
        EXPECT_EQ(status.error().code(), Code::kInvalidArgument) << status.error().message();
      }
    }
  }
}

TEST_F(PosixRestoreTargetOthers, OnAFullDiskWhatIsThereStays) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may mount";
  EXPECT_TRUE(on_own_thread([&] {
    if (!mount_for_this_thread_alone() ||
        ::mount("none", at("target").c_str(), "tmpfs", 0, "size=64k,nr_inodes=3") != 0)
      return false;
    make_file("target/old", "old");
    make_file("target/last", "last");
    const auto target = open();
    Entry fifo = entry_of(S_IFIFO | 0600);
    for (const Status& status :
         {write(*target, "old", "new"), write(*target, "new", "new"),
          target->make_symlink("old", link_entry("new")), target->make_special("old", fifo),
          target->make_symlink("new", link_entry("old")), target->make_directory("new")}) {
      EXPECT_FALSE(status);
      EXPECT_EQ(status.error().code(), Code::kNoSpace);
    }
    EXPECT_EQ(content("target/old"), "old");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(at("target")), {}), 2);
    return true;
  }));
}

TEST_F(PosixRestoreTargetOthers, LinksKeepTheirTextAndTimes) {
  const auto target = open();
  make_file("target/there", "old");
  for (const std::string name : {"fresh", "there"}) {
    ASSERT_TRUE(target->make_symlink(name, link_entry("../outside/secret")));
    EXPECT_EQ(std::filesystem::read_symlink(at("target/" + name)), "../outside/secret");
    EXPECT_EQ(stat("target/" + name).st_mtim.tv_nsec, 987'654'321);
  }
  EXPECT_NE(stat("outside/secret").st_mtim.tv_nsec, 987'654'321);
  EXPECT_FALSE(target->make_symlink("none", link_entry("")));
  EXPECT_FALSE(target->make_symlink("none", link_entry(std::string("a\0b", 3))));
}

TEST_F(PosixRestoreTargetOthers, HardLinksJoinTheirInode) {
  const auto target = open();
  ASSERT_TRUE(target->make_directory("a"));
  ASSERT_TRUE(write(*target, "a/one", "x"));
  ASSERT_TRUE(target->make_hard_link("two", "a/one"));
  ASSERT_TRUE(target->make_hard_link("two", "a/one"));  // it is there already
  ASSERT_TRUE(write(*target, "three", "other"));
  ASSERT_TRUE(target->make_hard_link("three", "a/one"));
  EXPECT_EQ(stat("target/two").st_ino, stat("target/a/one").st_ino);
  EXPECT_EQ(stat("target/three").st_ino, stat("target/a/one").st_ino);
  EXPECT_EQ(stat("target/three").st_nlink, 3U);
  EXPECT_EQ(target->make_hard_link("four", "none").error().code(), Code::kNotFound);
}

TEST_F(PosixRestoreTargetOthers, FifosSocketsAndDevicesAreMade) {
  const auto target = open();
  ASSERT_TRUE(target->make_special("fifo", entry_of(S_IFIFO | 0622)));
  EXPECT_EQ(stat("target/fifo").st_mode, static_cast<mode_t>(S_IFIFO | 0622));
  EXPECT_EQ(stat("target/fifo").st_mtim.tv_nsec, 987'654'321);
  ASSERT_TRUE(target->make_special("socket", entry_of(S_IFSOCK | 0700)));
  EXPECT_TRUE(S_ISSOCK(stat("target/socket").st_mode));
  Entry device = entry_of(S_IFCHR | 0666);
  device.special_device = makedev(1, 3);
  Entry disk = entry_of(S_IFBLK | 0600);
  disk.special_device = makedev(7, 250);
  EXPECT_EQ(::geteuid() == 0, target->make_special("disk", disk).has_value());
  const Status made = target->make_special("null", device);
  if (made) {
    EXPECT_EQ(stat("target/null").st_rdev, makedev(1, 3));
  } else {
    EXPECT_EQ(made.error().code(), Code::kPermissionDenied);
    EXPECT_FALSE(::geteuid() == 0 && ::access("/dev/kvm", F_OK) == 0) << made.error().message();
  }
  for (const std::uint32_t type : {0100000U, 0040000U, 0120000U, 0170000U, 0U})
    EXPECT_EQ(target->make_special("bad", entry_of(type | 0600)).error().code(),
              Code::kInvalidArgument);
}

TEST_F(PosixRestoreTargetMatches, SizeTimeAndKindDecide) {
  const auto target = open();
  ASSERT_TRUE(write(*target, "file", "four"));
  EXPECT_TRUE(target->matches("file", file_entry("four")).value());
  EXPECT_FALSE(target->matches("file", file_entry("longer")).value());
  Entry later = file_entry("four");
  later.mtime.nanoseconds += 1;
  EXPECT_FALSE(target->matches("file", later).value());
  EXPECT_FALSE(target->matches("none", file_entry("four")).value());
  EXPECT_FALSE(target->matches("none/deeper", file_entry("four")).value());
  EXPECT_FALSE(target->matches("file/deeper", file_entry("four")).value());
  ASSERT_TRUE(target->make_symlink("link", link_entry("file")));
  EXPECT_FALSE(target->matches("link", file_entry("four")).value());
}

}  // namespace
}  // namespace holdfast::agent
