#include "agent/posix/posix_source_tree.h"

#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include <cstdio>
#include <random>

#include "tests/testing/seed.h"
#include "tests/unit/agent/posix/tree_fixture.h"

namespace holdfast::agent {
namespace {

using PosixSourceTreeContent = TreeFixture;
using PosixSourceTreeDescription = TreeFixture;

TEST_F(PosixSourceTreeContent, IsReadWholeWhateverTheStep) {
  std::string content(300'000, '\0');
  std::mt19937_64 random(testing::seed());
  for (char& c : content) c = static_cast<char>(random());
  make_file("file", content);
  make_file("empty", "");
  const auto tree = PosixSourceTree::create({root()}, {}).value();
  const Scanned scanned = scan(*tree);
  for (const std::size_t step : {4096UL, 299'999UL, 300'000UL, 300'001UL})
    EXPECT_EQ(read_all(*tree, scanned.find(entry_path("file")), step).value(), content);
  EXPECT_EQ(read_all(*tree, scanned.find(entry_path("empty"))).value(), "");
}

TEST_F(PosixSourceTreeContent, HolesAreZeros) {
  make_file("sparse", "begin");
  ASSERT_EQ(::truncate(at("sparse").c_str(), 1 << 20), 0);
  const auto tree = PosixSourceTree::create({root()}, {}).value();
  const auto content = read_all(*tree, scan(*tree).find(entry_path("sparse")), 64 * 1024).value();
  EXPECT_EQ(content, "begin" + std::string((1 << 20) - 5, '\0'));
}

TEST_F(PosixSourceTreeContent, FilesWithoutASizeAreReadToTheirEnd) {
  const auto tree = PosixSourceTree::create({"/proc/version"}, {}).value();
  const Scanned scanned = scan(*tree);
  EXPECT_EQ(scanned.find("proc/version").size, 0U);
  EXPECT_TRUE(read_all(*tree, scanned.find("proc/version")).value().starts_with("Linux version"));
}

TEST_F(PosixSourceTreeContent, ChangeWhileReadIsNoticed) {
  make_file("file", "before");
  const auto tree = PosixSourceTree::create({root()}, {}).value();
  const Entry entry = scan(*tree).find(entry_path("file"));
  const auto reader = tree->open(entry).value();
  Bytes buffer(100);
  EXPECT_EQ(reader->read(buffer).value(), 6U);
  EXPECT_EQ(reader->changed_since(entry).value(), std::nullopt);
  make_file("file", "after that");
  const std::optional<Entry> now = reader->changed_since(entry).value();
  ASSERT_TRUE(now);
  EXPECT_EQ(now->size, 10U);
  EXPECT_EQ(now->path, entry.path);
}

TEST_F(PosixSourceTreeContent, WhatIsNoLongerThereIsChanged) {
  for (const std::string name : {"gone", "replaced", "folder", "fifo", "link"}) make_file(name);
  make_folder("in");
  make_file("in/file");
  make_folder("outside");
  make_file("outside/file");
  for (const KernelFeatures features : feature_sets()) {
    const auto tree = PosixSourceTree::create({root()}, {}, features).value();
    const Scanned scanned = scan(*tree);
    for (const std::string name : {"gone", "replaced", "folder", "fifo", "link"})
      ASSERT_EQ(::rename(at(name).c_str(), at("outside/" + name).c_str()), 0);
    make_file("replaced");
    make_folder("folder");
    ASSERT_EQ(::mkfifo(at("fifo").c_str(), 0644), 0);
    make_link("outside/link", "link");
    ASSERT_EQ(::rename(at("in").c_str(), at("was-in").c_str()), 0);
    make_link("was-in", "in");
    for (const std::string name : {"gone", "replaced", "folder", "fifo", "link", "in/file"}) {
      const auto opened = tree->open(scanned.find(entry_path(name)));
      ASSERT_FALSE(opened) << name;
      EXPECT_EQ(opened.error().code(), Code::kChanged) << opened.error().message();
      EXPECT_NE(opened.error().message().find(name), std::string::npos);
    }
    for (const std::string name : {"gone", "replaced", "folder", "fifo", "link"}) {
      ::remove(at(name).c_str());
      ASSERT_EQ(::rename(at("outside/" + name).c_str(), at(name).c_str()), 0);
    }
    ASSERT_EQ(::unlink(at("in").c_str()), 0);
    ASSERT_EQ(::rename(at("was-in").c_str(), at("in").c_str()), 0);
  }
}

TEST_F(PosixSourceTreeContent, UnreadableFileIsRefused) {
  make_file("file");
  ASSERT_EQ(::chmod(at("file").c_str(), 0), 0);
  ASSERT_EQ(::chmod(root().c_str(), 0755), 0);
  EXPECT_TRUE(in_child([&] {
    if (::geteuid() == 0 && ::seteuid(65534) != 0) return false;
    const auto tree = PosixSourceTree::create({root()}, {}).value();
    const auto opened = tree->open(scan(*tree).find(entry_path("file")));
    return !opened && opened.error().code() == Code::kPermissionDenied;
  }));
}

TEST_F(PosixSourceTreeContent, AccessTimesStayAsTheyWere) {
  make_file("file");
  const struct timespec times[2] = {{1000, 0}, {2000, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, at("file").c_str(), times, 0), 0);
  const auto tree = PosixSourceTree::create({root()}, {}).value();
  ASSERT_TRUE(read_all(*tree, scan(*tree).find(entry_path("file"))));
  struct stat stat {};
  ASSERT_EQ(::stat(at("file").c_str(), &stat), 0);
  EXPECT_EQ(stat.st_atim.tv_sec, 1000);
}

TEST_F(PosixSourceTreeDescription, GivesOwnersTargetsAndAttributes) {
  make_file("file");
  make_folder("folder");
  make_link("some/where", "link");
  ASSERT_EQ(::mkfifo(at("fifo").c_str(), 0644), 0);
  if (::setxattr(at("file").c_str(), "user.b", "2", 1, 0) != 0)
    GTEST_SKIP() << "the temporary folder's file system has no extended attributes";
  ASSERT_EQ(::setxattr(at("file").c_str(), "user.a", "\0\xff", 2, 0), 0);
  ASSERT_EQ(::setxattr(at("folder").c_str(), "user.f", "", 0, 0), 0);
  for (const KernelFeatures features : feature_sets()) {
    const auto tree = PosixSourceTree::create({root()}, {}, features).value();
    Scanned scanned = scan(*tree);
    for (Entry& entry : scanned.entries) ASSERT_TRUE(tree->describe(entry)) << entry.path;
    const Entry& file = scanned.find(entry_path("file"));
    EXPECT_EQ(file.xattrs,
              (std::vector<Xattr>{{"user.a", std::string("\0\xff", 2)}, {"user.b", "2"}}));
    EXPECT_EQ(scanned.find(entry_path("folder")).xattrs, (std::vector<Xattr>{{"user.f", ""}}));
    EXPECT_EQ(scanned.find(entry_path("link")).target, "some/where");
    EXPECT_TRUE(scanned.find(entry_path("fifo")).xattrs.empty());
    const passwd* owner = ::getpwuid(::geteuid());
    EXPECT_EQ(file.user, owner != nullptr ? owner->pw_name : "");
  }
}

TEST_F(PosixSourceTreeDescription, LargeAttributesAreWhole) {
  make_file("file");
  const std::string large(3000, 'v');
  if (::setxattr(at("file").c_str(), "user.large", large.data(), large.size(), 0) != 0)
    GTEST_SKIP() << "the temporary folder's file system keeps no attribute of 3000 bytes";
  for (const KernelFeatures features : feature_sets()) {
    const auto tree = PosixSourceTree::create({root()}, {}, features).value();
    Entry file = scan(*tree).find(entry_path("file"));
    ASSERT_TRUE(tree->describe(file));
    EXPECT_EQ(file.xattrs, (std::vector<Xattr>{{"user.large", large}}));
  }
}

TEST_F(PosixSourceTreeDescription, UnknownOwnersHaveNoName) {
  AccountNames names;
  EXPECT_EQ(names.user(4'000'000'000U), "");
  EXPECT_EQ(names.user(0), "root");
  EXPECT_EQ(names.group(0), "root");
  EXPECT_EQ(names.group(4'000'000'000U), "");
}

TEST_F(PosixSourceTreeDescription, SocketsAndFifosAreEntriesThatNobodyOpens) {
  ASSERT_EQ(::mkfifo(at("fifo").c_str(), 0600), 0);
  const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(at("socket").size(), sizeof address.sun_path);
  at("socket").copy(address.sun_path, sizeof address.sun_path);
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const auto tree = PosixSourceTree::create({root()}, {}).value();
  Scanned scanned = scan(*tree);
  EXPECT_TRUE(S_ISFIFO(scanned.find(entry_path("fifo")).mode));
  EXPECT_TRUE(S_ISSOCK(scanned.find(entry_path("socket")).mode));
  for (Entry& entry : scanned.entries) EXPECT_TRUE(tree->describe(entry)) << entry.path;
}

TEST_F(PosixSourceTreeDescription, VanishedEntryIsChanged) {
  make_link("x", "link");
  const auto tree = PosixSourceTree::create({root()}, {}).value();
  Entry link = scan(*tree).find(entry_path("link"));
  ASSERT_EQ(::unlink(at("link").c_str()), 0);
  const Status status = tree->describe(link);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code(), Code::kChanged);
}

}  // namespace
}  // namespace holdfast::agent
