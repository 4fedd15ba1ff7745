#include "agent/posix/posix_target_view.h"

#include <algorithm>

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
  const auto behind = view_->look("link/kept");
  EXPECT_TRUE(!behind || !behind->has_value());
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
