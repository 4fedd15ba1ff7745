#include "agent/posix/posix_restore_target.h"

#include <grp.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <thread>

#include "tests/unit/agent/posix/tree_fixture.h"

namespace holdfast::agent {
namespace {

Entry entry_of(std::uint32_t mode, std::uint64_t size = 0) {
  Entry entry;
  entry.mode = mode;
  entry.uid = ::geteuid();
  entry.gid = ::getegid();
  entry.size = size;
  entry.mtime = {1'234'567'890, 987'654'321};
  return entry;
}
Entry file_entry(std::string_view content, std::uint32_t mode = 0644) {
  return entry_of(S_IFREG | mode, content.size());
}
Entry link_entry(const std::string& target) {
  Entry entry = entry_of(S_IFLNK | 0777);
  entry.target = target;
  return entry;
}

// The target is "target" in a folder of the test; "outside" beside it must stay as it is.
class RestoreFixture : public TreeFixture {
 protected:
  void SetUp() override {
    make_folder("target");
    make_folder("outside");
    make_file("outside/secret", "secret");
  }
  void TearDown() override {
    EXPECT_EQ(content("outside/secret"), "secret");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(at("outside")), {}), 1);
    for (const auto& found : std::filesystem::recursive_directory_iterator(at("target")))
      EXPECT_EQ(found.path().filename().string().find(".holdfast-"), std::string::npos);
  }

  std::unique_ptr<PosixRestoreTarget> open(
      KernelFeatures features = KernelFeatures::probe()) const {
    return PosixRestoreTarget::open(at("target"), features).value();
  }
  std::string content(const std::string& path) const {
    std::ifstream file(at(path), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  struct stat stat(const std::string& path) const {
    struct stat found {};
    EXPECT_EQ(::lstat(at(path).c_str(), &found), 0) << path;
    return found;
  }
  static Status write(RestoreTarget& target, const std::string& path, std::string_view text,
                      std::uint32_t mode = 0644) {
    return target.write_file(path, file_entry(text, mode), as_bytes(text));
  }
};

using PosixRestoreTargetFiles = RestoreFixture;
using PosixRestoreTargetFolders = RestoreFixture;
using PosixRestoreTargetOthers = RestoreFixture;
using PosixRestoreTargetAttributes = RestoreFixture;
using PosixRestoreTargetEscape = RestoreFixture;
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
  EXPECT_FALSE(open()->create_file("f", {}).value()->write_at(~0ULL, as_bytes("x")));
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

TEST_F(PosixRestoreTargetAttributes, OwnersAndTheirBitsAreSet) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may give files away";
  const auto target = open();
  Entry entry = file_entry("x", 06755);
  entry.uid = 1234;
  entry.gid = 2345;
  ASSERT_TRUE(target->write_file("file", entry, as_bytes("x")));
  const struct stat found = stat("target/file");
  EXPECT_EQ(found.st_uid, 1234U);
  EXPECT_EQ(found.st_gid, 2345U);
  EXPECT_EQ(found.st_mode & 07777, 06755U);
  Entry link = link_entry("x");
  link.uid = link.gid = 77;
  ASSERT_TRUE(target->make_symlink("link", link));
  EXPECT_EQ(stat("target/link").st_uid, 77U);
  Entry fifo = entry_of(S_IFIFO | 04711);
  fifo.uid = fifo.gid = 78;
  ASSERT_TRUE(target->make_special("fifo", fifo));
  EXPECT_EQ(stat("target/fifo").st_uid, 78U);
  EXPECT_EQ(stat("target/fifo").st_mode & 07777, 04711U);
}

// Runs `body` as an ordinary user, who owns the target.
bool as_nobody(const std::string& folder, const std::function<bool()>& body) {
  constexpr uid_t kNobody = 65534;
  if (::geteuid() == 0 && ::chown(folder.c_str(), kNobody, kNobody) != 0) return false;
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 &&
        (::setgroups(0, nullptr) != 0 || ::setgid(kNobody) != 0 || ::setuid(kNobody) != 0))
      ::_exit(2);
    ::_exit(body() ? 0 : 1);
  }
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_F(PosixRestoreTargetAttributes, OwnerThatCannotBeSetIsReportedAndGetsNoSetuid) {
  ASSERT_EQ(::chmod(root().c_str(), 0755), 0);
  ASSERT_TRUE(as_nobody(at("target"), [&] {
    const auto target = open();
    Entry entry = file_entry("text", 06755);
    entry.uid = entry.gid = 1;
    const Status status = target->write_file("file", entry, as_bytes("text"));
    const struct stat found = stat("target/file");
    return !status && status.error().code() == Code::kPermissionDenied &&
           content("target/file") == "text" && (found.st_mode & 07777) == 0755 &&
           found.st_mtim.tv_nsec == 987'654'321;
  }));
}

TEST_F(PosixRestoreTargetAttributes, OwnClosedFilesAndFoldersAreRestoredWithoutRoot) {
  ASSERT_EQ(::chmod(root().c_str(), 0755), 0);
  ASSERT_TRUE(as_nobody(at("target"), [&] {
    for (int round = 0; round < 2;
         ++round) {  // the second time over the closed folder of the first
      const auto target = open();
      Entry closed = file_entry("text", 0);
      closed.xattrs = {{"user.note", "value"}};
      if (!target->make_directory("a") || !target->write_file("a/file", closed, as_bytes("text")) ||
          !target->finish_directory("a", entry_of(S_IFDIR | 0500)))
        return false;
    }
    return (stat("target/a").st_mode & 07777) == 0500 &&
           (stat("target/a/file").st_mode & 07777) == 0;
  }));
}

TEST_F(PosixRestoreTargetAttributes, ExtendedAttributesAreSetAlsoOnClosedFiles) {
  if (::setxattr(at("target").c_str(), "user.x", "", 0, 0) != 0)
    GTEST_SKIP() << "the temporary folder's file system has no extended attributes";
  const auto target = open();
  Entry entry = file_entry("x", 0400);
  entry.xattrs = {{"user.a", "1"}, {"user.b", std::string("\0\xff", 2)}};
  ASSERT_TRUE(target->write_file("file", entry, as_bytes("x")));
  char value[8];
  EXPECT_EQ(::getxattr(at("target/file").c_str(), "user.b", value, sizeof value), 2);
  EXPECT_EQ(stat("target/file").st_mode & 07777, 0400U);

  make_folder("target/folder");
  ASSERT_EQ(::setxattr(at("target/folder").c_str(), "user.foreign", "", 0, 0), 0);
  Entry folder = entry_of(S_IFDIR | 0755);
  folder.xattrs = {{"user.own", "1"}};
  ASSERT_TRUE(target->finish_directory("folder", folder));
  EXPECT_EQ(::getxattr(at("target/folder").c_str(), "user.own", value, sizeof value), 1);
  EXPECT_EQ(::getxattr(at("target/folder").c_str(), "user.foreign", value, sizeof value), -1);
}

TEST_F(PosixRestoreTargetAttributes, OneThatCannotBeSetDoesNotKeepTheOthersBack) {
  const auto target = open();
  Entry entry = file_entry("x", 0640);
  entry.xattrs = {{"nonsense.name", "1"}, {std::string("user.a\0b", 8), "2"}};
  const Status status = target->write_file("file", entry, as_bytes("x"));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code(), Code::kPermissionDenied);
  EXPECT_NE(status.error().message().find("nonsense.name"), std::string::npos);
  EXPECT_EQ(stat("target/file").st_mode & 07777, 0640U);
  EXPECT_EQ(stat("target/file").st_mtim.tv_nsec, 987'654'321);
  EXPECT_EQ(::getxattr(at("target/file").c_str(), "user.a", nullptr, 0), -1);
}

TEST_F(PosixRestoreTargetAttributes, CapabilitiesSurviveTheChangeOfOwner) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may set capabilities";
  Entry entry = file_entry("program", 0755);
  entry.uid = 1000;
  // cap_net_raw, permitted and effective: struct vfs_cap_data of linux/capability.h, revision 2.
  const std::string capability("\1\0\0\2\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
  entry.xattrs = {{"security.capability", capability}};
  ASSERT_TRUE(open()->write_file("file", entry, as_bytes("program")));
  char value[64];
  ASSERT_EQ(::getxattr(at("target/file").c_str(), "security.capability", value, sizeof value), 20);
  EXPECT_EQ(std::string(value, 20), capability);
}

struct AclEntry {
  std::uint16_t tag, permissions;
  std::uint32_t id = 0xffffffff;
};
constexpr std::uint16_t kUserObject = 1, kUser = 2, kGroupObject = 4, kMask = 16, kOther = 32;

// The bytes of an ACL's attribute: struct posix_acl_xattr_header and entries of
// linux/posix_acl_xattr.h.
std::string raw_acl(const std::vector<AclEntry>& entries) {
  const std::uint32_t version = 2;
  std::string raw(reinterpret_cast<const char*>(&version), sizeof version);
  for (const AclEntry& entry : entries)
    raw.append(reinterpret_cast<const char*>(&entry), sizeof entry);
  return raw;
}

TEST_F(PosixRestoreTargetAttributes, AclsAreRestoredRaw) {
  const std::string acl =
      raw_acl({{kUserObject, 6}, {kUser, 4, 1234}, {kGroupObject, 0}, {kMask, 4}, {kOther, 0}});
  make_file("sample");
  if (::setxattr(at("sample").c_str(), "system.posix_acl_access", acl.data(), acl.size(), 0) != 0)
    GTEST_SKIP() << "the temporary folder's file system has no ACLs";
  Entry entry = file_entry("x", 0640);
  entry.xattrs = {{"system.posix_acl_access", acl}};
  ASSERT_TRUE(open()->write_file("file", entry, as_bytes("x")));
  std::string value(1000, '\0');
  const auto length =
      ::getxattr(at("target/file").c_str(), "system.posix_acl_access", value.data(), value.size());
  ASSERT_GT(length, 0);
  EXPECT_EQ(value.substr(0, static_cast<std::size_t>(length)), acl);
  EXPECT_EQ(stat("target/file").st_mode & 07777, 0640U);
}

TEST_F(PosixRestoreTargetAttributes, DefaultAclOfTheTargetIsNotInherited) {
  const std::string acl =
      raw_acl({{kUserObject, 7}, {kUser, 7, 1234}, {kGroupObject, 7}, {kMask, 7}, {kOther, 7}});
  if (::setxattr(at("target").c_str(), "system.posix_acl_default", acl.data(), acl.size(), 0) != 0)
    GTEST_SKIP() << "the temporary folder's file system has no ACLs";
  const auto target = open();
  ASSERT_TRUE(target->make_directory("a"));
  ASSERT_TRUE(write(*target, "file", "x", 0664));
  ASSERT_TRUE(write(*target, "a/file", "x", 0664));
  ASSERT_TRUE(target->make_special("fifo", entry_of(S_IFIFO | 0660)));
  ASSERT_TRUE(target->finish_directory("a", entry_of(S_IFDIR | 0770)));
  for (const auto& [name, mode] : std::vector<std::pair<std::string, mode_t>>{
           {"file", 0664}, {"a/file", 0664}, {"fifo", 0660}, {"a", 0770}}) {
    const std::string path = at("target/" + name);
    EXPECT_EQ(::getxattr(path.c_str(), "system.posix_acl_access", nullptr, 0), -1) << name;
    EXPECT_EQ(::getxattr(path.c_str(), "system.posix_acl_default", nullptr, 0), -1) << name;
    EXPECT_EQ(stat("target/" + name).st_mode & 07777, mode) << name;
  }
}

TEST_F(PosixRestoreTargetAttributes, NobodyElseReadsAFileBeforeItHasItsOwner) {
  Entry entry = file_entry("text", 0666);
  entry.xattrs = {{"user.later", "1"}};
  const auto file = open()->create_file("file", entry).value();
  EXPECT_EQ(stat("target/file").st_mode & 0077, 0U);
  ASSERT_TRUE(file->write_at(0, as_bytes("text")));
  Entry foreign = file_entry("text", 0666);
  foreign.gid = ::getegid() + 1;
  const auto second = open()->create_file("second", foreign).value();
  EXPECT_EQ(stat("target/second").st_mode & 0077, 0U);
}

TEST_F(PosixRestoreTargetEscape, PathsThatAreNotWithinAreRefusedByEveryCall) {
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

TEST_F(PosixRestoreTargetEscape, LinkInThePathIsNeverFollowed) {
  for (const KernelFeatures features : feature_sets()) {
    const auto target = open(features);
    // Both what a hostile repository could put there first and what could be there before.
    ASSERT_TRUE(target->make_symlink("link", link_entry("../outside")));
    ASSERT_TRUE(target->make_symlink("absolute", link_entry(at("outside"))));
    ASSERT_TRUE(target->make_symlink("inside", link_entry(".")));
    ASSERT_TRUE(write(*target, "file", "x"));
    for (const std::string link : {"link", "absolute", "inside", "link/deeper"}) {
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

TEST_F(PosixRestoreTargetEscape, HardLinkToALinkIsToTheLinkItself) {
  const auto target = open();
  ASSERT_TRUE(target->make_symlink("link", link_entry("../outside/secret")));
  ASSERT_TRUE(target->make_hard_link("second", "link"));
  EXPECT_TRUE(S_ISLNK(stat("target/second").st_mode));
  ASSERT_TRUE(write(*target, "second", "own"));
  EXPECT_TRUE(S_ISREG(stat("target/second").st_mode));
}

TEST_F(PosixRestoreTargetEscape, FolderSwappedForALinkBetweenCallsIsNotLeft) {
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

TEST_F(PosixRestoreTargetEscape, SwappingWhileWritingNeverLeavesTheTarget) {
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
