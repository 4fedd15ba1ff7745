// Opening a store after a crash, with an index that lags, leads, is damaged or gone.
#include <gmock/gmock.h>

#include "tests/unit/repository/store/store_fixture.h"

namespace holdfast::repository {
namespace {

class StoreRecovery : public StoreTest {
 protected:
  // Chunks, a list of them and a manifest, synced.
  struct Snapshot {
    TestFrame chunks, root;
    format::SignedManifest manifest;
  };
  Snapshot snapshot(std::uint64_t sequence = 1) {
    TestFrame chunks = data(), root = list(chunks.ids());
    auto signed_manifest = manifest(root.id(), sequence);
    store({&chunks, &root});
    EXPECT_TRUE(append(signed_manifest));
    sync();
    return {std::move(chunks), std::move(root), std::move(signed_manifest)};
  }
  void expect_whole(const Snapshot& snapshot) {
    for (const ObjectId& id : snapshot.chunks.ids()) {
      EXPECT_TRUE(present(id));
      EXPECT_TRUE(store_->read_frame(id));
    }
    EXPECT_TRUE(present(snapshot.root.id()));
    const auto held = store_->manifest(snapshot.manifest.id);
    ASSERT_TRUE(held);
    EXPECT_TRUE(held->complete);
  }
  void overwrite(std::uint32_t segment, std::uint64_t offset, std::size_t size, Byte with) {
    auto file = files_.open(segment_path(segment), OpenMode::kReadWrite);
    ASSERT_TRUE(file);
    ASSERT_TRUE((*file)->write_at(offset, {Bytes(size, with)}));
    ASSERT_TRUE((*file)->sync_data());
  }
  void close_and_crash() {
    files_.crash(CrashKeeps::kEverything, random_);
    index_.crash(0);
    store_.reset();
  }
};

TEST_F(StoreRecovery, AnIndexThatWasNeverFlushedIsMadeUpForFromTheSegments) {
  const Snapshot one = snapshot(), two = snapshot(2);
  crash();
  EXPECT_TRUE(store_->recovery().index_rebuilt);
  EXPECT_EQ(store_->recovery().records_replayed, 6u);
  EXPECT_EQ(store_->recovery().torn_bytes, 0u);
  expect_whole(one);
  expect_whole(two);
}

TEST_F(StoreRecovery, ALaggingIndexIsReplayedFromItsCheckpoint) {
  const Snapshot one = snapshot();
  ASSERT_TRUE(index_.flush());
  const Snapshot two = snapshot(2);
  crash();
  EXPECT_FALSE(store_->recovery().index_rebuilt);
  EXPECT_EQ(store_->recovery().records_replayed, 3u);
  expect_whole(one);
  expect_whole(two);
}

TEST_F(StoreRecovery, AnyPrefixOfTheIndexsBatchesWillDo) {
  const Snapshot one = snapshot(), two = snapshot(2), three = snapshot(3);
  const std::size_t batches = index_.unflushed_batches();
  ASSERT_GE(batches, 6u);
  const MemoryIndex written = index_;
  for (std::size_t kept = 0; kept <= batches; ++kept) {
    files_.crash(CrashKeeps::kNothing, random_);
    store_.reset();
    index_ = written;
    index_.crash(kept);
    open();
    EXPECT_EQ(store_->recovery().index_rebuilt, kept == 0);
    expect_whole(one);
    expect_whole(two);
    expect_whole(three);
  }
}

TEST_F(StoreRecovery, ADeletedIndexIsRebuilt) {
  const Snapshot one = snapshot();
  store_.reset();
  index_ = MemoryIndex();
  open();
  EXPECT_TRUE(store_->recovery().index_rebuilt);
  expect_whole(one);
  open();
  EXPECT_FALSE(store_->recovery().index_rebuilt);
  EXPECT_EQ(store_->recovery().records_replayed, 0u);
}

TEST_F(StoreRecovery, ADamagedIndexIsRebuilt) {
  const Snapshot one = snapshot();
  store_.reset();
  index_.damage();
  open();
  EXPECT_TRUE(store_->recovery().index_rebuilt);
  expect_whole(one);
}

// Of a note that says where a manifest lies, opening the store failed for good.
TEST_F(StoreRecovery, AnIndexWithAMalformedNoteKeptTheStoreFromBeingOpened) {
  const Snapshot one = snapshot();
  ASSERT_TRUE(index_.flush());
  store_.reset();
  std::vector<ObjectIndex::Note> notes;
  ASSERT_TRUE(index_.for_each_note("", [&](std::string_view name, ByteView value) {
    notes.push_back({std::string(name), Bytes(value.begin(), value.end())});
    return true;
  }));
  ASSERT_GE(notes.size(), 4U);  // of a segment, its anchor, a list's frame and a manifest
  for (ObjectIndex::Note& note : notes) {
    note.value->push_back(0);
    const Checkpoint checkpoint = index_.checkpoint().value();
    ASSERT_TRUE(index_.write({}, {}, {&note, 1}, checkpoint));
    open();
    EXPECT_TRUE(store_->recovery().index_rebuilt) << note.name;
    expect_whole(one);
    store_.reset();
  }
  for (const char* const name :
       {"record/0002/00000001", "record/0002/x/y", "record/0002/00000001-000000000040",
        "record/0002/zzzzzzzz/000000000040", "record/0002/00000001/",
        "record/0002/0000000g/000000000040", "record/0002/00000001/fffffffffffffffffff",
        "segment/"}) {
    const ObjectIndex::Note note{name, Bytes(4)};
    ASSERT_TRUE(index_.write({}, {}, {&note, 1}, index_.checkpoint().value()));
    open();
    EXPECT_TRUE(store_->recovery().index_rebuilt) << name;
    expect_whole(one);
    store_.reset();
  }
}

TEST_F(StoreRecovery, ASegmentUnderAnothersNameStopsTheOpening) {
  const Snapshot one = snapshot();
  store_.reset();
  ASSERT_TRUE(files_.rename(segment_path(1), segment_path(7)));
  index_ = MemoryIndex();
  const auto opened = try_open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), Code::kCorrupt);
  EXPECT_THAT(opened.error().message(),
              ::testing::HasSubstr("its header says that it is segment 1"));
}

TEST_F(StoreRecovery, AnIndexAheadOfARolledBackDiskIsRebuilt) {
  const Snapshot one = snapshot();
  const std::uint64_t then = files_.size_of(segment_path(1));
  const Snapshot two = snapshot(2);
  ASSERT_TRUE(index_.flush());
  close_and_crash();
  auto file = files_.open(segment_path(1), OpenMode::kReadWrite);
  ASSERT_TRUE((*file)->truncate(then));
  ASSERT_TRUE((*file)->sync_data());
  open();
  EXPECT_TRUE(store_->recovery().index_rebuilt);
  expect_whole(one);
  EXPECT_FALSE(present(two.root.id()));
  EXPECT_FALSE(store_->manifest(two.manifest.id));
}

TEST_F(StoreRecovery, AnIndexOfOtherSegmentsOfTheSameLengthIsRebuilt) {
  // A disk that was rolled back and then written to: as long as before, with other records.
  const Snapshot one = snapshot();
  ASSERT_TRUE(index_.flush());
  const MemoryIndex old_index = index_;
  const std::uint64_t common = files_.size_of(segment_path(1));
  const TestFrame lost = data(1, 700), kept = data(1, 700);
  store({&lost});
  const MemoryIndex ahead = index_;
  close_and_crash();
  auto file = files_.open(segment_path(1), OpenMode::kReadWrite);
  ASSERT_TRUE((*file)->truncate(common));
  index_ = old_index;
  open();
  store({&kept});
  ASSERT_EQ(lost.bytes.size(), kept.bytes.size());
  store_.reset();
  index_ = ahead;
  open();
  EXPECT_TRUE(store_->recovery().index_rebuilt);
  expect_whole(one);
  EXPECT_TRUE(present(kept.id()));
  EXPECT_FALSE(present(lost.id()));
}

TEST_F(StoreRecovery, AnIndexOfASegmentThatWentAwayIsRebuilt) {
  limits_.segment_bytes = 1;
  open();
  const TestFrame first = data(), second = data(), third = data();
  store({&first, &second, &third});
  ASSERT_TRUE(index_.flush());
  store_.reset();
  ASSERT_TRUE(files_.remove(segment_path(2)));
  open();
  EXPECT_TRUE(store_->recovery().index_rebuilt);
  EXPECT_TRUE(present(first.id()) && present(third.id()));
  EXPECT_FALSE(present(second.id()));
}

TEST_F(StoreRecovery, ATornTailIsCutOffWhereverItIsTorn) {
  const Snapshot one = snapshot();
  ASSERT_TRUE(index_.flush());
  const std::uint64_t whole = files_.size_of(segment_path(1));
  const TestFrame torn = data(1, 200);
  store({&torn});
  const Location at = location(torn.id());
  const std::uint64_t end = files_.size_of(segment_path(1));
  const auto content = read_file(files_, segment_path(1), 1 << 20);
  ASSERT_TRUE(content);
  for (std::uint64_t size = whole; size < end; size += 7) {
    close_and_crash();
    auto file = files_.open(segment_path(1), OpenMode::kReadWrite);
    ASSERT_TRUE((*file)->write_at(0, {content->view()}));
    ASSERT_TRUE((*file)->truncate(size));
    open();
    const bool complete = present(torn.id());
    EXPECT_EQ(complete, size >= at.offset + kRecordHeaderSize + at.length) << size;
    EXPECT_EQ(store_->recovery().torn_bytes, complete ? 0 : size - whole);
    EXPECT_EQ(store_->recovery().damaged_records, 0u);
    EXPECT_EQ(files_.size_of(segment_path(1)), complete ? end : whole);
    expect_whole(one);
    const TestFrame next = data();
    store({&next});
    EXPECT_TRUE(store_->read_frame(next.id()));
  }
}

TEST_F(StoreRecovery, DamageInTheMiddleIsSkippedAndCounted) {
  for (const std::uint64_t offset : {0ull, 8ull, 20ull, 31ull, 40ull, 300ull}) {
    const TestFrame first = data(1), second = data(1), third = data(1);
    store({&first, &second, &third});
    const Location at = location(second.id());
    close_and_crash();
    files_.flip_bit(segment_path(at.segment), at.offset + offset, 1);
    open();
    EXPECT_EQ(store_->recovery().damaged_records, 1u) << offset;
    EXPECT_EQ(store_->recovery().torn_bytes, 0u);
    EXPECT_TRUE(present(first.id()) && present(third.id())) << offset;
    EXPECT_FALSE(present(second.id()));
    store_.reset();
    ASSERT_TRUE(files_.remove(segment_path(at.segment)));
    index_ = MemoryIndex();
    open();
  }
}

TEST_F(StoreRecovery, ListsAboveDamageAreIncompleteAndTheManifestWithThem) {
  const TestFrame lost = data(), kept = data();
  const TestFrame low = list(lost.ids()), high = list({low.id(), kept.id(0)}),
                  other = list(kept.ids());
  store({&lost, &kept, &low, &high, &other});
  const auto broken = manifest(high.id()), whole = manifest(other.id(), 2);
  ASSERT_TRUE(append(broken) && append(whole));
  sync();
  const Location at = location(lost.id());
  close_and_crash();
  damage(at);
  open();
  for (const ObjectId& id : {lost.id(), low.id(), high.id()}) EXPECT_FALSE(present(id));
  EXPECT_TRUE(present(other.id()) && present(kept.id()));
  EXPECT_FALSE(store_->manifest(broken.id)->complete);
  EXPECT_TRUE(store_->manifest(whole.id)->complete);
  // The marks outlive another opening, and go when the chunks come again.
  open();
  EXPECT_EQ(store_->recovery().records_replayed, 0u);
  EXPECT_FALSE(present(high.id()));
  const TestFrame healed = again(lost);
  store({&healed});
  EXPECT_TRUE(present(high.id()));
  EXPECT_TRUE(store_->manifest(broken.id)->complete);
  open();
  EXPECT_TRUE(present(high.id()));
}

TEST_F(StoreRecovery, ATornSegmentHeaderWithoutRecordsIsAFileThatNeverWas) {
  const Snapshot one = snapshot();
  close_and_crash();
  auto file = files_.open(segment_path(2), OpenMode::kCreateNew);
  ASSERT_TRUE((*file)->write_at(0, {Bytes(30, Byte{1})}));
  open();
  EXPECT_EQ(store_->recovery().torn_bytes, 30u);
  EXPECT_FALSE(files_.exists(segment_path(2)).value());
  expect_whole(one);
}

TEST_F(StoreRecovery, ADamagedSegmentHeaderIsWrittenAgainFromWhatIsKnown) {
  const Snapshot one = snapshot();
  close_and_crash();
  overwrite(1, 0, 64, Byte{0});
  open();
  expect_whole(one);
  EXPECT_TRUE(verify({VerifyDepth::kChecksum}).problems.empty());
}

TEST_F(StoreRecovery, AnotherNodesSegmentStopsTheOpening) {
  const Snapshot one = snapshot();
  close_and_crash();
  NodeId other = node_;
  other.bytes[0] = Byte{8};
  auto file = files_.open(segment_path(2), OpenMode::kCreateNew);
  ASSERT_TRUE((*file)->write_at(0, {encode_segment_header(2, other)}));
  const auto opened = try_open();
  EXPECT_EQ(code_of(opened), Code::kCorrupt);
  EXPECT_THAT(said(opened), ::testing::HasSubstr("segment 2: the segment belongs to another node"));
}

TEST_F(StoreRecovery, WhatIsNoSegmentIsLeftAlone) {
  const Snapshot one = snapshot();
  close_and_crash();
  const std::string folder = std::string(kPath) + "/segments/";
  const std::vector<std::string> names = {"notes.txt",    "00000002.seg.old", "0000000G.seg",
                                          "00000000.seg", "0000000A.seg",     "zzzzzzzz.seg",
                                          "00000002.old"};
  for (const std::string& name : names)
    ASSERT_TRUE(files_.open(folder + name, OpenMode::kCreateNew));
  ASSERT_TRUE(files_.make_directory(folder + "00000003.seg"));
  open();
  expect_whole(one);
  for (const std::string& name : names) EXPECT_TRUE(files_.exists(folder + name).value()) << name;
}

TEST_F(StoreRecovery, ACrashInRecoveryAndAnotherOneGiveTheSame) {
  const Snapshot one = snapshot();
  ASSERT_TRUE(index_.flush());
  const Snapshot two = snapshot(2);
  const TestFrame torn = data();
  put(torn);
  for (const auto point : {simulation::StopPoint::kBefore, simulation::StopPoint::kTorn,
                           simulation::StopPoint::kAfter}) {
    for (std::uint64_t n = 1;; ++n) {
      files_.crash(CrashKeeps::kSome, random_);
      index_.crash(random_.below(index_.unflushed_batches() + 1));
      store_.reset();
      overwrite(1, files_.size_of(segment_path(1)), 50, Byte{0x5a});
      files_.stop_at(n, point, random_);
      auto opened = try_open();
      const bool finished = !files_.stopped();
      if (opened) store_ = std::move(opened).value();
      files_.clear_faults();
      if (!finished) continue;
      ASSERT_TRUE(store_);
      expect_whole(one);
      expect_whole(two);
      break;
    }
  }
}

TEST_F(StoreRecovery, ReindexFindsEverythingAndTheDamage) {
  const Snapshot one = snapshot(), two = snapshot(2);
  damage(location(two.chunks.id()));
  ASSERT_TRUE(store_->reindex());
  expect_whole(one);
  EXPECT_FALSE(present(two.chunks.id()));
  EXPECT_FALSE(present(two.root.id()));
  EXPECT_FALSE(store_->manifest(two.manifest.id)->complete);
  const TestFrame healed = again(two.chunks);
  put(healed);
  auto work = store_->begin_sync();
  EXPECT_EQ(code_of(store_->reindex()), Code::kConflict);
  const Status outcome = work.run();
  ASSERT_TRUE(store_->finish_sync(std::move(work), outcome));
  put(data());
  ASSERT_TRUE(store_->reindex());  // with something unsynced
  expect_whole(two);
  crash();
  EXPECT_FALSE(store_->recovery().index_rebuilt);
  expect_whole(two);
}

TEST_F(StoreRecovery, AFailedReindexNeverLeadsToAnIndexThatClaimsMoreThanItHolds) {
  limits_.segment_bytes = 1;
  open();
  const Snapshot one = snapshot(), two = snapshot(2);
  // Some way into the rebuilding.
  files_.fail_call(12, Code::kIo, false);
  ASSERT_FALSE(store_->reindex());
  EXPECT_TRUE(store_->read_only());
  const TestFrame later = data();
  EXPECT_EQ(code_of(store_->put_frame(later.parsed)), Code::kReadOnly);
  static_cast<void>(store_->sync());
  open();
  expect_whole(one);
  expect_whole(two);
  files_.fail_call(12, Code::kIo, false);
  ASSERT_FALSE(store_->reindex());
  ASSERT_TRUE(store_->try_recover_writes());
  expect_whole(one);
  expect_whole(two);
  store({&later});
}

TEST_F(StoreRecovery, ACrashBehindATornPaddingDoesNotCostTheIndex) {
  const TestFrame chunks = data(1, 501);
  const std::uint64_t content = record_size(static_cast<std::uint32_t>(chunks.bytes.size()));
  ASSERT_NE(content, kRecordHeaderSize + chunks.bytes.size()) << "it has padding";
  ASSERT_TRUE(append(snapshot().manifest));
  ASSERT_TRUE(index_.flush());
  put(chunks);
  const Location at = location(chunks.id());
  for (std::uint64_t call = 1;; ++call) {
    close_and_crash();
    auto file = files_.open(segment_path(1), OpenMode::kReadWrite);
    ASSERT_TRUE((*file)->truncate(at.offset + kRecordHeaderSize + at.length));
    files_.crash(CrashKeeps::kEverything, random_);
    files_.stop_at(call, simulation::StopPoint::kBefore, random_);
    static_cast<void>(try_open());
    const bool stopped = files_.stopped();
    files_.crash(CrashKeeps::kEverything, random_);
    open();
    EXPECT_FALSE(store_->recovery().index_rebuilt) << "stopped before call " << call;
    EXPECT_TRUE(store_->read_frame(chunks.id()));
    if (!stopped) break;
  }
}

}  // namespace
}  // namespace holdfast::repository
