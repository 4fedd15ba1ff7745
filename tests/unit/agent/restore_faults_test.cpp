// Restores of catalogs that lie, of repositories that lack something, and into targets that refuse.
#include "agent/catalog_codec.h"
#include "tests/unit/agent/restore_fixture.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::MadeObject;
using holdfast::testing::MadeSnapshot;
using holdfast::testing::MemoryTarget;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsNull;
using ::testing::NotNull;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class FaultyRestoring : public holdfast::testing::RestoreFixture {
 protected:
  // A file of these refs, whatever they are.
  void put_file(const std::string& path, std::vector<ObjectId> refs, std::uint64_t size,
                bool lists = false) {
    CatalogEntry entry;
    entry.entry.path = path;
    entry.entry.mode = 0100644;
    entry.entry.size = size;
    entry.content.refs = std::move(refs);
    entry.content.lists = lists;
    made_.put(entry);
  }
  // A list object, on all nodes in a frame of its own.
  ObjectId add_list(const std::vector<ObjectId>& refs, const Bytes& payload) {
    const ObjectId id = repository_.identify(format::FrameRole::kMetadata, {refs, payload});
    format::FrameContent content(format::FrameRole::kMetadata);
    content.add(id, refs, payload);
    const SharedBytes frame = repository_.sealer().seal(content);
    for (auto& node : nodes_) node->put_frame(frame);
    return id;
  }
  // Chunks, each in a frame of its own.
  std::vector<MadeObject> pieces(std::size_t count) {
    std::vector<MadeObject> made;
    for (std::size_t i = 0; i < count; ++i) {
      made.push_back(chunk(50));
      end_frame();
    }
    return made;
  }
  // A catalog in the local file, of one leaf for each of these paths.
  void write_catalog(const std::vector<CatalogEntry>& entries) {
    auto writer = CatalogFileWriter::create(files_, path_);
    ASSERT_TRUE(writer);
    ListObject leaf;
    for (const CatalogEntry& entry : entries) {
      LeafEncoder encoder;
      encoder.add(entry);
      std::tie(leaf.refs, leaf.payload) = encoder.take();
      leaf.id = repository_.identify(format::FrameRole::kMetadata, {leaf.refs, leaf.payload});
      ASSERT_TRUE(writer->add(leaf));
    }
    ASSERT_TRUE(writer->finish(leaf.id, {}));
  }
  static std::set<std::string> paths(const RestoreResult& result) {
    std::set<std::string> all;
    for (const RestoreProblem& problem : result.problems) all.insert(problem.path);
    return all;
  }
};

TEST_F(FaultyRestoring, AChunkThatIsAListObjectIsNotWritten) {
  make_nodes(1);
  const Bytes payload = encode_chunk_list({});
  put_file("list", {add_list({}, payload)}, payload.size());
  made_.file("good", {chunk(10)});
  finish();
  const auto result = restore();
  EXPECT_EQ(result.failed, 1U);
  EXPECT_THAT(target_.paths(), ElementsAre("good"));
  EXPECT_EQ(result.problems.at(0).error.code(), Code::kCorrupt);
}

TEST_F(FaultyRestoring, ASizeThatItsContentCannotHaveIsRefused) {
  make_nodes(1);
  made_.file("large", {chunk(10)}).size = std::uint64_t{1} << 32;  // of one chunk
  made_.file("none", {}).size = 100;                               // of no chunk
  made_.file("good", {chunk(10)});
  finish();
  const auto result = restore();
  EXPECT_EQ(result.failed, 2U);
  EXPECT_THAT(target_.paths(), ElementsAre("good"));
  for (const auto& problem : result.problems) EXPECT_EQ(problem.error.code(), Code::kCorrupt);
}

TEST_F(FaultyRestoring, AFileWhoseListsHaveNoChunkIsEmpty) {
  make_nodes(1);
  put_file("empty", {add_list({}, encode_chunk_list({}))}, 0, true);
  finish();
  const auto result = restore({.verify = true});
  EXPECT_EQ(result.files, 1U);
  EXPECT_EQ(result.verified, 1U);
  EXPECT_THAT(content("empty"), IsEmpty());
}

TEST_F(FaultyRestoring, AListOfChunksThatIsNoneFailsItsFileAlone) {
  make_nodes(1);
  MadeSnapshot other(repository_);
  other.folder("x");
  const ObjectId leaf = other.finish(nodes_);
  put_file("huge", {leaf}, 10, true);
  made_.file("good", {chunk(10)});
  finish();
  const auto result = restore();
  EXPECT_EQ(result.failed, 1U);
  EXPECT_THAT(target_.paths(), ElementsAre("good"));
  EXPECT_EQ(result.problems.at(0).error.code(), Code::kCorrupt);
}

TEST_F(FaultyRestoring, AHugeFileThatHasFailedIsNotFetchedToItsEnd) {
  make_nodes(1);
  const auto all = pieces(400);
  made_.huge_file("huge", all, 2);
  finish();
  nodes_[0]->remove_frame_of(all[0].id);
  const std::size_t before = nodes_[0]->frames_served;
  const auto result = restore();
  EXPECT_EQ(result.failed, 1U);
  EXPECT_THAT(target_.paths(), IsEmpty());
  EXPECT_LT(nodes_[0]->frames_served - before, 200U);
}

TEST_F(FaultyRestoring, ALinkToAHugeFileThatCannotBeMadeIsSaidAndAnEmptyFileIsMadeInstead) {
  make_nodes(1);
  const auto all = pieces(6);
  for (const char* const path : {"h1", "h2"}) {
    Entry& entry = made_.huge_file(path, all, 2);
    entry.inode = 7, entry.links = 2, entry.mtime = {9, 0};
  }
  for (const char* const path : {"e1", "e2"}) {
    Entry& entry = made_.file(path, {});
    entry.inode = 8, entry.links = 2, entry.mtime = {9, 0};
  }
  finish();
  const Error refused(Code::kIo, "no links here");
  target_.link_errors = {{"h2", refused}, {"e2", refused}};
  const auto result = restore();
  EXPECT_THAT(target_.paths(), ElementsAre("e1", "e2", "h1"));
  EXPECT_EQ(content("h1"), joined(all));
  EXPECT_EQ(result.files, 3U);
  EXPECT_EQ(result.hard_links, 0U);
  EXPECT_EQ(result.failed, 1U);
  EXPECT_THAT(result.problems.at(0).error.message(), HasSubstr("too large to be written twice"));
}

// Inode numbers are given again: the third name that was counted is not in the snapshot.
TEST_F(FaultyRestoring, AnInodeNumberThatWasGivenAgainLinksNothingOfTheOther) {
  make_nodes(1);
  const auto one = chunk(100), two = chunk(100);
  for (const char* const path : {"a", "b"}) {
    Entry& entry = made_.file(path, {one});
    entry.inode = 7, entry.links = 3;
  }
  for (const char* const path : {"c", "d"}) {
    Entry& entry = made_.file(path, {two});
    entry.inode = 7, entry.links = 2;
  }
  finish();
  const auto result = restore();
  EXPECT_EQ(result.hard_links, 2U);
  EXPECT_EQ(target_.find("a")->inode, target_.find("b")->inode);
  EXPECT_EQ(target_.find("c")->inode, target_.find("d")->inode);
  EXPECT_EQ(content("b"), one.payload);
  EXPECT_EQ(content("d"), two.payload);
}

TEST_F(FaultyRestoring, WhatNeedsToReadTheTargetIsRefusedWhereItCannotBeRead) {
  make_nodes(1);
  made_.file("a", {chunk(10)});
  finish();
  const std::vector<RestoreOptions> needing{
      {.overwrite = Overwrite::kNever}, {.remove_others = true}, {.verify = true}};
  for (const RestoreOptions& options : needing) {
    RestoreSession session(*fetcher_, files_, target_, nullptr, keys_, loop_, loop_);
    std::optional<Result<RestoreResult>> result;
    session.start(path_, options, [&](auto restored) { result = std::move(restored); });
    EXPECT_FALSE(result) << "never from within the call";
    ASSERT_TRUE(loop_.run_until([&] { return result.has_value(); }));
    EXPECT_EQ(result->error().code(), Code::kInvalidArgument);
  }
  EXPECT_THAT(target_.paths(), IsEmpty());
}

TEST_F(FaultyRestoring, ADryRunCountsWhatARestoreDoes) {
  make_nodes(1);
  made_.folder("d");
  const auto one = chunk(100);
  for (const char* const path : {"d/a", "d/b"}) {
    Entry& entry = made_.file(path, {one});
    entry.inode = 7, entry.links = 2;
  }
  made_.symlink("d/l", "elsewhere");
  finish();
  const auto dry = restore({.dry_run = true, .verify = true});
  EXPECT_THAT(target_.paths(), IsEmpty());
  EXPECT_EQ(dry.verified, 0U) << "there is nothing to read";
  const auto real = restore({.verify = true});
  EXPECT_EQ(real.verified, 2U);
  EXPECT_EQ(dry.files, real.files);
  EXPECT_EQ(dry.bytes, real.bytes);
  EXPECT_EQ(dry.hard_links, real.hard_links);
  EXPECT_EQ(dry.folders, real.folders);
  EXPECT_EQ(dry.others, real.others);
  EXPECT_EQ(real.others, 1U);
}

TEST_F(FaultyRestoring, WhatCannotBeLookedAtIsLeftAloneAndSaid) {
  make_nodes(1);
  for (const char* const path : {"file", "other"}) made_.file(path, {chunk(10)});
  made_.symlink("link", "x");
  finish();
  const Error refused(Code::kIo, "no looking");
  for (const Overwrite overwrite : {Overwrite::kIfChanged, Overwrite::kIfNewer}) {
    target_ = MemoryTarget();
    target_.look_errors = {{"file", refused}, {"link", refused}};
    const auto result = restore({.overwrite = overwrite});
    EXPECT_THAT(paths(result), UnorderedElementsAre("file", "link"));
    EXPECT_EQ(result.failed, 2U);
    EXPECT_THAT(target_.paths(), ElementsAre("other"));
  }
}

TEST_F(FaultyRestoring, LinksAreReplacedIfTheirKindOrTimeChanged) {
  make_nodes(1);
  for (const char* const path : {"kind", "same", "time"}) made_.symlink(path, "x");
  finish();
  for (const CatalogEntry& entry : made_.entries())
    ASSERT_TRUE(target_.make_symlink(entry.entry.path, entry.entry));
  target_.put_file("kind", Bytes(1), target_.find("kind")->entry.mtime);
  Entry older = target_.find("time")->entry;
  older.mtime = {1, 0};
  ASSERT_TRUE(target_.make_symlink("time", older));
  const auto result = restore({.overwrite = Overwrite::kIfChanged});
  EXPECT_EQ(result.skipped, 1U);
  EXPECT_EQ(result.others, 2U);
  expect_all();
}

TEST_F(FaultyRestoring, WhatCannotBeListedOrRemovedIsSaidAndTheRestIsRemoved) {
  make_nodes(1);
  made_.folder("a");
  made_.folder("b");
  finish();
  for (const char* const path : {"a", "b"}) target_.put_folder(path);
  for (const char* const path : {"a/old", "b/kept", "b/old"}) target_.put_file(path, Bytes(3));
  target_.list_errors = {{"a", Error(Code::kIo, "no listing")}};
  target_.remove_errors = {{"b/kept", Error(Code::kReadOnly, "no removing")}};
  const auto result = restore({.remove_others = true});
  EXPECT_EQ(result.removed, 1U);
  EXPECT_THAT(paths(result), UnorderedElementsAre("a", "b/kept"));
  EXPECT_THAT(target_.paths(), ElementsAre("a", "a/old", "b", "b/kept"));
}

// It was removed with all that had just been restored to it. What else it holds stays: nobody knows
// what the snapshot had there.
TEST_F(FaultyRestoring, AFolderThatTheCatalogOnlyImpliesWasRemovedAsOneTheSnapshotDoesNotHave) {
  make_nodes(1);
  made_.file("lost/x", {chunk(10)});
  finish();
  target_.put_folder("lost");
  for (const char* const path : {"lost/y", "zz"}) target_.put_file(path, Bytes(3));
  restore({.remove_others = true});
  EXPECT_THAT(target_.find("lost/x"), NotNull());
  EXPECT_THAT(target_.find("lost/y"), NotNull());
  EXPECT_THAT(target_.find("zz"), IsNull()) << "the target itself is known";
}

TEST_F(FaultyRestoring, ACatalogThatIsFoundDamagedHalfWayEndsTheRestoreWithWhatItHasInHand) {
  make_nodes(1);
  made_.file("b", {chunk(10)});
  finish();
  CatalogEntry first = made_.entries().at(0), second = first;
  second.entry.path = "a";
  write_catalog({first, second});
  nodes_[0]->latency = std::chrono::seconds(1);  // the first file is not there yet
  const auto result = try_restore({}, {.entries = 1});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Code::kCorrupt);
  EXPECT_THAT(result.error().message(), HasSubstr("out of order"));
  loop_.run_for(std::chrono::seconds(10));
}

TEST_F(FaultyRestoring, AHugeFileOfWhichTheBeginningIsNotAsWrittenIsSaidOnce) {
  make_nodes(1);
  made_.huge_file("huge", pieces(200), 2);
  finish();
  target_.spoil = [](MemoryTarget::Node& node) { node.content.front() ^= 1; };
  const auto result = restore({.verify = true});
  EXPECT_EQ(result.verified, 0U);
  EXPECT_EQ(result.problem_count, 1U);
  EXPECT_EQ(result.problems.at(0).error.code(), Code::kCorrupt);
}

TEST_F(FaultyRestoring, AHugeFileWhoseListsAreGoneWhenItIsVerifiedIsSaid) {
  make_nodes(1);
  made_.huge_file("huge", pieces(20), 2);
  made_.file("small", {chunk(10)});
  finish();
  const ObjectId list = made_.lists().front().id;
  ASSERT_EQ(made_.lists().front().kind, ListKind::kChunkList);
  target_.spoil = [&](MemoryTarget::Node& node) {
    if (node.entry.path == "huge") nodes_[0]->remove_frame_of(list);
  };
  const auto result = restore({.verify = true});
  EXPECT_EQ(result.files, 2U);
  EXPECT_EQ(result.verified, 1U);
  EXPECT_THAT(paths(result), UnorderedElementsAre("huge"));
}

TEST_F(FaultyRestoring, ASessionMayGoBetweenAnyTwoOfItsSteps) {
  make_nodes(1);
  made_.file("a", {chunk(10), chunk(10)});
  made_.huge_file("b", pieces(4), 2);
  finish();
  bool done = false;
  for (int steps = 0; !done; ++steps) {
    target_ = MemoryTarget();
    auto session =
        std::make_unique<RestoreSession>(*fetcher_, files_, target_, &target_, keys_, loop_, loop_);
    session->start(path_, {.verify = true}, [&](auto) { done = true; });
    for (int i = 0; i < steps && !done; ++i) loop_.step();
    session.reset();
    const bool was_done = done;
    loop_.run_for(std::chrono::seconds(2));
    EXPECT_EQ(done, was_done);
    EXPECT_EQ(target_.open_writers, 0U);
    ASSERT_LT(steps, 10'000);
  }
}

}  // namespace
}  // namespace holdfast::agent
