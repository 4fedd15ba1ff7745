#include "agent/posix/posix_source_tree.h"

#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <random>

#include "tests/testing/seed.h"
#include "tests/unit/agent/posix/tree_fixture.h"

namespace holdfast::agent {
namespace {

using PosixSourceTreeScan = TreeFixture;
using PosixSourceTreeSources = TreeFixture;
using PosixSourceTreeExclusion = TreeFixture;
using PosixSourceTreeContent = TreeFixture;
using PosixSourceTreeDescription = TreeFixture;
using Paths = std::vector<std::string>;

// Runs `body` in a child process, which may change what it is allowed to; true if it returned true.
bool in_child(const std::function<bool()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body() ? 0 : 1);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_F(PosixSourceTreeScan, EntriesComeInCatalogOrderWithTheFoldersAbove) {
  make_folder("a");
  make_folder("a/b");
  make_file("a/b/z");
  make_file("a.b");
  make_file("a-b");
  make_folder("empty");
  const Scanned scanned = scan({root()});
  ASSERT_TRUE(scanned.status);
  EXPECT_EQ(scanned.below(entry_path("")), (Paths{"a", "a/b", "a/b/z", "a-b", "a.b", "empty"}));
  const Paths paths = scanned.paths();
  EXPECT_EQ(paths.front(), "");
  EXPECT_EQ(paths[1], entry_path("").substr(0, entry_path("").find('/')));
  for (std::size_t i = 1; i < paths.size(); ++i)
    EXPECT_TRUE(compare_paths(paths[i - 1], paths[i]) < 0)
        << paths[i - 1] << " before " << paths[i];
  for (const Entry& entry : scanned.entries)
    EXPECT_TRUE(entry.is_regular() || entry.is_directory()) << entry.path;
  EXPECT_TRUE(scanned.problems.empty());
}

TEST_F(PosixSourceTreeScan, StatFieldsAreThoseOfLstat) {
  make_file("file", "content");
  make_link("/nowhere", "link");
  const struct timespec times[2] = {{1, 0}, {1234567890, 123456789}};
  ASSERT_EQ(::utimensat(AT_FDCWD, at("file").c_str(), times, 0), 0);
  ASSERT_EQ(::chmod(at("file").c_str(), 04751), 0);
  struct stat stat {};
  ASSERT_EQ(::lstat(at("file").c_str(), &stat), 0);

  const Scanned scanned = scan({root()});
  const Entry& file = scanned.find(entry_path("file"));
  EXPECT_EQ(file.mode, 0104751U);
  EXPECT_EQ(file.size, 7U);
  EXPECT_EQ(file.mtime, (Timestamp{1234567890, 123456789}));
  EXPECT_EQ(file.ctime.seconds, stat.st_ctim.tv_sec);
  EXPECT_EQ(file.inode, stat.st_ino);
  EXPECT_EQ(file.device, stat.st_dev);
  EXPECT_EQ(file.uid, stat.st_uid);
  EXPECT_TRUE(scanned.find(entry_path("link")).is_symlink());
}

TEST_F(PosixSourceTreeScan, NamesAreAnyBytes) {
  const Paths names = {"new\nline",           "\x01", "\xff\xfe", " ", "...",
                       std::string(255, 'n'), "\\",   "*"};
  for (const std::string& name : names) make_file(name);
  Paths sorted = names;
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return compare_paths(a, b) < 0; });
  EXPECT_EQ(scan({root()}).below(entry_path("")), sorted);
}

TEST_F(PosixSourceTreeScan, HardLinksShareTheirInode) {
  make_file("one");
  ASSERT_EQ(::link(at("one").c_str(), at("two").c_str()), 0);
  const Scanned scanned = scan({root()});
  EXPECT_EQ(scanned.find(entry_path("one")).inode, scanned.find(entry_path("two")).inode);
  EXPECT_EQ(scanned.find(entry_path("one")).links, 2U);
}

TEST_F(PosixSourceTreeScan, LookAheadChangesNothingThatIsDelivered) {
  std::mt19937_64 random(testing::seed());
  Paths folders = {""};
  for (int i = 0; i < 300; ++i) {
    const std::string parent = folders[random() % folders.size()];
    const std::string path = parent + (parent.empty() ? "" : "/") + std::to_string(i);
    if (random() % 2 == 0) {
      make_folder(path);
      folders.push_back(path);
    } else {
      make_file(path);
    }
  }
  // The folders above belong to everybody, whose other doings change their times.
  const std::string top = root().substr(1);
  const auto of_the_tree = [&](Scanned scanned) {
    std::erase_if(scanned.entries,
                  [&](const Entry& entry) { return !entry.path.starts_with(top); });
    return scanned.entries;
  };
  ScanOptions alone;
  alone.look_ahead_threads = 0;
  const Scanned expected = scan({root()}, alone);
  ASSERT_GT(expected.entries.size(), 300U);
  for (const std::size_t threads : {1U, 2U, 4U})
    for (const std::size_t entries : {0U, 1U, 10U, 100'000U}) {
      ScanOptions options;
      options.look_ahead_threads = threads;
      options.look_ahead_entries = entries;
      EXPECT_EQ(of_the_tree(scan({root()}, options)), of_the_tree(expected))
          << threads << ", " << entries;
    }
}

TEST_F(PosixSourceTreeScan, EndsWhenTheVisitSaysSo) {
  for (int i = 0; i < 20; ++i) {
    make_folder(std::to_string(i));
    make_file(std::to_string(i) + "/x");
  }
  const auto tree = PosixSourceTree::create({root()}, {}).value();
  for (std::size_t wanted = 1; wanted < 20; ++wanted) {
    std::size_t visited = 0;
    ASSERT_TRUE(tree->scan([&](Entry&&) { return ++visited < wanted; }, [](ScanProblem&&) {}));
    EXPECT_EQ(visited, wanted);
  }
}

// Makes a chain of folders named `name` below `folder`, longer than any path may be.
void make_deep(const std::string& folder, const std::string& name, int levels) {
  Descriptor current(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int i = 0; i < levels; ++i) {
    ASSERT_EQ(::mkdirat(current.get(), name.c_str(), 0755), 0);
    current = Descriptor(::openat(current.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  const Descriptor file(::openat(current.get(), "bottom", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  ASSERT_EQ(::write(file.get(), "deep", 4), 4);
}

TEST_F(PosixSourceTreeScan, TreesDeeperThanPathsMayBeLongAreReadWithFewDescriptors) {
  constexpr int kLevels = 400;
  const std::string name(200, 'd');
  make_deep(root(), name, kLevels);
  for (const KernelFeatures features : feature_sets()) {
    EXPECT_TRUE(in_child([&] {
      const rlimit few{100, 100};
      if (::setrlimit(RLIMIT_NOFILE, &few) != 0) return false;
      auto tree = PosixSourceTree::create({root()}, {}, features).value();
      Scanned scanned = scan(*tree);
      if (!scanned.status || !scanned.problems.empty()) return false;
      if (scanned.below(entry_path("")).size() != kLevels + 1) return false;
      Entry& bottom = scanned.entries.back();
      return bottom.name() == "bottom" && read_all(*tree, bottom).value() == "deep" &&
             tree->describe(bottom).has_value();
    })) << "openat2: "
        << features.openat2;
  }
}

TEST_F(PosixSourceTreeScan, ManySourcesNeedFewDescriptors) {
  Paths sources;
  for (int i = 0; i < 300; ++i) {
    const std::string name = std::to_string(i);
    make_folder(name);
    make_folder(name + "/in");
    make_file(name + "/in/file");
    sources.push_back(at(name));
  }
  EXPECT_TRUE(in_child([&] {
    const rlimit few{100, 100};
    if (::setrlimit(RLIMIT_NOFILE, &few) != 0) return false;
    const Scanned scanned = scan(sources);
    return scanned.problems.empty() && scanned.below(entry_path("")).size() == 900;
  }));
}

TEST_F(PosixSourceTreeScan, UnreadableFolderIsAProblemAndTheRestIsVisited) {
  make_folder("closed");
  make_file("closed/inside");
  make_file("zlast");
  ASSERT_EQ(::chmod(at("closed").c_str(), 0), 0);
  ASSERT_EQ(::chmod(root().c_str(), 0755), 0);
  EXPECT_TRUE(in_child([&] {
    // Root may read everything, so the child becomes somebody else; others stay who they are.
    if (::geteuid() == 0 && ::seteuid(65534) != 0) return false;
    const Scanned scanned = scan({root()});
    if (!scanned.status || scanned.problems.size() != 1) return false;
    const ScanProblem& problem = scanned.problems[0];
    return problem.path == at("closed") && problem.error.code() == Code::kPermissionDenied &&
           scanned.below(entry_path("")) == Paths{"closed", "zlast"} &&
           scanned.find(entry_path("closed")).condition == EntryCondition::kUnreadable;
  }));
  ASSERT_EQ(::chmod(at("closed").c_str(), 0755), 0);
}

TEST_F(PosixSourceTreeScan, FolderThatVanishesBeforeItIsListedIsAProblem) {
  make_folder("a");
  make_folder("b");
  make_file("c");
  ScanOptions alone;
  alone.look_ahead_threads = 0;
  const auto tree = PosixSourceTree::create({root()}, alone).value();
  Paths visited, problems;
  ASSERT_TRUE(tree->scan(
      [&](Entry&& entry) {
        if (entry.path == entry_path("a")) ::rmdir(at("b").c_str());
        visited.push_back(entry.path);
        return true;
      },
      [&](ScanProblem&& problem) {
        EXPECT_EQ(problem.error.code(), Code::kChanged);
        problems.push_back(problem.path);
      }));
  EXPECT_EQ(problems, Paths{at("b")});
  EXPECT_EQ(visited.back(), entry_path("c"));
}

TEST_F(PosixSourceTreeScan, FolderReplacedByALinkIsNotFollowed) {
  make_folder("a");
  make_folder("b");
  make_folder("outside");
  make_file("outside/secret");
  ScanOptions alone;
  alone.look_ahead_threads = 0;
  for (const KernelFeatures features : feature_sets()) {
    const auto tree = PosixSourceTree::create({root()}, alone, features).value();
    Paths visited;
    ASSERT_TRUE(tree->scan(
        [&](Entry&& entry) {
          if (entry.path == entry_path("a")) {
            ::rmdir(at("b").c_str());
            ::unlink(at("b").c_str());
            make_link("outside", "b");
          }
          visited.push_back(entry.path);
          return true;
        },
        [](ScanProblem&& problem) { EXPECT_EQ(problem.error.code(), Code::kChanged); }));
    EXPECT_EQ(std::count(visited.begin(), visited.end(), entry_path("b/secret")), 0);
  }
}

TEST_F(PosixSourceTreeSources, AreNormalisedMergedAndVisitedOnce) {
  make_folder("a");
  make_folder("a/b");
  make_file("a/b/file");
  make_folder("c");
  const Scanned scanned =
      scan({at("a/b/"), at("a/./b/../../a//"), at("a/b/file"), at("c"), at("c")});
  ASSERT_TRUE(scanned.status) << scanned.status.error().message();
  EXPECT_EQ(scanned.below(entry_path("")), (Paths{"a", "a/b", "a/b/file", "c"}));
}

TEST_F(PosixSourceTreeSources, OnlyWhatLeadsToThemIsVisitedAbove) {
  make_folder("a");
  make_file("a/wanted");
  make_file("a/beside");
  make_file("other");
  EXPECT_EQ(scan({at("a/wanted")}).below(entry_path("")), (Paths{"a", "a/wanted"}));
}

TEST_F(PosixSourceTreeSources, RelativeOnesStartAtTheWorkingDirectory) {
  make_folder("a");
  make_file("a/x");
  EXPECT_TRUE(in_child([&] {
    return ::chdir(root().c_str()) == 0 && scan({"a"}).below(entry_path("")) == Paths{"a", "a/x"} &&
           scan({"."}).below(entry_path("")) == Paths{"a", "a/x"};
  }));
}

TEST_F(PosixSourceTreeSources, LinkIsKeptAsALink) {
  make_folder("real");
  make_file("real/x");
  make_link("real", "link");
  const auto tree = PosixSourceTree::create({at("link") + "/"}, {}).value();
  Scanned scanned = scan(*tree);
  ASSERT_EQ(scanned.below(entry_path("")), Paths{"link"});
  ASSERT_TRUE(tree->describe(scanned.entries.back()));
  EXPECT_EQ(scanned.entries.back().target, "real");
}

TEST_F(PosixSourceTreeSources, LinkAboveASourceIsFollowedAndKeptAsAFolder) {
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

TEST_F(PosixSourceTreeSources, OneBehindALinkInAnotherIsRefused) {
  make_folder("real");
  make_file("real/x");
  make_link("real", "link");
  const Scanned scanned = scan({root(), at("link/x")});
  ASSERT_FALSE(scanned.status);
  EXPECT_EQ(scanned.status.error().code(), Code::kInvalidArgument);
  EXPECT_NE(scanned.status.error().message().find(at("link")), std::string::npos);
  EXPECT_FALSE(scan({at("link"), at("link/x")}).status);
}

TEST_F(PosixSourceTreeSources, OneThatDoesNotExistIsAnError) {
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

TEST_F(PosixSourceTreeExclusion, PatternsKeepNamesAndAllBelowOut) {
  make_folder("keep");
  make_file("keep/a.o");
  make_file("keep/a.c");
  make_folder("keep/cache");
  make_file("keep/cache/x");
  ScanOptions options;
  options.exclude = PathFilter::parse({"*.o", at("keep/cache")}).value();
  EXPECT_EQ(scan({root()}, options).below(entry_path("")), (Paths{"keep", "keep/a.c"}));
}

TEST_F(PosixSourceTreeExclusion, MarkedCachesKeepTheirMarkOnly) {
  for (const std::string folder : {"marked", "empty", "wrong"}) {
    make_folder(folder);
    make_file(folder + "/x");
  }
  make_file("marked/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n# a cache\n");
  make_file("empty/CACHEDIR.TAG", "");
  make_file("wrong/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc56");
  ScanOptions options;
  options.exclude_caches = true;
  EXPECT_EQ(scan({root()}, options).below(entry_path("")),
            (Paths{"empty", "empty/CACHEDIR.TAG", "empty/x", "marked", "marked/CACHEDIR.TAG",
                   "wrong", "wrong/CACHEDIR.TAG", "wrong/x"}));
  EXPECT_EQ(scan({root()}).below(entry_path("marked")), (Paths{"CACHEDIR.TAG", "x"}));
}

TEST_F(PosixSourceTreeExclusion, OneFileSystemStopsAtMountsExceptForSources) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may mount";
  make_folder("mount");
  make_file("plain");
  const bool done = in_child([&] {
    // In a namespace of its own, so that nobody else sees the mount and it ends with the child.
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("none", at("mount").c_str(), "tmpfs", 0, "size=64k") != 0)
      return false;
    make_folder("mount/in");
    make_file("mount/in/x");
    make_file("mount/beside");
    ScanOptions options;
    options.one_file_system = true;
    return scan({root()}, options).below(entry_path("")) == Paths{"mount", "plain"} &&
           scan({root()}).below(entry_path("mount")) == Paths{"beside", "in", "in/x"} &&
           scan({root(), at("mount")}, options).below(entry_path("mount")) ==
               Paths{"beside", "in", "in/x"} &&
           scan({root(), at("mount/in")}, options).below(entry_path("mount")) ==
               Paths{"in", "in/x"};
  });
  EXPECT_TRUE(done);
}

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
