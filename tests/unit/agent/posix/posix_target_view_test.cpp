#include "agent/posix/posix_target_view.h"

#include <sys/resource.h>
#include <sys/syscall.h>

#include <algorithm>

#include "common/posix/descriptor_limit.h"
#include "tests/testing/failing_system_call.h"
#include "tests/unit/agent/posix/tree_fixture.h"

namespace holdfast::agent {
namespace {

class PosixTargetViewTest : public TreeFixture {
 protected:
  void SetUp() override {
    make_folder("target");
    make_folder("outside");
    make_file("outside/kept");
    view_ = std::move(*PosixTargetView::at(at("target")));
  }
  std::unique_ptr<PosixTargetView> view_;
};

TEST_F(PosixTargetViewTest, SeesWhatIsThereWithoutFollowingLinks) {
  make_file("target/file", "four");
  make_link(at("outside"), "target/link");
  EXPECT_EQ((*view_->look("file"))->size, 4U);
  EXPECT_TRUE((*view_->look("link"))->is_symlink());
  EXPECT_TRUE((*view_->look(""))->is_directory());
  EXPECT_FALSE(view_->look("absent")->has_value());
  EXPECT_FALSE(view_->look("file/below")->has_value());
}

TEST_F(PosixTargetViewTest, SeesNothingBehindALink) {
  make_folder("outside/in");
  make_file("outside/in/kept");
  make_link(at("outside"), "target/link");
  for (const KernelFeatures features : feature_sets()) {
    const auto view = *PosixTargetView::at(at("target"), features);
    for (const std::string path : {"link/kept", "link/in/kept"}) {
      EXPECT_FALSE(view->look(path)->has_value()) << path;
      EXPECT_TRUE(view->list(path)->empty()) << path;
      EXPECT_FALSE(view->open(path)) << path;
      (void)view->remove(path);
    }
    EXPECT_TRUE(view->list("link/in")->empty());
  }
  EXPECT_EQ(::access(at("outside/kept").c_str(), F_OK), 0);
  EXPECT_EQ(::access(at("outside/in/kept").c_str(), F_OK), 0);
}

TEST_F(PosixTargetViewTest, ListsNames) {
  make_file("target/b");
  make_folder("target/a");
  auto names = *view_->list("");
  std::ranges::sort(names);
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(view_->list("absent")->empty());
}

TEST_F(PosixTargetViewTest, RemovesAFolderWithAllInItAndNothingBehindItsLinks) {
  make_folder("target/a");
  make_folder("target/a/b");
  make_file("target/a/b/c");
  make_link(at("outside"), "target/a/link");
  EXPECT_TRUE(view_->remove("a"));
  EXPECT_TRUE(view_->list("")->empty());
  EXPECT_EQ(::access(at("outside/kept").c_str(), F_OK), 0);
  EXPECT_TRUE(view_->remove("a"));  // gone already
  EXPECT_TRUE(view_->remove("a/b/c"));
}

TEST_F(PosixTargetViewTest, SaysWhatItCannotRemove) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may mount";
  EXPECT_TRUE(on_own_thread([&] {
    make_folder("target/a");
    make_folder("target/a/mount");
    if (!mount_for_this_thread_alone() ||
        ::mount("none", at("target/a/mount").c_str(), "tmpfs", 0, "size=64k") != 0)
      return false;
    make_file("target/a/mount/file");
    const Status status = PosixTargetView::at(at("target")).value()->remove("a");
    EXPECT_FALSE(status);
    EXPECT_NE(status.error().message().find("\"a/mount\""), std::string::npos)
        << status.error().message();
    return true;
  }));
  EXPECT_TRUE(view_->look("a/mount")->has_value());
}

// unlink(2) says so of a file that is immutable or another's in a sticky folder.
TEST_F(PosixTargetViewTest, FileThatMayNotBeRemovedIsNotSaidToBeGone) {
  make_file("target/file");
  EXPECT_TRUE(testing::with_failing_system_calls({SYS_unlinkat}, EPERM, [&] {
    const Status status = view_->remove("file");
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code(), Code::kPermissionDenied);
  }));
  EXPECT_TRUE(view_->look("file")->has_value());
}

TEST_F(PosixTargetViewTest, FolderTooDeepToRemoveIsAnError) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may mount";
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  if (raise_descriptor_limit() < 3000) GTEST_SKIP() << "there are not enough descriptors";
  EXPECT_TRUE(on_own_thread([&] {
    // In memory: a disk's file system takes seconds to make and remove so many.
    if (!mount_for_this_thread_alone() ||
        ::mount("none", at("target").c_str(), "tmpfs", 0, nullptr) != 0)
      return false;
    Descriptor folder(::open(at("target").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (int level = 0; level < 2100; ++level) {
      if (::mkdirat(folder.get(), "d", 0755) != 0) return false;
      folder = Descriptor(::openat(folder.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
    const auto view = PosixTargetView::at(at("target")).value();
    const Status status = view->remove("d");
    EXPECT_FALSE(status);
    EXPECT_EQ(status.error().code(), Code::kResourceExhausted);
    EXPECT_NE(status.error().message().find("too deep"), std::string::npos);
    // From further down it is not.
    std::string path = "d";
    for (int level = 0; level < 100; ++level) path += "/d";
    EXPECT_TRUE(view->remove(path));
    EXPECT_TRUE(view->remove("d"));
    return true;
  }));
  ::setrlimit(RLIMIT_NOFILE, &before);
}

TEST_F(PosixTargetViewTest, ReadsRegularFilesAlone) {
  make_file("target/file", "content");
  make_link("file", "target/link");
  ASSERT_EQ(::mkfifo(at("target/fifo").c_str(), 0600), 0);
  const auto file = view_->open("file");
  ASSERT_TRUE(file);
  EXPECT_EQ((*file)->size(), 7U);
  Bytes bytes(16);
  EXPECT_EQ(*(*file)->read_at(3, bytes), 4U);
  EXPECT_EQ(as_text(ByteView(bytes).first(4)), "tent");
  EXPECT_EQ(*(*file)->read_at(0, MutableByteView(bytes).first(3)), 3U);
  EXPECT_EQ(as_text(ByteView(bytes).first(3)), "con");
  EXPECT_FALSE(view_->open("link"));
  EXPECT_FALSE(view_->open("fifo"));
}

TEST_F(PosixTargetViewTest, RefusesPathsThatLeaveTheTarget) {
  for (const std::string path : {"..", "../outside", "a/../b", "/outside", "a//b", "."}) {
    EXPECT_FALSE(view_->look(path)) << path;
    EXPECT_FALSE(view_->list(path)) << path;
    EXPECT_FALSE(view_->remove(path)) << path;
    EXPECT_FALSE(view_->open(path)) << path;
  }
  EXPECT_FALSE(view_->remove(""));
}

}  // namespace
}  // namespace holdfast::agent
