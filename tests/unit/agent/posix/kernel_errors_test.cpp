// A kernel that refuses one system call after the other while a tree is restored, looked at and
// scanned: who meets it says so, nothing is left half done, and nothing outside the target changes.
#include <gmock/gmock.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include <system_error>
#include <utility>

#include "agent/posix/posix_target_view.h"
#include "agent/posix/restored_attributes.h"
#include "agent/posix/tree_walk.h"
#include "tests/testing/failing_system_call.h"
#include "tests/unit/agent/posix/restore_fixture.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::SystemCallArgument;
using ::testing::HasSubstr;

struct Refusal {
  const char* name;
  long number;
};

class KernelErrors : public RestoreFixture {
 protected:
  // One step and what came of it.
  struct Step {
    std::string path;
    Status status;
  };
  using Steps = std::vector<Step>;

  // What `work` does while the kernel refuses this call. The first that fails says why.
  Steps refused(const Refusal& refusal, int error, const std::function<Steps()>& work) {
    Steps steps;
    EXPECT_TRUE(holdfast::testing::with_failing_system_calls({refusal.number}, error,
                                                             [&] { steps = work(); }));
    const auto first = std::ranges::find_if(steps, [](const Step& step) { return !step.status; });
    if (first != steps.end()) {
      EXPECT_THAT(first->status.error().message(),
                  HasSubstr(std::generic_category().message(error)));
    }
    return steps;
  }
  static std::size_t failures(const Steps& steps) {
    return static_cast<std::size_t>(
        std::ranges::count_if(steps, [](const Step& step) { return !step.status; }));
  }
  template <typename T>
  static Status status_of(const Result<T>& result) {
    return result ? Status() : Status(result.error());
  }
  static Entry attributes(Entry entry) {
    entry.xattrs = {{"user.holdfast", "value"}};
    return entry;
  }
  void empty_target() {
    std::filesystem::remove_all(at("target"));
    make_folder("target");
    make_file("target/there", "old");
    make_folder("target/empty");
    make_link("nowhere", "target/link");
  }
  void fill_target() {
    empty_target();
    make_folder("target/full");
    make_folder("target/full/inner");
    make_file("target/full/inner/file");
  }
  Steps restore() {
    Steps steps;
    auto target = PosixRestoreTarget::open(at("target"), features_);
    steps.push_back({"target", status_of(target)});
    if (!target) return steps;
    restore_into(**target, steps);
    return steps;
  }
  void restore_into(RestoreTarget& to, Steps& steps) {
    steps.push_back({"folder", to.make_directory("folder")});
    steps.push_back({"link", to.make_directory("link")});
    steps.push_back({"folder/file", write(to, "folder/file", "new")});
    steps.push_back({"there", write(to, "there", "new")});
    steps.push_back({"empty", write(to, "empty", "new")});
    for (const char* const path : {"large", "there"}) {
      auto file = to.create_file(path, file_entry("abc"));
      steps.push_back({path, status_of(file)});
      if (!file) continue;
      steps.push_back({path, (*file)->write_at(0, as_bytes("ab"))});
      steps.push_back({path, (*file)->finish(attributes(file_entry("abc", 0640)))});
    }
    steps.push_back({"symlink", to.make_symlink("symlink", link_entry("there"))});
    steps.push_back({"there", to.make_symlink("there", link_entry("large"))});
    steps.push_back({"second", to.make_hard_link("second", "large")});
    steps.push_back({"fifo", to.make_special("fifo", entry_of(S_IFIFO | 0622))});
    steps.push_back(
        {"folder", to.finish_directory("folder", attributes(entry_of(S_IFDIR | 0700)))});
    steps.push_back({"large", status_of(to.matches("large", file_entry("abc")))});
  }
  Steps look() {
    Steps steps;
    auto view = PosixTargetView::at(at("target"), features_);
    steps.push_back({"target", status_of(view)});
    if (!view) return steps;
    steps.push_back({"there", status_of((*view)->look("there"))});
    steps.push_back({"full", status_of((*view)->list("full"))});
    steps.push_back({"full/inner", (*view)->remove("full/inner")});
    auto file = (*view)->open("there");
    steps.push_back({"there", status_of(file)});
    Bytes out(10);
    if (file) steps.push_back({"there", status_of((*file)->read_at(0, out))});
    steps.push_back({"there", (*view)->remove("there")});
    steps.push_back({"full", (*view)->remove("full")});
    return steps;
  }
  // Of a tree that was scanned before.
  Steps read(SourceTree& tree, const std::vector<Entry>& entries) {
    Steps steps;
    for (Entry entry : entries) {
      entry.target.clear();
      const std::string name(entry.name());
      steps.push_back({name, tree.describe(entry)});
      if (!entry.is_regular()) continue;
      auto reader = tree.open(entry);
      steps.push_back({name, status_of(reader)});
      if (!reader) continue;
      Bytes out(10);
      steps.push_back({name, status_of((*reader)->read(out))});
      steps.push_back({name, status_of((*reader)->changed_since(entry))});
    }
    return steps;
  }

  // Asked while the kernel is well.
  const KernelFeatures features_ = KernelFeatures::probe();
};

TEST_F(KernelErrors, OfARestoreAreToldByTheStepThatMeetsThem) {
  const Refusal refusals[] = {
      {"openat", SYS_openat},       {"openat2", SYS_openat2},     {"newfstatat", SYS_newfstatat},
      {"mkdirat", SYS_mkdirat},     {"symlinkat", SYS_symlinkat}, {"linkat", SYS_linkat},
      {"mknodat", SYS_mknodat},     {"renameat", SYS_renameat},   {"unlinkat", SYS_unlinkat},
      {"pwrite64", SYS_pwrite64},   {"ftruncate", SYS_ftruncate}, {"fsetxattr", SYS_fsetxattr},
      {"utimensat", SYS_utimensat},
  };
  for (const int error : {EIO, ENOSPC}) {
    for (const Refusal& refusal : refusals) {
      SCOPED_TRACE(refusal.name);
      empty_target();
      EXPECT_GT(failures(refused(refusal, error, [&] { return restore(); })), 0U);
      // With a kernel that is well, the same restore over what is there does it all.
      if (refusal.number == SYS_unlinkat) empty_target();  // nobody could tidy up
      for (const Step& step : restore())
        if (step.path != "link") {
          EXPECT_TRUE(step.status) << step.path << ": " << step.status.error().message();
        }
      EXPECT_EQ(content("target/large"), std::string("ab\0", 3));
    }
  }
}

// The folders are open already, so that no step fails before its own calls do.
TEST_F(KernelErrors, OfARestoreThatIsUnderWayAreToldByTheStepThatMeetsThem) {
  const std::pair<Refusal, int> refusals[] = {
      {{"openat", SYS_openat}, EIO},          {{"openat", SYS_openat}, EPERM},
      {{"newfstatat", SYS_newfstatat}, EIO},  {{"mkdirat", SYS_mkdirat}, EEXIST},
      {{"fchmod", SYS_fchmod}, EIO},          {{"chmod", SYS_chmod}, EIO},
      {{"fsetxattr", SYS_fsetxattr}, ENOSPC}, {{"utimensat", SYS_utimensat}, EIO},
      {{"symlinkat", SYS_symlinkat}, EIO},    {{"renameat", SYS_renameat}, EIO},
  };
  for (const auto& [refusal, error] : refusals) {
    SCOPED_TRACE(refusal.name);
    empty_target();
    const auto target = open(features_);
    ASSERT_TRUE(target->make_directory("folder"));
    for (const char* const path : {"file", "folder/file"})
      ASSERT_FALSE(target->matches(path, file_entry("")).value());
    const auto steps = refused(refusal, error, [&] {
      Steps refused_steps;
      restore_into(*target, refused_steps);
      return refused_steps;
    });
    EXPECT_GT(failures(steps), 0U);
    for (const Step& step : restore())
      EXPECT_TRUE(step.status) << step.path << ": " << step.status.error().message();
    EXPECT_EQ(content("target/large"), std::string("ab\0", 3));
  }
}

TEST_F(KernelErrors, OfAttributesAreRefusalsOrFailures) {
  const auto target = open();
  const Entry entry = attributes(file_entry("x"));
  for (const int error : {EPERM, EACCES, ENOTSUP, EINVAL, EOVERFLOW, EIO, ENOSPC})
    EXPECT_TRUE(holdfast::testing::with_failing_system_calls({SYS_fsetxattr}, error, [&] {
      const Status status = target->write_file("file", entry, as_bytes("x"));
      ASSERT_FALSE(status);
      EXPECT_EQ(status.error().code() == Code::kPermissionDenied, error != EIO && error != ENOSPC);
      EXPECT_THAT(status.error().message(), HasSubstr("user.holdfast"));
    }));
  EXPECT_EQ(content("target/file"), "x");
}

TEST_F(KernelErrors, OfAnAclThatIsNotThereAreNone) {
  make_file("target/file");
  const Descriptor file(::open(at("target/file").c_str(), O_RDONLY | O_CLOEXEC));
  const struct stat now = stat("target/file");
  for (const int error : {ENODATA, ENOTSUP, EACCES, EIO})
    EXPECT_TRUE(holdfast::testing::with_failing_system_calls({SYS_fremovexattr}, error, [&] {
      const Status status = set_attributes(file.get(), now, file_entry("x"), true);
      EXPECT_EQ(status.has_value(), error != EIO);
    }));
  EXPECT_TRUE(holdfast::testing::with_failing_system_calls({SYS_newfstatat}, EIO, [&] {
    EXPECT_EQ(set_attributes(file.get(), now, file_entry("x"), true).error().code(), Code::kIo);
  }));
}

TEST_F(KernelErrors, OfOtherAttributesOfAFolderLeaveThemThere) {
  make_folder("target/folder");
  if (::setxattr(at("target/folder").c_str(), "user.other", "", 0, 0) != 0)
    GTEST_SKIP() << "the temporary folder's file system has no extended attributes";
  const auto target = open();
  EXPECT_TRUE(holdfast::testing::with_failing_system_calls({SYS_flistxattr}, EIO, [&] {
    EXPECT_TRUE(target->finish_directory("folder", entry_of(S_IFDIR | 0750)));
  }));
  EXPECT_EQ(::getxattr(at("target/folder").c_str(), "user.other", nullptr, 0), 0);
  EXPECT_EQ(stat("target/folder").st_mode & 07777, 0750U);
}

// Before Linux 5.8.
TEST_F(KernelErrors, OfTimesByAHandleAreGotAround) {
  const auto target = open();
  EXPECT_TRUE(
      holdfast::testing::with_failing_system_call(SYS_utimensat, {3, AT_EMPTY_PATH}, EINVAL, [&] {
        EXPECT_TRUE(target->make_symlink("link", link_entry("../outside/secret")));
        EXPECT_TRUE(target->make_special("fifo", entry_of(S_IFIFO | 0600)));
      }));
  EXPECT_EQ(stat("target/link").st_mtim.tv_nsec, 987'654'321);
  EXPECT_EQ(stat("target/fifo").st_mtim.tv_nsec, 987'654'321);
  EXPECT_NE(stat("outside/secret").st_mtim.tv_nsec, 987'654'321);
}

TEST_F(KernelErrors, OfAFolderThatStaysInTheWayOfAFileAreTold) {
  empty_target();
  const auto target = open();
  EXPECT_TRUE(holdfast::testing::with_failing_system_calls({SYS_unlinkat}, ENOENT, [&] {
    EXPECT_EQ(write(*target, "empty", "new").error().code(), Code::kAlreadyExists);
  }));
}

TEST_F(KernelErrors, OfOpeningAnOwnClosedFolderAreTold) {
  ASSERT_EQ(::chmod(root().c_str(), 0755), 0);
  make_folder("target/folder");
  ASSERT_EQ(::chmod(at("target/folder").c_str(), 0500), 0);
  const uid_t own = ::geteuid() == 0 ? kNobody : ::geteuid();
  for (const char* const path : {"target", "target/folder"})
    ASSERT_EQ(::chown(at(path).c_str(), own, static_cast<gid_t>(-1)), 0);
  EXPECT_TRUE(holdfast::testing::with_failing_system_calls({SYS_chmod}, EIO, [&] {
    ASSERT_TRUE(become_nobody());
    EXPECT_EQ(open(features_)->make_directory("folder").error().code(), Code::kIo);
  }));
}

// A rename anywhere makes the kernel unsure; a signal may come at any time.
TEST_F(KernelErrors, OfAKernelThatIsUnsureForeverEndInTheErrorAfterSomeAttempts) {
  make_folder("target/folder");
  for (const int error : {EAGAIN, EINTR})
    EXPECT_TRUE(holdfast::testing::with_failing_system_calls({SYS_openat2}, error, [&] {
      KernelFeatures features;
      features.openat2 = true;
      EXPECT_THAT(write(*open(features), "folder/file", "x").error().message(),
                  HasSubstr(std::generic_category().message(error)));
    }));
}

TEST_F(KernelErrors, OfALookAtTheTargetAreTold) {
  const Refusal refusals[] = {
      {"openat", SYS_openat},         {"openat2", SYS_openat2},   {"newfstatat", SYS_newfstatat},
      {"getdents64", SYS_getdents64}, {"unlinkat", SYS_unlinkat}, {"pread64", SYS_pread64},
      {"fcntl", SYS_fcntl},
  };
  for (const Refusal& refusal : refusals) {
    SCOPED_TRACE(refusal.name);
    fill_target();
    EXPECT_GT(failures(refused(refusal, EIO, [&] { return look(); })), 0U);
    fill_target();
    EXPECT_EQ(failures(look()), 0U);
  }
}

TEST_F(KernelErrors, OfWhatVanishedBeforeItWasRemovedAreNone) {
  const Refusal openat{"openat", SYS_openat};
  const auto removed = [&](int error) {
    fill_target();
    auto view = PosixTargetView::at(at("target"), features_).value();
    return refused(openat, error, [&] { return Steps{{"inner", view->remove("full/inner")}}; });
  };
  EXPECT_EQ(failures(removed(ENOENT)), 0U);
  EXPECT_EQ(failures(removed(EACCES)), 1U);
  EXPECT_EQ(failures(removed(ENOTDIR)), 1U) << "it is there, if as another thing";
  EXPECT_TRUE(
      holdfast::testing::with_failing_system_call(SYS_unlinkat, {2, AT_REMOVEDIR}, ENOENT, [&] {
        const auto view = PosixTargetView::at(at("target"), features_).value();
        EXPECT_TRUE(view->remove("full"));
      }));
}

TEST_F(KernelErrors, OfReadingASourceAreTold) {
  KernelFeatures features = features_;
  features.xattr_at = false;  // its system calls have no names yet
  make_file("target/file", "content");
  make_link("nowhere", "target/symlink");
  auto tree = PosixSourceTree::create({at("target")}, {}, features).value();
  std::vector<Entry> entries;
  for (const Entry& entry : scan(*tree).within(entry_path("target"))) entries.push_back(entry);
  ASSERT_EQ(entries.size(), 3U);
  ASSERT_EQ(failures(read(*tree, entries)), 0U);
  const Refusal refusals[] = {
      {"openat", SYS_openat},         {"newfstatat", SYS_newfstatat}, {"read", SYS_read},
      {"readlinkat", SYS_readlinkat}, {"llistxattr", SYS_llistxattr},
  };
  for (const Refusal& refusal : refusals) {
    SCOPED_TRACE(refusal.name);
    auto fresh = PosixSourceTree::create({at("target")}, {}, features).value();
    EXPECT_GT(failures(refused(refusal, EIO, [&] { return read(*fresh, entries); })), 0U);
  }
}

TEST_F(KernelErrors, OfLookingAtAnOpenFileAgainAreTold) {
  make_file("target/file", "content");
  const auto tree = PosixSourceTree::create({at("target")}, {}, features_).value();
  const Entry entry = scan(*tree).find(entry_path("target/file"));
  const auto reader = tree->open(entry).value();
  const Refusal look{"newfstatat", SYS_newfstatat};
  EXPECT_EQ(failures(refused(look, EIO,
                             [&] {
                               return Steps{{"file", status_of(reader->changed_since(entry))},
                                            {"file", status_of(tree->open(entry))}};
                             })),
            2U);
}

TEST_F(KernelErrors, OfLookingAtNamesAreProblemsOfEachOfThem) {
  make_folder("target/folder");
  make_file("target/folder/a");
  make_file("target/folder/b");
  const SystemCallArgument of_names{3, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT};
  std::vector<std::string> problems;
  const auto scanned_paths = [&](const std::string& source) {
    Scanned scanned;
    EXPECT_TRUE(holdfast::testing::with_failing_system_call(
        SYS_newfstatat, of_names, EIO, [&] { scanned = scan({source}, {}, features_); }));
    EXPECT_TRUE(scanned.status);
    problems.clear();
    for (const ScanProblem& problem : scanned.problems) {
      EXPECT_EQ(problem.error.code(), Code::kIo);
      problems.push_back(problem.path);
    }
    return scanned.paths();
  };
  EXPECT_EQ(scanned_paths(at("target/folder")).back(), entry_path("target/folder"));
  std::ranges::sort(problems);
  EXPECT_EQ(problems, (std::vector<std::string>{at("target/folder/a"), at("target/folder/b")}));
  EXPECT_EQ(scanned_paths("/"), std::vector<std::string>{""});
  EXPECT_THAT(problems, ::testing::Contains("/proc"));
}

// What was there when the scan began.
TEST_F(KernelErrors, OfSourcesAreProblemsOfTheScan) {
  const auto walked = [&](const std::string& source) {
    const SourcePaths sources = SourcePaths::from({source}).value();
    Scanned scanned;
    TreeWalk(sources, {}, features_)
        .run(
            [&](Entry&& entry) {
              scanned.entries.push_back(std::move(entry));
              return true;
            },
            [&](ScanProblem&& problem) { scanned.problems.push_back(std::move(problem)); });
    return scanned;
  };
  const Scanned vanished = walked(at("none"));
  ASSERT_EQ(vanished.problems.size(), 1U);
  EXPECT_EQ(vanished.problems[0].path, at("none"));
  EXPECT_EQ(vanished.problems[0].error.code(), Code::kNotFound);
  EXPECT_TRUE(holdfast::testing::with_failing_system_calls({SYS_newfstatat}, EIO, [&] {
    const Scanned above = walked(at("target"));
    ASSERT_EQ(above.problems.size(), 1U);
    EXPECT_EQ(above.problems[0].error.code(), Code::kIo);
    const Scanned all = walked("/");
    ASSERT_EQ(all.problems.size(), 1U);
    EXPECT_EQ(all.problems[0].path, "/");
    EXPECT_EQ(all.entries.at(0).condition, EntryCondition::kUnreadable);
  }));
}

TEST_F(KernelErrors, OfThreadsLeaveTheScanToOne) {
  make_folder("target/folder");
  make_file("target/folder/file");
  ScanOptions options;
  options.look_ahead_threads = 4;
  EXPECT_TRUE(holdfast::testing::with_failing_system_calls({SYS_clone, SYS_clone3}, EAGAIN, [&] {
    const Scanned scanned = scan({at("target")}, options, features_);
    EXPECT_TRUE(scanned.status && scanned.problems.empty());
    EXPECT_EQ(scanned.below(entry_path("target")),
              (std::vector<std::string>{"folder", "folder/file"}));
  }));
}

TEST_F(KernelErrors, OfAScanAreProblemsOfTheFolderOrTheFile) {
  make_file("target/file", "content");
  make_folder("target/folder");
  make_file("target/folder/file", "content");
  for (const Refusal& refusal :
       {Refusal{"getdents64", SYS_getdents64}, Refusal{"newfstatat", SYS_newfstatat},
        Refusal{"openat2", SYS_openat2}}) {
    SCOPED_TRACE(refusal.name);
    Scanned scanned;
    ASSERT_TRUE(holdfast::testing::with_failing_system_calls(
        {refusal.number}, EIO, [&] { scanned = scan({at("target")}, {}, features_); }));
    EXPECT_TRUE(!scanned.status || !scanned.problems.empty());
    for (const ScanProblem& problem : scanned.problems)
      EXPECT_THAT(problem.path, HasSubstr(at("target")));
  }
}

}  // namespace
}  // namespace holdfast::agent
