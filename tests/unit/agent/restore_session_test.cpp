#include "agent/restore_session.h"

#include <gmock/gmock.h>

#include "tests/unit/agent/restore_fixture.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::MadeObject;
using holdfast::testing::MemoryTarget;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

using Restoring = holdfast::testing::RestoreFixture;

TEST_F(Restoring, ATreeComesBackWithContentsAndMetadata) {
  make_nodes(2);
  made_.folder("home");
  made_.folder("home/ann");
  const std::vector<MadeObject> pieces{chunk(1000), chunk(2000), chunk(500)};
  made_.file("home/ann/one", {pieces[0]});
  made_.file("home/ann/many", pieces);
  made_.file("home/ann/none", {});
  made_.file("home/ann/same", {pieces[0]});
  made_.symlink("home/ann/link", "../elsewhere");
  CatalogEntry fifo;
  fifo.entry.path = "home/fifo";
  fifo.entry.mode = 0010600;
  made_.put(fifo);
  made_.folder("home/empty");
  finish();
  const auto result = restore();
  expect_all();
  EXPECT_EQ(content("home/ann/one"), pieces[0].payload);
  EXPECT_EQ(content("home/ann/same"), pieces[0].payload);
  EXPECT_EQ(content("home/ann/many"), joined(pieces));
  EXPECT_THAT(content("home/ann/none"), IsEmpty());
  EXPECT_EQ(result.files, 4u);
  EXPECT_EQ(result.bytes, 1000u + 1000 + 3500);
  EXPECT_EQ(result.folders, 3u);
  EXPECT_EQ(result.others, 2u);
  EXPECT_EQ(result.failed, 0u);
  EXPECT_THAT(result.problems, IsEmpty());
}

TEST_F(Restoring, EachFrameIsFetchedOnceForAllFilesOfAWindow) {
  make_nodes(1);
  std::vector<MadeObject> shared;
  for (int frame = 0; frame < 10; ++frame) {
    for (int i = 0; i < 20; ++i) shared.push_back(chunk(500));
    end_frame();
  }
  // Every file takes chunks from all over.
  for (std::size_t i = 0; i < 200; ++i)
    made_.file("f" + std::to_string(i),
               {shared[i], shared[(i * 37 + 5) % 200], shared[(i * 59 + 11) % 200]});
  finish();
  const std::size_t before = nodes_[0]->frames_served;
  restore();
  EXPECT_EQ(nodes_[0]->frames_served - before, 10u);
  expect_all();
}

TEST_F(Restoring, ManySmallWindowsGiveTheSameTree) {
  make_nodes(2);
  for (int i = 0; i < 12; ++i) {
    const std::string folder = "d" + std::to_string(i % 4) + "/e" + std::to_string(i);
    made_.folder("d" + std::to_string(i % 4));
    made_.folder(folder);
    for (int j = 0; j < 15; ++j) {
      if (j % 4 == 0)
        made_.file(folder + "/x" + std::to_string(j), {chunk(100), chunk(200)});
      else
        made_.file(folder + "/x" + std::to_string(j), {chunk(30)});
    }
    end_frame();
  }
  finish();
  for (const std::size_t entries : {1, 2, 3, 7, 50}) {
    target_ = MemoryTarget();
    restore({}, {.entries = entries, .chunks = 5, .pieced_files = 2});
    expect_all();
    EXPECT_LE(target_.most_open_writers, 4u) << "two windows of at most two";
  }
}

TEST_F(Restoring, AHugeFileIsPutTogetherFromItsLists) {
  make_nodes(2);
  std::vector<MadeObject> pieces;
  for (int i = 0; i < 300; ++i) {
    pieces.push_back(chunk(50 + static_cast<std::size_t>(i)));
    if (i % 16 == 0) end_frame();
  }
  made_.huge_file("m/huge", pieces, 7);
  made_.folder("m");
  made_.file("m/after", {chunk(10)});
  made_.file("m/before", {chunk(10)});
  finish();
  const auto result = restore({.verify = true});
  expect_all();
  EXPECT_EQ(content("m/huge"), joined(pieces));
  EXPECT_EQ(result.files, 3u);
  EXPECT_EQ(result.verified, 3u);
}

TEST_F(Restoring, AHugeFileThatLacksAListOrAChunkFailsAloneAndLeavesNothing) {
  make_nodes(1);
  std::vector<MadeObject> pieces;
  for (int i = 0; i < 100; ++i) {
    pieces.push_back(chunk(50));
    end_frame();
  }
  made_.huge_file("huge", pieces, 2);
  made_.file("small", {chunk(10)});
  finish();
  nodes_[0]->remove_frame_of(pieces[77].id);
  auto result = restore();
  EXPECT_THAT(target_.paths(), ElementsAre("small"));
  EXPECT_EQ(result.failed, 1u);
  ASSERT_THAT(result.problems, SizeIs(1));
  EXPECT_EQ(result.problems[0].path, "huge");

  target_ = MemoryTarget();
  const auto list = std::ranges::find_if(made_.lists(), [](const ListObject& candidate) {
    return candidate.kind == ListKind::kChunkList;
  });
  nodes_[0]->remove_frame_of(list->id);
  result = restore();
  EXPECT_THAT(target_.paths(), ElementsAre("small"));
  EXPECT_EQ(result.failed, 1u);
}

TEST_F(Restoring, ChunkListsThatAddUpToAnotherSizeAreRefused) {
  make_nodes(1);
  const std::vector<MadeObject> pieces{chunk(50), chunk(60), chunk(70)};
  made_.huge_file("less", pieces, 1).size = 150;
  made_.huge_file("more", pieces, 1).size = 200;
  made_.huge_file("empty", {}, 1).size = 0;
  finish();
  const auto result = restore();
  EXPECT_EQ(result.failed, 2u);
  EXPECT_THAT(target_.paths(), ElementsAre("empty"));
}

TEST_F(Restoring, AChunkOfAnotherLengthThanItsEntrySaysIsNotWritten) {
  make_nodes(1);
  const auto one = chunk(100), two = chunk(50);
  made_.file("short", {one}).size = 120;
  made_.file("pieces", {one, two});
  CatalogEntry lying = made_.entries()[0];
  ASSERT_EQ(lying.entry.path, "pieces");
  lying.content.lengths = {50, 100};
  made_.put(lying);
  made_.file("good", {two});
  finish();
  const auto result = restore();
  EXPECT_EQ(result.failed, 2u);
  EXPECT_THAT(target_.paths(), ElementsAre("good"));
  for (const auto& problem : result.problems) EXPECT_EQ(problem.error.code(), Code::kCorrupt);
}

TEST_F(Restoring, WhatNoNodeCanGiveFailsItsFilesAndNoOthers) {
  make_nodes(2);
  const auto lost = chunk(100);
  end_frame();
  const auto kept = chunk(100);
  made_.file("a", {lost});
  made_.file("b", {kept, lost});
  made_.file("c", {kept});
  made_.folder("d");
  finish();
  for (auto& node : nodes_) node->remove_frame_of(lost.id);
  const auto result = restore();
  EXPECT_EQ(result.failed, 2u);
  EXPECT_EQ(result.files, 1u);
  EXPECT_THAT(target_.paths(), ElementsAre("c", "d"));
  ASSERT_THAT(result.problems, SizeIs(2));
  EXPECT_EQ(result.problems[0].error.code(), Code::kNotFound);
}

TEST_F(Restoring, DamageOnOneNodeIsNotSeenInTheResult) {
  make_nodes(2);
  std::vector<MadeObject> all;
  for (int i = 0; i < 20; ++i) {
    all.push_back(chunk(300));
    made_.file("f" + std::to_string(100 + i), {all.back()});
    end_frame();
  }
  finish();
  for (const auto& one : all) nodes_[0]->replace_frame_of(one.id, Bytes(500));
  const auto result = restore();
  expect_all();
  EXPECT_EQ(result.files, 20u);
  EXPECT_FALSE(nodes_[0]->reported.empty());
}

TEST_F(Restoring, AWriteThatFailsIsSaidAndTheRestGoesOn) {
  make_nodes(1);
  made_.folder("d");
  made_.file("d/a", {chunk(100)});
  made_.file("d/b", {chunk(100), chunk(100)});
  made_.file("d/c", {chunk(100)});
  made_.symlink("d/l", "x");
  finish();
  const Error full(Code::kNoSpace, "full");
  target_.write_errors = {{"d/a", full}, {"d/b", full}, {"d/l", full}};
  const auto result = restore();
  EXPECT_EQ(result.failed, 3u);
  EXPECT_EQ(result.files, 1u);
  EXPECT_EQ(result.problem_count, 3u);
}

TEST_F(Restoring, AnAttributeThatCannotBeSetIsSaidButTheFileCounts) {
  make_nodes(1);
  made_.file("a", {chunk(100)});
  made_.file("b", {chunk(100), chunk(10)});
  made_.folder("d");
  finish();
  const Error refused(Code::kPermissionDenied, "chown");
  target_.attribute_errors = {{"a", refused}, {"b", refused}};
  target_.finish_errors = {{"d", refused}};
  const auto result = restore({.verify = true});
  EXPECT_EQ(result.files, 2u);
  EXPECT_EQ(result.verified, 2u);
  EXPECT_EQ(result.failed, 0u);
  EXPECT_EQ(result.problem_count, 3u);
}

TEST_F(Restoring, NamesOfOneInodeAreLinkedAcrossWindows) {
  make_nodes(1);
  const auto one = chunk(100), two = chunk(100);
  for (const char* const path : {"a", "d/b", "d/c"}) {
    Entry& entry = made_.file(path, {one});
    entry.inode = 7, entry.links = 3, entry.mtime = {9, 0};
  }
  made_.folder("d");
  // The same inode number on another device, and reused by another content.
  Entry& elsewhere = made_.file("e", {one});
  elsewhere.inode = 7, elsewhere.device = 2, elsewhere.links = 2;
  Entry& reused = made_.file("f", {two});
  reused.inode = 7, reused.links = 2;
  finish();
  for (const std::size_t entries : {1, 100}) {
    target_ = MemoryTarget();
    const auto result = restore({}, {.entries = entries});
    expect_all();
    EXPECT_EQ(result.files, 5u);
    EXPECT_EQ(result.hard_links, 2u);
    EXPECT_EQ(target_.links, 2u);
    EXPECT_EQ(target_.find("a")->inode, target_.find("d/c")->inode);
    EXPECT_NE(target_.find("a")->inode, target_.find("e")->inode);
    EXPECT_EQ(content("f"), two.payload);
  }
}

TEST_F(Restoring, ALinkThatCannotBeMadeBecomesACopy) {
  make_nodes(1);
  const std::vector<MadeObject> pieces{chunk(100), chunk(100)};
  for (const char* const path : {"d/a", "d/b", "d/c"}) {
    Entry& entry = made_.file(path, pieces);
    entry.inode = 7, entry.links = 3, entry.mtime = {9, 0};
  }
  made_.folder("d");
  finish();
  target_.link_errors = {{"d/b", Error(Code::kIo, "no links here")}};
  const auto result = restore({.verify = true});
  expect_all();
  EXPECT_EQ(content("d/b"), joined(pieces));
  EXPECT_EQ(result.hard_links, 1u);
  EXPECT_EQ(result.files, 3u);
  EXPECT_EQ(result.verified, 3u);
}

TEST_F(Restoring, APathOfTheSnapshotGoesDirectlyIntoTheTarget) {
  make_nodes(1);
  made_.folder("home");
  made_.folder("home/ann");
  made_.file("home/ann/x", {chunk(10)});
  made_.folder("home/ann/sub");
  made_.file("home/ann/sub/y", {chunk(10)});
  made_.file("home/annex", {chunk(10)});
  made_.file("home/bob", {chunk(10)});
  finish();
  restore({.below = "home/ann"});
  EXPECT_THAT(target_.paths(), ElementsAre("sub", "sub/y", "x"));
  target_ = MemoryTarget();
  restore({.below = "home/bob"});
  EXPECT_THAT(target_.paths(), ElementsAre("bob"));
  const auto nothing = try_restore({.below = "home/nobody"});
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().code(), Code::kNotFound);
}

TEST_F(Restoring, PatternsChooseAndTheFoldersAboveAreMadeWithTheirMetadata) {
  make_nodes(1);
  made_.folder("a");
  made_.folder("a/b");
  made_.file("a/b/x.c", {chunk(10)});
  made_.file("a/b/x.o", {chunk(10)});
  made_.folder("a/c");
  made_.file("a/c/y.o", {chunk(10)});
  made_.file("z.c", {chunk(10)});
  finish();
  restore({.include = filter({"*.c"})});
  EXPECT_THAT(target_.paths(), ElementsAre("a", "a/b", "a/b/x.c", "z.c"));
  EXPECT_TRUE(target_.find("a")->finished);
  target_ = MemoryTarget();
  restore({.exclude = filter({"*.o", "/a/b"})});
  EXPECT_THAT(target_.paths(), ElementsAre("a", "a/c", "z.c"));
  target_ = MemoryTarget();
  restore({.include = filter({"/a"}), .exclude = filter({"*.o"})});
  EXPECT_THAT(target_.paths(), ElementsAre("a", "a/b", "a/b/x.c", "a/c"));
}

class RestoringOverFiles : public Restoring {
 protected:
  // The snapshot's times count up from 1,600,000,000.
  void make() {
    make_nodes(1);
    for (const char* const path : {"changed", "newer", "older", "same", "absent"})
      made_.file(path, {chunk(100)});
    finish();
    std::map<std::string, Entry> entries;
    for (const auto& entry : made_.entries()) entries[entry.entry.path] = entry.entry;
    target_.put_file("same", Bytes(100, 'o'), entries["same"].mtime);
    target_.put_file("newer", Bytes(100, 'o'), {2'000'000'000, 0});
    target_.put_file("older", Bytes(100, 'o'), {1'000'000'000, 0});
    target_.put_file("changed", Bytes(99, 'o'), entries["changed"].mtime);
  }
  std::vector<std::string> replaced() const {
    std::vector<std::string> paths;
    for (const auto& [path, node] : target_.nodes())
      if (node.finished) paths.push_back(path);
    return paths;
  }
};

TEST_F(RestoringOverFiles, AlwaysReplacesAll) {
  make();
  restore();
  EXPECT_THAT(replaced(), SizeIs(5));
}

TEST_F(RestoringOverFiles, IfChangedGoesBySizeAndTime) {
  make();
  const auto result = restore({.overwrite = Overwrite::kIfChanged});
  EXPECT_THAT(replaced(), UnorderedElementsAre("absent", "changed", "newer", "older"));
  EXPECT_EQ(result.skipped, 1u);
}

TEST_F(RestoringOverFiles, IfNewerKeepsWhatIsNotOlder) {
  make();
  const auto result = restore({.overwrite = Overwrite::kIfNewer, .verify = true});
  EXPECT_THAT(replaced(), UnorderedElementsAre("absent", "older"));
  EXPECT_EQ(result.verified, 2u) << "what was not written is not compared";
  EXPECT_THAT(result.problems, IsEmpty());
}

TEST_F(RestoringOverFiles, NeverKeepsAll) {
  make();
  const auto result = restore({.overwrite = Overwrite::kNever});
  EXPECT_THAT(replaced(), ElementsAre("absent"));
  EXPECT_EQ(result.skipped, 4u);
}

TEST_F(RestoringOverFiles, ADryRunTouchesNothingAndFetchesNothing) {
  make();
  target_.put_file("extra", Bytes(1));
  const auto before = target_.paths();
  const std::size_t served = nodes_[0]->frames_served;
  const auto result =
      restore({.overwrite = Overwrite::kIfChanged, .remove_others = true, .dry_run = true});
  EXPECT_EQ(result.files, 4u);
  EXPECT_EQ(result.removed, 1u);
  EXPECT_EQ(target_.paths(), before);
  EXPECT_EQ(nodes_[0]->frames_served, served);
}

class RestoringAndRemoving : public Restoring {
 protected:
  void make() {
    make_nodes(1);
    made_.folder("a");
    made_.file("a/f", {chunk(10)});
    made_.file("a/m", {chunk(10)});
    made_.folder("a/sub");
    made_.folder("b");
    made_.folder("b/c");
    made_.file("b/c/f", {chunk(10)});
    finish();
    for (const char* const path : {"a", "a/gone", "a/sub", "b"}) target_.put_folder(path);
    for (const char* const path : {"a/a", "a/f", "a/gone/x", "a/z", "a/sub/x", "b/old", "zz"})
      target_.put_file(path, Bytes(3));
  }
};

TEST_F(RestoringAndRemoving, WhatTheSnapshotDoesNotHaveIsRemoved) {
  make();
  for (const std::size_t entries : {1, 2, 100}) {
    const auto result = restore({.remove_others = true}, {.entries = entries});
    EXPECT_EQ(result.removed, entries == 1 ? 6u : 0u);
    expect_all();
  }
}

TEST_F(RestoringAndRemoving, OnlyBelowTheSourcesOfTheSnapshot) {
  make();
  restore({.remove_others = true, .sources = {"a"}});
  EXPECT_EQ(target_.find("a/gone"), nullptr);
  EXPECT_EQ(target_.find("a/sub/x"), nullptr);
  EXPECT_NE(target_.find("b/old"), nullptr);
  EXPECT_NE(target_.find("zz"), nullptr);
}

TEST_F(RestoringAndRemoving, PatternsProtectWhatTheyLeaveOut) {
  make();
  restore({.include = filter({"/a/*"}), .exclude = filter({"/a/z"}), .remove_others = true});
  EXPECT_EQ(target_.find("a/a"), nullptr);
  EXPECT_EQ(target_.find("a/gone"), nullptr);
  EXPECT_NE(target_.find("a/z"), nullptr);
  EXPECT_NE(target_.find("zz"), nullptr);
  EXPECT_NE(target_.find("b/old"), nullptr);
  EXPECT_NE(target_.find("a/m"), nullptr);
}

TEST_F(RestoringAndRemoving, WhatIsInTheSnapshotButNotChosenStays) {
  make();
  target_.put_file("a/m", Bytes(3));
  restore({.include = filter({"/a/f"}), .remove_others = true});
  EXPECT_NE(target_.find("a/m"), nullptr);
  EXPECT_NE(target_.find("a/a"), nullptr);
}

TEST_F(RestoringAndRemoving, NothingIsRemovedWhenPartsOfTheCatalogAreLost) {
  make();
  restore({.remove_others = true, .catalog_is_whole = false});
  EXPECT_NE(target_.find("zz"), nullptr);
  EXPECT_NE(target_.find("a/gone/x"), nullptr);
}

TEST_F(Restoring, VerifyingFindsWhatIsNotAsItWasWritten) {
  make_nodes(1);
  std::vector<MadeObject> pieces;
  for (int i = 0; i < 50; ++i) pieces.push_back(chunk(100));
  made_.file("a", {pieces[0]});
  made_.file("b", {pieces[1], pieces[2]});
  made_.huge_file("c", pieces, 2);
  made_.file("d", {pieces[3]});
  finish();
  target_.spoil = [](MemoryTarget::Node& node) {
    if (node.entry.path != "a" && !node.content.empty()) node.content.back() ^= 1;
  };
  const auto result = restore({.verify = true});
  EXPECT_EQ(result.files, 4u);
  EXPECT_EQ(result.verified, 1u);
  std::set<std::string> paths;
  for (const auto& problem : result.problems) {
    EXPECT_EQ(problem.error.code(), Code::kCorrupt);
    paths.insert(problem.path);
  }
  EXPECT_THAT(paths, ElementsAre("b", "c", "d"));
}

TEST_F(Restoring, AFileThatCouldNotBeReadAtBackupTimeIsSaidAndNotInvented) {
  make_nodes(1);
  Entry& entry = made_.file("a", {});
  entry.size = 100;
  entry.condition = EntryCondition::kUnreadable;
  finish();
  const auto result = restore();
  EXPECT_EQ(result.failed, 1u);
  EXPECT_THAT(target_.paths(), IsEmpty());
  EXPECT_THAT(result.problems.at(0).error.message(), HasSubstr("when it was backed up"));
}

// A backup records such a file with no size.
TEST_F(Restoring, AFileThatCouldNotBeReadAtBackupTimeIsNotRestoredAsAnEmptyOne) {
  make_nodes(1);
  made_.file("a", {}).condition = EntryCondition::kUnreadable;
  made_.file("b", {});
  finish();
  const auto result = restore();
  EXPECT_EQ(result.failed, 1u);
  EXPECT_THAT(target_.paths(), ElementsAre("b"));
  EXPECT_THAT(result.problems.at(0).error.message(), HasSubstr("when it was backed up"));
}

TEST_F(Restoring, FoldersThatTheCatalogOnlyImpliesAreMade) {
  make_nodes(1);
  made_.file("lost/parent/x", {chunk(10)});
  made_.file("lost/y", {chunk(10)});
  finish();
  EXPECT_EQ(restore().files, 2u);
  EXPECT_THAT(target_.paths(), ElementsAre("lost", "lost/parent", "lost/parent/x", "lost/y"));
}

TEST_F(Restoring, AFileWhereAFolderBelongsIsAProblemOfItsOwn) {
  make_nodes(1);
  made_.file("a", {chunk(10)});
  made_.file("a/b", {chunk(10)});
  made_.file("c", {chunk(10)});
  finish();
  RestoreSession session(*fetcher_, files_, target_, &target_, keys_, loop_, loop_);
  const auto result = restore();
  EXPECT_GE(result.problem_count, 1u);
  EXPECT_NE(target_.find("c"), nullptr);
}

TEST_F(Restoring, ADamagedCatalogFileIsAnErrorNotAnEmptyRestore) {
  make_nodes(1);
  made_.file("a", {chunk(10)});
  finish();
  auto bytes = *read_file(files_, path_, 1 << 20);
  bytes.data()[40] ^= 1;
  ASSERT_TRUE(write_file_atomically(files_, path_, bytes));
  EXPECT_EQ(try_restore().error().code(), Code::kCorrupt);
  ASSERT_TRUE(files_.remove(path_));
  EXPECT_EQ(try_restore().error().code(), Code::kNotFound);
}

TEST_F(Restoring, ASessionMayGoInTheMiddle) {
  make_nodes(2);
  for (int i = 0; i < 50; ++i) {
    made_.file("f" + std::to_string(i), {chunk(100), chunk(200)});
    if (i % 5 == 0) end_frame();
  }
  finish();
  for (int steps = 1; steps < 150; steps += 9) {
    auto session =
        std::make_unique<RestoreSession>(*fetcher_, files_, target_, &target_, keys_, loop_, loop_);
    bool done = false;
    session->start(path_, {}, [&](auto) { done = true; }, {.entries = 7});
    for (int i = 0; i < steps && !done; ++i) loop_.step();
    const bool was_done = done;
    session.reset();
    loop_.run_for(std::chrono::seconds(2));
    EXPECT_EQ(done, was_done);
    EXPECT_EQ(target_.open_writers, 0u);
  }
}

}  // namespace
}  // namespace holdfast::agent
