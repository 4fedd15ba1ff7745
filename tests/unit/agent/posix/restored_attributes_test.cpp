#include "agent/posix/restored_attributes.h"

#include <gtest/gtest.h>
#include <sys/xattr.h>

#include <functional>
#include <utility>
#include <vector>

#include "tests/unit/agent/posix/restore_fixture.h"

namespace holdfast::agent {
namespace {

using RestoredAttributes = RestoreFixture;

TEST_F(RestoredAttributes, OwnersAndTheirBitsAreSet) {
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
  if (::geteuid() == 0 && ::chown(folder.c_str(), kNobody, kNobody) != 0) return false;
  return on_own_thread([&] { return become_nobody() && body(); });
}

TEST_F(RestoredAttributes, OwnerThatCannotBeSetIsReportedAndGetsNoSetuid) {
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

TEST_F(RestoredAttributes, WhoMayNotGiveFilesAwayGivesThemToAGroupOfHisOwn) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may be of any group";
  constexpr unsigned kOther = 4321;
  ASSERT_EQ(::chmod(root().c_str(), 0755), 0);
  ASSERT_EQ(::chown(at("target").c_str(), kNobody, kNobody), 0);
  EXPECT_TRUE(on_own_thread([&] {
    const gid_t groups[] = {kOther};
    if (::syscall(SYS_setgroups, 1, groups) != 0 ||
        ::syscall(SYS_setresgid, kNobody, kNobody, kNobody) != 0 ||
        ::syscall(SYS_setresuid, kNobody, kNobody, kNobody) != 0)
      return false;
    const auto target = open();
    for (const auto& [name, gid] :
         {std::pair("theirs", kOther), std::pair("own", kNobody), std::pair("foreign", 1U)}) {
      Entry entry = file_entry("text", 06755);
      entry.uid = 1;
      entry.gid = gid;
      EXPECT_EQ(target->write_file(name, entry, as_bytes("text")).error().code(),
                Code::kPermissionDenied);
      entry.mode = S_IFDIR | 02755;
      const std::string folder = std::string(name) + "-folder";
      EXPECT_TRUE(target->make_directory(folder));
      EXPECT_EQ(target->finish_directory(folder, entry).error().code(), Code::kPermissionDenied);
    }
    return true;
  }));
  // The bits give their rights to nobody but the owner and the group that the entry names.
  EXPECT_EQ(stat("target/theirs").st_gid, kOther);
  EXPECT_EQ(stat("target/theirs").st_mode & 07777, 02755U);
  EXPECT_EQ(stat("target/own").st_gid, kNobody);
  EXPECT_EQ(stat("target/own").st_mode & 07777, 02755U);
  EXPECT_EQ(stat("target/foreign").st_gid, kNobody);
  EXPECT_EQ(stat("target/foreign").st_mode & 07777, 0755U);
  // That of a folder says which group new files get.
  for (const std::string name : {"theirs-folder", "own-folder", "foreign-folder"})
    EXPECT_EQ(stat("target/" + name).st_mode & 07777, 02755U) << name;
  EXPECT_EQ(stat("target/theirs-folder").st_gid, kOther);
}

TEST_F(RestoredAttributes, FolderThatGetsAnotherOwnerKeepsItsBits) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may give folders away";
  make_folder("target/folder");
  ASSERT_EQ(::chmod(at("target/folder").c_str(), 06755), 0);
  Entry entry = entry_of(S_IFDIR | 06755);
  entry.uid = entry.gid = 1234;
  ASSERT_TRUE(open()->finish_directory("folder", entry));
  EXPECT_EQ(stat("target/folder").st_uid, 1234U);
  EXPECT_EQ(stat("target/folder").st_mode & 07777, 06755U);
}

TEST_F(RestoredAttributes, FoldersOfOthersAreRestoredIntoAsFarAsTheyLet) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root has folders of others";
  ASSERT_EQ(::chmod(root().c_str(), 0755), 0);
  for (const auto& [name, mode] : {std::pair("closed", 0055U), std::pair("written", 0333U)}) {
    make_folder(std::string("target/") + name);
    ASSERT_EQ(::chmod(at(std::string("target/") + name).c_str(), mode), 0);
  }
  EXPECT_TRUE(as_nobody(at("target"), [&] {
    const auto target = open();
    EXPECT_TRUE(target->make_directory("closed"));
    EXPECT_EQ(write(*target, "closed/file", "x").error().code(), Code::kPermissionDenied);
    // It may be written to, though not read.
    EXPECT_TRUE(target->make_directory("written"));
    EXPECT_TRUE(write(*target, "written/file", "x"));
    return true;
  }));
  EXPECT_EQ(content("target/written/file"), "x");
  EXPECT_EQ(stat("target/closed").st_mode & 07777, 0055U);
}

TEST_F(RestoredAttributes, WhatTookThePlaceOfWhatWasMadeIsLeftAlone) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root has files of others";
  make_file("target/file");
  ASSERT_EQ(::mkfifo(at("target/linked").c_str(), 0600), 0);
  ASSERT_EQ(::link(at("target/linked").c_str(), at("target/second").c_str()), 0);
  ASSERT_EQ(::mkfifo(at("target/theirs").c_str(), 0600), 0);
  ASSERT_EQ(::chown(at("target/theirs").c_str(), 1234, 1234), 0);
  make_link("../outside/secret", "target/link");
  auto folder = std::make_shared<TargetFolder>();
  folder->creator = Creator::current();
  folder->descriptor = Descriptor(::open(at("target").c_str(), O_RDONLY | O_CLOEXEC));
  for (const std::string name : {"file", "linked", "theirs", "link"}) {
    const struct stat before = stat("target/" + name);
    const Status status = set_attributes_at({folder, name}, entry_of(S_IFIFO | 0666));
    ASSERT_FALSE(status) << name;
    EXPECT_EQ(status.error().code(), Code::kChanged);
    const struct stat after = stat("target/" + name);
    EXPECT_EQ(after.st_mode, before.st_mode) << name;
    EXPECT_EQ(after.st_uid, before.st_uid) << name;
    EXPECT_EQ(after.st_ctim.tv_nsec, before.st_ctim.tv_nsec) << name;
  }
  EXPECT_EQ(set_attributes_at({folder, "none"}, entry_of(S_IFIFO | 0666)).error().code(),
            Code::kNotFound);
}

TEST_F(RestoredAttributes, OwnClosedFilesAndFoldersAreRestoredWithoutRoot) {
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

TEST_F(RestoredAttributes, ExtendedAttributesAreSetAlsoOnClosedFiles) {
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
  const bool secured =
      ::setxattr(at("target/folder").c_str(), "security.holdfast", "", 0, 0) == 0;  // root alone
  ASSERT_TRUE(target->finish_directory("folder", folder));
  EXPECT_EQ(::getxattr(at("target/folder").c_str(), "security.holdfast", value, sizeof value),
            secured ? 0 : -1)
      << "what the system itself put there is the system's";
  EXPECT_EQ(::getxattr(at("target/folder").c_str(), "user.own", value, sizeof value), 1);
  EXPECT_EQ(::getxattr(at("target/folder").c_str(), "user.foreign", value, sizeof value), -1);
}

TEST_F(RestoredAttributes, OneThatCannotBeSetDoesNotKeepTheOthersBack) {
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

TEST_F(RestoredAttributes, CapabilitiesSurviveTheChangeOfOwner) {
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

TEST_F(RestoredAttributes, AclsAreRestoredRaw) {
  const std::string open_acl =
      raw_acl({{kUserObject, 6}, {kUser, 4, 1234}, {kGroupObject, 0}, {kMask, 4}, {kOther, 0}});
  // Its mode is that which the file is made with.
  const std::string masked_acl =
      raw_acl({{kUserObject, 6}, {kUser, 4, 1234}, {kGroupObject, 0}, {kMask, 0}, {kOther, 0}});
  make_file("sample");
  if (::setxattr(at("sample").c_str(), "system.posix_acl_access", open_acl.data(), open_acl.size(),
                 0) != 0)
    GTEST_SKIP() << "the temporary folder's file system has no ACLs";
  const auto target = open();
  for (const auto& [acl, mode] : {std::pair(open_acl, 0640U), std::pair(masked_acl, 0600U)}) {
    Entry entry = file_entry("x", mode);
    entry.xattrs = {{"system.posix_acl_access", acl}, {"user.behind", "1"}};
    ASSERT_TRUE(target->write_file("file", entry, as_bytes("x")));
    Entry fifo = entry_of(S_IFIFO | mode);
    fifo.xattrs = {{"system.posix_acl_access", acl}};
    ASSERT_TRUE(target->make_special("fifo", fifo));
    for (const std::string name : {"target/file", "target/fifo"}) {
      std::string value(1000, '\0');
      const auto length =
          ::getxattr(at(name).c_str(), "system.posix_acl_access", value.data(), value.size());
      ASSERT_GT(length, 0) << name;
      EXPECT_EQ(value.substr(0, static_cast<std::size_t>(length)), acl) << name;
      EXPECT_EQ(stat(name).st_mode & 07777, mode) << name;
    }
  }
}

TEST_F(RestoredAttributes, AclGivesNoMoreThanTheModeOfItsEntry) {
  const std::string acl =
      raw_acl({{kUserObject, 6}, {kUser, 6, 1234}, {kGroupObject, 6}, {kMask, 6}, {kOther, 6}});
  make_file("sample");
  if (::setxattr(at("sample").c_str(), "system.posix_acl_access", acl.data(), acl.size(), 0) != 0)
    GTEST_SKIP() << "the temporary folder's file system has no ACLs";
  Entry entry = file_entry("x", 0600);
  entry.xattrs = {{"system.posix_acl_access", acl}};
  ASSERT_TRUE(open()->write_file("file", entry, as_bytes("x")));
  EXPECT_EQ(stat("target/file").st_mode & 07777, 0600U);
}

TEST_F(RestoredAttributes, DefaultAclOfTheTargetIsNotInherited) {
  const std::string acl =
      raw_acl({{kUserObject, 7}, {kUser, 7, 1234}, {kGroupObject, 7}, {kMask, 7}, {kOther, 7}});
  if (::setxattr(at("target").c_str(), "system.posix_acl_default", acl.data(), acl.size(), 0) != 0)
    GTEST_SKIP() << "the temporary folder's file system has no ACLs";
  const auto target = open();
  ASSERT_TRUE(target->make_directory("a"));
  ASSERT_TRUE(write(*target, "file", "x", 0664));
  ASSERT_TRUE(write(*target, "a/file", "x", 0664));
  ASSERT_TRUE(target->make_special("fifo", entry_of(S_IFIFO | 0660)));
  ASSERT_TRUE(target->make_symlink("link", link_entry("file")));  // none has an ACL
  ASSERT_TRUE(target->finish_directory("a", entry_of(S_IFDIR | 0770)));
  for (const auto& [name, mode] : std::vector<std::pair<std::string, mode_t>>{
           {"file", 0664}, {"a/file", 0664}, {"fifo", 0660}, {"a", 0770}}) {
    const std::string path = at("target/" + name);
    EXPECT_EQ(::getxattr(path.c_str(), "system.posix_acl_access", nullptr, 0), -1) << name;
    EXPECT_EQ(::getxattr(path.c_str(), "system.posix_acl_default", nullptr, 0), -1) << name;
    EXPECT_EQ(stat("target/" + name).st_mode & 07777, mode) << name;
  }
}

TEST_F(RestoredAttributes, NobodyElseReadsAFileBeforeItHasItsOwner) {
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

}  // namespace
}  // namespace holdfast::agent
