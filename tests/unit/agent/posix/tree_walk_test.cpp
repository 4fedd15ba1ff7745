#include "agent/posix/tree_walk.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <random>

#include "tests/testing/failing_system_call.h"
#include "tests/testing/seed.h"
#include "tests/unit/agent/posix/tree_fixture.h"

namespace holdfast::agent {
namespace {

using TreeWalkOrder = TreeFixture;
using TreeWalkExclusion = TreeFixture;
using Paths = std::vector<std::string>;

TEST_F(TreeWalkOrder, EntriesComeInCatalogOrderWithTheFoldersAbove) {
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

TEST_F(TreeWalkOrder, StatFieldsAreThoseOfLstat) {
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

TEST_F(TreeWalkOrder, NamesAreAnyBytes) {
  const Paths names = {"new\nline",           "\x01", "\xff\xfe", " ", "...",
                       std::string(255, 'n'), "\\",   "*"};
  for (const std::string& name : names) make_file(name);
  Paths sorted = names;
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return compare_paths(a, b) < 0; });
  EXPECT_EQ(scan({root()}).below(entry_path("")), sorted);
}

TEST_F(TreeWalkOrder, HardLinksShareTheirInode) {
  make_file("one");
  ASSERT_EQ(::link(at("one").c_str(), at("two").c_str()), 0);
  const Scanned scanned = scan({root()});
  EXPECT_EQ(scanned.find(entry_path("one")).inode, scanned.find(entry_path("two")).inode);
  EXPECT_EQ(scanned.find(entry_path("one")).links, 2U);
}

TEST_F(TreeWalkOrder, LookAheadChangesNothingThatIsDelivered) {
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
  ScanOptions alone;
  alone.look_ahead_threads = 0;
  const std::vector<Entry> expected = scan({root()}, alone).within(entry_path(""));
  ASSERT_EQ(expected.size(), 301U);
  for (const std::size_t threads : {1U, 2U, 4U})
    for (const std::size_t entries : {0U, 1U, 10U, 100'000U}) {
      ScanOptions options;
      options.look_ahead_threads = threads;
      options.look_ahead_entries = entries;
      EXPECT_EQ(scan({root()}, options).within(entry_path("")), expected)
          << threads << ", " << entries;
    }
}

TEST_F(TreeWalkOrder, EndsWhenTheVisitSaysSo) {
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

// Of the whole process.
class FewDescriptors {
 public:
  FewDescriptors() {
    check(::getrlimit(RLIMIT_NOFILE, &before_) == 0, "getrlimit");
    const rlimit few{std::min<rlim_t>(100, before_.rlim_cur), before_.rlim_max};
    check(::setrlimit(RLIMIT_NOFILE, &few) == 0, "setrlimit");
  }
  ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

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

TEST_F(TreeWalkOrder, TreesDeeperThanPathsMayBeLongAreReadWithFewDescriptors) {
  constexpr int kLevels = 600;
  const std::string name(200, 'd');
  make_deep(root(), name, kLevels);
  const FewDescriptors few;
  for (const KernelFeatures features : feature_sets()) {
    auto tree = PosixSourceTree::create({root()}, {}, features).value();
    Scanned scanned = scan(*tree);
    ASSERT_TRUE(scanned.status && scanned.problems.empty()) << "openat2: " << features.openat2;
    ASSERT_EQ(scanned.below(entry_path("")).size(), kLevels + 1U);
    Entry& bottom = scanned.entries.back();
    EXPECT_EQ(bottom.name(), "bottom");
    EXPECT_EQ(read_all(*tree, bottom).value(), "deep");
    EXPECT_TRUE(tree->describe(bottom));
  }
}

TEST_F(TreeWalkOrder, ManySourcesNeedFewDescriptors) {
  Paths sources;
  for (int i = 0; i < 300; ++i) {
    const std::string name = std::to_string(i);
    make_folder(name);
    make_folder(name + "/in");
    make_file(name + "/in/file");
    sources.push_back(at(name));
  }
  const FewDescriptors few;
  const Scanned scanned = scan(sources);
  EXPECT_TRUE(scanned.problems.empty());
  EXPECT_EQ(scanned.below(entry_path("")).size(), 900U);
}

TEST_F(TreeWalkOrder, UnreadableFolderIsAProblemAndTheRestIsVisited) {
  make_folder("closed");
  make_file("closed/inside");
  make_file("zlast");
  ASSERT_EQ(::chmod(at("closed").c_str(), 0), 0);
  ASSERT_EQ(::chmod(root().c_str(), 0755), 0);
  EXPECT_TRUE(on_own_thread([&] {
    if (!become_nobody()) return false;  // root may read everything
    const Scanned scanned = scan({root()});
    if (!scanned.status || scanned.problems.size() != 1) return false;
    const ScanProblem& problem = scanned.problems[0];
    return problem.path == at("closed") && problem.error.code() == Code::kPermissionDenied &&
           scanned.below(entry_path("")) == Paths{"closed", "zlast"} &&
           scanned.find(entry_path("closed")).condition == EntryCondition::kUnreadable;
  }));
  ASSERT_EQ(::chmod(at("closed").c_str(), 0755), 0);
}

TEST_F(TreeWalkOrder, FolderThatVanishesBeforeItIsListedIsAProblem) {
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

TEST_F(TreeWalkOrder, FolderReplacedByALinkIsNotFollowed) {
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

TEST_F(TreeWalkOrder, FolderBehindOneReplacedByALinkIsAProblem) {
  make_folder("a");
  make_folder("a/b");
  make_folder("outside");
  make_folder("outside/b");
  make_file("outside/b/secret");
  ScanOptions alone;
  alone.look_ahead_threads = 0;
  for (const KernelFeatures features : feature_sets()) {
    const auto tree = PosixSourceTree::create({root()}, alone, features).value();
    Paths visited, problems;
    ASSERT_TRUE(tree->scan(
        [&](Entry&& entry) {
          if (entry.path == entry_path("a")) {
            EXPECT_EQ(::rename(at("a").c_str(), at("was-a").c_str()), 0);
            make_link("outside", "a");
          }
          visited.push_back(entry.path);
          return true;
        },
        [&](ScanProblem&& problem) {
          EXPECT_EQ(problem.error.code(), Code::kChanged) << problem.error.message();
          problems.push_back(problem.path);
        }));
    EXPECT_EQ(problems, Paths{at("a/b")});
    EXPECT_EQ(std::count(visited.begin(), visited.end(), entry_path("a/b/secret")), 0);
    ASSERT_EQ(::unlink(at("a").c_str()), 0);
    ASSERT_EQ(::rename(at("was-a").c_str(), at("a").c_str()), 0);
  }
}

TEST_F(TreeWalkOrder, FilesThatVanishWhileTheirFolderIsListedAreProblems) {
  for (const std::string name : {"a", "b", "c"}) make_file(name);
  const Descriptor folder(::open(root().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  FolderListing listing;
  Paths problems;
  FolderLister lister;
  ASSERT_TRUE(lister.list(
      folder.get(),
      [&](std::string_view name) {
        if (name == "b") ::unlink(at("b").c_str());
        return false;
      },
      [&](std::string_view name, Error error) {
        EXPECT_EQ(error.code(), Code::kChanged);
        problems.emplace_back(name);
      },
      listing));
  EXPECT_EQ(problems, Paths{"b"});
  ASSERT_EQ(listing.items().size(), 2U);
  EXPECT_EQ(listing.name(listing.items()[1]), "c");
}

TEST_F(TreeWalkOrder, TheRootOfAllFileSystemsIsASourceAsAnyOther) {
  make_folder("in");
  make_file("in/file");
  ScanOptions options;
  // Of all there is, only what leads to the test's folder.
  std::vector<std::string> patterns;
  const std::string path = root();
  for (auto slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string step = path.substr(0, slash);
    patterns.push_back(step.substr(0, step.rfind('/')) + "/*");
    patterns.push_back("!" + step);
    if (slash == path.npos) break;
  }
  options.exclude = PathFilter::parse(patterns).value();
  for (const KernelFeatures features : feature_sets()) {
    const Scanned scanned = scan({"/"}, options, features);
    ASSERT_TRUE(scanned.status && scanned.problems.empty());
    EXPECT_EQ(scanned.paths().front(), "");
    EXPECT_EQ(scanned.below(entry_path("")), (Paths{"in", "in/file"}));
  }
}

TEST_F(TreeWalkExclusion, PatternsKeepNamesAndAllBelowOut) {
  make_folder("keep");
  make_file("keep/a.o");
  make_file("keep/a.c");
  make_folder("keep/cache");
  make_file("keep/cache/x");
  ScanOptions options;
  options.exclude = PathFilter::parse({"*.o", at("keep/cache")}).value();
  EXPECT_EQ(scan({root()}, options).below(entry_path("")), (Paths{"keep", "keep/a.c"}));
}

TEST_F(TreeWalkExclusion, MarkedCachesKeepTheirMarkOnly) {
  for (const std::string folder : {"marked", "empty", "wrong"}) {
    make_folder(folder);
    make_file(folder + "/x");
  }
  make_file("marked/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n# a cache\n");
  make_file("empty/CACHEDIR.TAG", "");
  make_file("wrong/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc56");
  ScanOptions options;
  options.exclude_if_present = {FolderMark::cache()};
  EXPECT_EQ(scan({root()}, options).below(entry_path("")),
            (Paths{"empty", "empty/CACHEDIR.TAG", "empty/x", "marked", "marked/CACHEDIR.TAG",
                   "wrong", "wrong/CACHEDIR.TAG", "wrong/x"}));
  EXPECT_EQ(scan({root()}).below(entry_path("marked")), (Paths{"CACHEDIR.TAG", "x"}));
}

TEST_F(TreeWalkExclusion, MarkedFoldersKeepTheirMarksOnly) {
  for (const std::string folder : {"any", "right", "wrong", "both"}) {
    make_folder(folder);
    make_folder(folder + "/in");
    make_file(folder + "/in/x");
  }
  make_file("any/.skip", "");
  make_file("right/MARK", "do not save: ever");
  make_file("wrong/MARK", "do save");
  make_file("both/MARK", "do not save: ever");
  make_link("/nowhere", "both/.skip");
  ScanOptions options;
  options.exclude_if_present = {FolderMark::parse(".skip").value(),
                                FolderMark::parse("MARK:do not save: e").value()};
  EXPECT_EQ(scan({root()}, options).below(entry_path("")),
            (Paths{"any", "any/.skip", "both", "both/.skip", "both/MARK", "right", "right/MARK",
                   "wrong", "wrong/MARK", "wrong/in", "wrong/in/x"}));
}

TEST_F(TreeWalkExclusion, MarksHaveANameOfOneFile) {
  for (const std::string text : {"", ":header", "a/b", ".", "..", "../x:y"})
    EXPECT_EQ(FolderMark::parse(text).error().code(), Code::kInvalidArgument) << text;
  EXPECT_FALSE(FolderMark::parse(std::string("a\0b", 3)));
  EXPECT_FALSE(FolderMark::parse("a:" + std::string(5000, 'x')));
  EXPECT_EQ(FolderMark::parse("a:b:c")->header, "b:c");
}

TEST_F(TreeWalkExclusion, LargerFilesAreLeftOutSourcesToo) {
  make_file("small", std::string(10, 'x'));
  make_file("large", std::string(11, 'x'));
  make_folder("folder");
  make_link(std::string(40, 'x'), "link");
  ScanOptions options;
  options.exclude_larger_than = 10;
  EXPECT_EQ(scan({root()}, options).below(entry_path("")), (Paths{"folder", "link", "small"}));
  EXPECT_EQ(scan({at("large"), at("small")}, options).below(entry_path("")), Paths{"small"});
  options.exclude_larger_than = 0;
  EXPECT_EQ(scan({root()}, options).below(entry_path("")), (Paths{"folder", "link"}));
}

TEST_F(TreeWalkExclusion, PatternsInAnyCaseStandBesideTheOthers) {
  make_file("a.JPG");
  make_file("b.jpg");
  make_file("c.O");
  make_file("d.o");
  ScanOptions options;
  options.exclude = PathFilter::parse({"*.o", "!b.jpg"}).value();
  options.exclude_in_any_case = PathFilter::parse({"*.Jpg"}, true).value();
  EXPECT_EQ(scan({root()}, options).below(entry_path("")), Paths{"c.O"});
  EXPECT_TRUE(scan({at("a.JPG")}, options).below(entry_path("")).empty());
  options.exclude = {};
  EXPECT_EQ(scan({root()}, options).below(entry_path("")), (Paths{"c.O", "d.o"}));
}

TEST_F(TreeWalkExclusion, OneFileSystemStopsAtMountsExceptForSources) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may mount";
  make_folder("mount");
  make_file("plain");
  const bool done = on_own_thread([&] {
    if (!mount_for_this_thread_alone() ||
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

TEST_F(TreeWalkExclusion, FileSystemMountedAfterItsFolderWasSeenIsNotEntered) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may mount";
  make_folder("a");
  make_folder("mount");
  make_file("mount/hidden");
  EXPECT_TRUE(on_own_thread([&] {
    if (!mount_for_this_thread_alone()) return false;
    ScanOptions options;
    options.one_file_system = true;
    options.look_ahead_threads = 0;
    const auto tree = PosixSourceTree::create({root()}, options).value();
    Paths visited;
    EXPECT_TRUE(tree->scan(
        [&](Entry&& entry) {
          if (entry.path == entry_path("a")) {
            EXPECT_EQ(::mount("none", at("mount").c_str(), "tmpfs", 0, "size=64k"), 0);
            make_file("mount/file");
          }
          visited.push_back(std::move(entry.path));
          return true;
        },
        [](ScanProblem&& problem) { ADD_FAILURE() << problem.path; }));
    EXPECT_EQ(visited.back(), entry_path("mount"));
    return true;
  }));
}

TEST_F(TreeWalkExclusion, MarkThatIsNoFileOrCannotBeReadIsNone) {
  make_folder("folder");
  make_folder("folder/MARK");
  make_folder("fifo");
  ASSERT_EQ(::mkfifo(at("fifo/MARK").c_str(), 0600), 0);
  const Descriptor fifo(::open(at("fifo/MARK").c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  ASSERT_EQ(::write(fifo.get(), "skip", 4), 4);
  make_folder("marked");
  make_file("marked/MARK", "skip");
  const FolderMark mark = FolderMark::parse("MARK:skip").value();
  const auto is_in = [&](const std::string& folder) {
    return mark.is_in(Descriptor(::open(at(folder).c_str(), O_RDONLY | O_CLOEXEC)).get());
  };
  EXPECT_FALSE(is_in("folder"));
  EXPECT_FALSE(is_in("fifo"));
  char still_there[4];
  EXPECT_EQ(::read(fifo.get(), still_there, sizeof still_there), 4);
  EXPECT_TRUE(is_in("marked"));
  for (const long call : {SYS_newfstatat, SYS_read})
    EXPECT_TRUE(
        testing::with_failing_system_calls({call}, EIO, [&] { EXPECT_FALSE(is_in("marked")); }));
}

}  // namespace
}  // namespace holdfast::agent
