#include "agent/posix/posix_source_tree.h"

#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include <cstdio>
#include <random>

#include "agent/posix/account_names.h"
#include "agent/posix/file_stat.h"
#include "agent/posix/open_beneath.h"
#include "agent/posix/xattr_system_calls.h"
#include "tests/testing/failing_system_call.h"
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

TEST_F(PosixSourceTreeContent, FileOfAnotherFileSystemWithTheSameNumberIsAnother) {
  make_file("file");
  const auto tree = PosixSourceTree::create({root()}, {}).value();
  Entry entry = scan(*tree).find(entry_path("file"));
  ++entry.device;
  EXPECT_EQ(tree->open(entry).error().code(), Code::kChanged);
}

TEST_F(PosixSourceTreeContent, AnyOfItsNumbersAloneTellsAChangedFile) {
  FileStat stat;
  stat.size = stat.inode = stat.device = 1;
  stat.mtime_seconds = stat.ctime_seconds = 1;
  stat.mtime_nanoseconds = stat.ctime_nanoseconds = 1;
  Entry same;
  apply(stat, same);
  EXPECT_FALSE(differs(stat, same));
  const std::function<void(Entry&)> changes[] = {
      [](Entry& entry) { ++entry.size; },
      [](Entry& entry) { ++entry.inode; },
      [](Entry& entry) { ++entry.device; },
      [](Entry& entry) { ++entry.mtime.seconds; },
      [](Entry& entry) { ++entry.mtime.nanoseconds; },
      [](Entry& entry) { ++entry.ctime.seconds; },
      [](Entry& entry) { ++entry.ctime.nanoseconds; },
  };
  for (const auto& change : changes) {
    Entry entry = same;
    change(entry);
    EXPECT_TRUE(differs(stat, entry)) << &change - changes;
  }
  Entry others = same;  // that of an open file, its name or owner may change meanwhile
  others.path = "x";
  others.uid = 7;
  EXPECT_FALSE(differs(stat, others));
}

TEST_F(PosixSourceTreeContent, IsReadThoughTheKernelRefusesToSpareTheAccessTime) {
  std::vector<int> tried;
  const auto refusing = [&](int flags) {
    tried.push_back(flags);
    errno = EPERM;
    return Descriptor((flags & O_NOATIME) != 0 ? -1 : ::open(root().c_str(), O_RDONLY | O_CLOEXEC));
  };
  EXPECT_TRUE(open_without_atime(::geteuid(), O_RDONLY, refusing));
  EXPECT_EQ(tried, (std::vector<int>{O_RDONLY | O_NOATIME, O_RDONLY}));
  // Nothing is tried twice for another reason.
  tried.clear();
  const auto failing = [&](int flags) {
    tried.push_back(flags);
    errno = EACCES;
    return Descriptor();
  };
  EXPECT_FALSE(open_without_atime(::geteuid(), O_RDONLY, failing));
  EXPECT_EQ(tried.size(), 1U);
}

// A process knows from its first question on who it is, so each way is taken where this test runs
// alone or not.
TEST_F(PosixSourceTreeContent, WhatIsRefusedIsTriedAgainOnlyIfTheAccessTimeWasToBeSpared) {
  EXPECT_TRUE(on_own_thread([&] {
    if (!become_nobody()) return false;
    int tried = 0;
    const auto refusing = [&](int) {
      ++tried;
      errno = EPERM;
      return Descriptor();
    };
    EXPECT_FALSE(open_without_atime(1234, O_RDONLY, refusing));
    EXPECT_EQ(tried, noatime_for(1234) != 0 ? 2 : 1);
    return true;
  }));
}

TEST_F(PosixSourceTreeContent, UnreadableFileIsRefusedAndOthersAreRead) {
  for (const std::string name : {"closed", "open", "own"}) make_file(name, name);
  ASSERT_EQ(::chmod(at("closed").c_str(), 0), 0);
  const uid_t own = ::geteuid() == 0 ? kNobody : ::geteuid();
  ASSERT_EQ(::chown(at("own").c_str(), own, static_cast<gid_t>(-1)), 0);
  ASSERT_EQ(::chmod(root().c_str(), 0755), 0);
  EXPECT_TRUE(on_own_thread([&] {
    if (!become_nobody()) return false;
    const auto tree = PosixSourceTree::create({root()}, {}).value();
    const Scanned scanned = scan(*tree);
    for (const std::string name : {"open", "own"})
      EXPECT_EQ(read_all(*tree, scanned.find(entry_path(name))).value(), name);
    const auto opened = tree->open(scanned.find(entry_path("closed")));
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

TEST_F(PosixSourceTreeDescription, IsReadFromTheRootOfAllFileSystems) {
  make_file("file", "content");
  const Entry file = scan({root()}).find(entry_path("file"));
  for (const KernelFeatures features : feature_sets()) {
    const auto tree = PosixSourceTree::create({"/"}, {}, features).value();
    Entry of_root;
    of_root.mode = S_IFDIR | 0755;
    EXPECT_TRUE(tree->describe(of_root));
    EXPECT_EQ(of_root.user, "root");
    Entry described = file;
    EXPECT_TRUE(tree->describe(described));
    EXPECT_EQ(read_all(*tree, file).value(), "content");
  }
}

TEST_F(PosixSourceTreeDescription, FoldersAboveTheSourcesHaveTheirAttributes) {
  make_folder("above");
  make_folder("above/source");
  if (::setxattr(at("above").c_str(), "user.a", "1", 1, 0) != 0)
    GTEST_SKIP() << "the temporary folder's file system has no extended attributes";
  const auto tree = PosixSourceTree::create({at("above/source")}, {}).value();
  Entry above = scan(*tree).find(entry_path("above"));
  ASSERT_TRUE(tree->describe(above));
  EXPECT_EQ(above.xattrs, (std::vector<Xattr>{{"user.a", "1"}}));
  ASSERT_EQ(::rename(at("above").c_str(), at("elsewhere").c_str()), 0);
  EXPECT_EQ(tree->describe(above).error().code(), Code::kChanged);
}

TEST_F(PosixSourceTreeDescription, AttributesThatCannotBeReadAreTold) {
  make_file("file");
  for (const char* const name : {"user.a", "user.b"})
    if (::setxattr(at("file").c_str(), name, "1", 1, 0) != 0)
      GTEST_SKIP() << "the temporary folder's file system has no extended attributes";
  for (KernelFeatures features : feature_sets()) {
    const long get = features.xattr_at ? kGetxattrat : SYS_lgetxattr;
    const auto tree = PosixSourceTree::create({root()}, {}, features).value();
    Entry file = scan(*tree).find(entry_path("file"));
    EXPECT_TRUE(testing::with_failing_system_calls({get}, EIO, [&] {
      const Status status = tree->describe(file);
      ASSERT_FALSE(status);
      EXPECT_EQ(status.error().code(), Code::kIo);
      EXPECT_NE(status.error().message().find("user.a"), std::string::npos);
    }));
    EXPECT_TRUE(file.xattrs.empty());
    // Removed since they were listed.
    EXPECT_TRUE(testing::with_failing_system_calls({get}, ENODATA, [&] {
      EXPECT_TRUE(tree->describe(file));
      EXPECT_TRUE(file.xattrs.empty());
    }));
  }
}

TEST_F(PosixSourceTreeDescription, MoreAttributesThanTheKernelListsAreTold) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may mount";
  make_folder("mount");
  EXPECT_TRUE(on_own_thread([&] {
    if (!mount_for_this_thread_alone() ||
        ::mount("none", at("mount").c_str(), "tmpfs", 0, "size=1m") != 0)
      return false;
    make_file("mount/file");
    for (int i = 0; i < 300; ++i) {
      const std::string name = "trusted." + std::to_string(i) + std::string(240, 'n');
      if (::setxattr(at("mount/file").c_str(), name.c_str(), "", 0, 0) != 0) return false;
    }
    for (const KernelFeatures features : feature_sets()) {
      const auto tree = PosixSourceTree::create({at("mount")}, {}, features).value();
      Entry file = scan(*tree).find(entry_path("mount/file"));
      const Status status = tree->describe(file);
      EXPECT_FALSE(status);
      EXPECT_NE(status.error().message().find("listxattr"), std::string::npos);
    }
    return true;
  }));
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

TEST_F(PosixSourceTreeDescription, GroupsOfVeryManyMembersHaveANameUpToALimit) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may mount";
  std::string groups = "small:x:4000003:\n";
  for (const auto& [group, members] :
       {std::pair("large:x:4000001:", 3000), {"huge:x:4000002:", 1'800'000}}) {
    groups += group;
    for (int i = 0; i < members; ++i) groups += (i == 0 ? "member" : ",somebody");
    groups += '\n';
  }
  make_file("group", groups);
  EXPECT_TRUE(on_own_thread([&] {
    if (!mount_for_this_thread_alone() ||
        ::mount(at("group").c_str(), "/etc/group", nullptr, MS_BIND, nullptr) != 0)
      return false;
    AccountNames names;
    EXPECT_EQ(names.group(4'000'001), "large");
    EXPECT_EQ(names.group(4'000'002), "");
    EXPECT_EQ(names.group(4'000'003), "small");
    return true;
  }));
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
  make_file("file");
  for (const KernelFeatures features : feature_sets()) {
    const auto tree = PosixSourceTree::create({root()}, {}, features).value();
    Entry file = scan(*tree).find(entry_path("file"));
    ASSERT_EQ(::rename(at("file").c_str(), at("elsewhere").c_str()), 0);
    EXPECT_EQ(tree->describe(file).error().code(), Code::kChanged);
    ASSERT_EQ(::rename(at("elsewhere").c_str(), at("file").c_str()), 0);
  }
  make_link("x", "link");
  const auto tree = PosixSourceTree::create({root()}, {}).value();
  Entry link = scan(*tree).find(entry_path("link"));
  ASSERT_EQ(::unlink(at("link").c_str()), 0);
  const Status status = tree->describe(link);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code(), Code::kChanged);
  make_file("link");
  EXPECT_EQ(tree->describe(link).error().code(), Code::kChanged) << "it is no link any more";
}

}  // namespace
}  // namespace holdfast::agent
