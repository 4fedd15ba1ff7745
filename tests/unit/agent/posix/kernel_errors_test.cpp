// A kernel that refuses one system call after the other while a tree is restored, looked at and
// scanned: who meets it says so, nothing is left half done, and nothing outside the target changes.
#include <gmock/gmock.h>
#include <sys/syscall.h>

#include <system_error>

#include "agent/posix/posix_target_view.h"
#include "tests/testing/failing_system_call.h"
#include "tests/unit/agent/posix/restore_fixture.h"

namespace holdfast::agent {
namespace {

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
    RestoreTarget& to = **target;
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
      steps.push_back({path, (*file)->finish(attributes(file_entry("abc")))});
    }
    steps.push_back({"symlink", to.make_symlink("symlink", link_entry("there"))});
    steps.push_back({"there", to.make_symlink("there", link_entry("large"))});
    steps.push_back({"second", to.make_hard_link("second", "large")});
    steps.push_back({"fifo", to.make_special("fifo", entry_of(S_IFIFO | 0600))});
    steps.push_back(
        {"folder", to.finish_directory("folder", attributes(entry_of(S_IFDIR | 0700)))});
    steps.push_back({"large", status_of(to.matches("large", file_entry("abc")))});
    return steps;
  }
  Steps look() {
    Steps steps;
    auto view = PosixTargetView::at(at("target"), features_);
    steps.push_back({"target", status_of(view)});
    if (!view) return steps;
    steps.push_back({"there", status_of((*view)->look("there"))});
    steps.push_back({"full", status_of((*view)->list("full"))});
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

TEST_F(KernelErrors, OfALookAtTheTargetAreTold) {
  const Refusal refusals[] = {
      {"openat", SYS_openat},         {"openat2", SYS_openat2},   {"newfstatat", SYS_newfstatat},
      {"getdents64", SYS_getdents64}, {"unlinkat", SYS_unlinkat}, {"pread64", SYS_pread64},
  };
  for (const Refusal& refusal : refusals) {
    SCOPED_TRACE(refusal.name);
    fill_target();
    EXPECT_GT(failures(refused(refusal, EIO, [&] { return look(); })), 0U);
    fill_target();
    EXPECT_EQ(failures(look()), 0U);
  }
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
