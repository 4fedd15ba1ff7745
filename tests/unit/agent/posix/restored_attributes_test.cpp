#include "agent/posix/restored_attributes.h"

#include <grp.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
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
  ASSERT_TRUE(target->finish_directory("folder", folder));
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
