// A device that fails: no room, failed syncs, any call at any time.
#include <gmock/gmock.h>

#include "tests/unit/repository/store/store_fixture.h"

namespace holdfast::repository {
namespace {

using ::testing::HasSubstr;

class StoreFaults : public StoreTest {};

TEST_F(StoreFaults, BelowTheReserveFramesAreRefusedAndReadsGoOn) {
  const TestFrame first = data(), second = data();
  store({&first});
  files_.set_capacity(files_.used_bytes() + limits_.reserve_bytes + 100);
  EXPECT_EQ(code_of(store_->put_frame(second.parsed)), Code::kNoSpace);
  EXPECT_TRUE(store_->read_only());
  EXPECT_THAT(store_->statistics().read_only_reason, HasSubstr("reserve"));
  EXPECT_EQ(code_of(store_->put_frame(second.parsed)), Code::kReadOnly);
  EXPECT_TRUE(present(first.id()));
  EXPECT_FALSE(present(second.id()));
  EXPECT_TRUE(store_->read_frame(first.id()));
  EXPECT_EQ(code_of(store_->try_recover_writes()), Code::kNoSpace);
  files_.set_capacity(std::nullopt);
  ASSERT_TRUE(store_->try_recover_writes());
  EXPECT_FALSE(store_->read_only());
  store({&second});
}

TEST_F(StoreFaults, TheReserveIsForCommittingWhatCameBefore) {
  const TestFrame chunks = data(), root = list(chunks.ids());
  store({&chunks, &root});
  files_.set_capacity(files_.used_bytes() + 8000);
  EXPECT_EQ(code_of(store_->put_frame(data().parsed)), Code::kNoSpace);
  const auto snapshot = manifest(root.id());
  ASSERT_TRUE(append(snapshot));
  sync();
  crash();
  EXPECT_TRUE(store_->manifest(snapshot.id)->complete);
}

TEST_F(StoreFaults, AWriteThatStopsHalfwayLeavesARecordableSegment) {
  limits_.reserve_bytes = 0;
  open();
  const TestFrame first = data(), second = data(), third = data();
  store({&first});
  put(second);
  // The disk says that there is room, and then there is less: another process was faster.
  const std::uint64_t before = files_.size_of(segment_path(1));
  files_.fail_call(2, Code::kNoSpace, false);  // the write behind the question for room
  EXPECT_EQ(code_of(store_->put_frame(third.parsed)), Code::kNoSpace);
  EXPECT_TRUE(store_->read_only());
  EXPECT_EQ(files_.size_of(segment_path(1)), before);
  EXPECT_FALSE(present(third.id()));
  EXPECT_TRUE(present(second.id()));
  sync();  // what came before is none the worse
  ASSERT_TRUE(store_->try_recover_writes());
  store({&third});
  crash();
  for (const TestFrame* frame : {&first, &second, &third})
    EXPECT_TRUE(store_->read_frame(frame->id()));
  EXPECT_EQ(store_->recovery().damaged_records, 0u);
}

TEST_F(StoreFaults, AHalfWrittenRecordThatCannotBeCutOffKeepsTheStoreReadOnly) {
  const TestFrame first = data(), second = data();
  store({&first});
  const std::uint64_t before = files_.size_of(segment_path(1));
  files_.fail_call(2, Code::kIo, true);
  EXPECT_EQ(code_of(store_->put_frame(second.parsed)), Code::kIo);
  EXPECT_FALSE(store_->try_recover_writes());
  files_.clear_faults();
  {
    auto file = files_.open(segment_path(1), OpenMode::kReadWrite);
    ASSERT_TRUE((*file)->write_at(before, {ByteView(second.bytes).first(100)}));
  }
  EXPECT_TRUE(store_->read_only());
  ASSERT_TRUE(store_->try_recover_writes());
  EXPECT_EQ(files_.size_of(segment_path(1)), before);
  store({&second});
  EXPECT_EQ(location(second.id()).segment, 2u);
  EXPECT_THAT(verify({VerifyDepth::kSignature}).problems, ::testing::IsEmpty());
}

TEST_F(StoreFaults, AFailedSyncGivesUpTheTailAndWritingGoesOnInAFreshSegment) {
  const TestFrame kept = data(), lost = data(), root = list(lost.ids());
  store({&kept});
  put(lost);
  put(root);
  const auto snapshot = manifest(root.id());
  ASSERT_TRUE(append(snapshot));
  files_.fail_sync(1);
  const Status synced = store_->sync();
  EXPECT_EQ(code_of(synced), Code::kIo);
  EXPECT_THAT(said(synced), HasSubstr("segment 1"));
  EXPECT_TRUE(store_->read_only());
  EXPECT_FALSE(present(lost.id()) || present(root.id()));
  EXPECT_FALSE(store_->manifest(snapshot.id));
  EXPECT_EQ(store_->unsynced_bytes(), 0u);
  EXPECT_TRUE(present(kept.id()));
  EXPECT_TRUE(store_->read_frame(kept.id()));
  EXPECT_EQ(code_of(store_->put_frame(lost.parsed)), Code::kReadOnly);
  EXPECT_EQ(code_of(append(snapshot)), Code::kMissingObjects);

  ASSERT_TRUE(store_->try_recover_writes());
  store({&lost, &root});
  EXPECT_EQ(location(lost.id()).segment, 2u);
  ASSERT_TRUE(append(snapshot));
  sync();
  crash();
  EXPECT_TRUE(present(kept.id()) && present(root.id()));
  EXPECT_TRUE(store_->manifest(snapshot.id)->complete);
  EXPECT_EQ(store_->recovery().damaged_records, 0u);
}

TEST_F(StoreFaults, ASyncThatSucceedsBehindAFailedOneProvesNothing) {
  const TestFrame first = data(), second = data();
  put(first);
  auto one = store_->begin_sync();
  put(second);
  auto two = store_->begin_sync();
  files_.fail_sync(1);
  const Status one_ran = one.run(), two_ran = two.run();
  EXPECT_FALSE(one_ran);
  EXPECT_TRUE(two_ran);
  EXPECT_FALSE(store_->finish_sync(std::move(one), one_ran));
  EXPECT_EQ(code_of(store_->finish_sync(std::move(two), two_ran)), Code::kIo);
  EXPECT_FALSE(present(first.id()) || present(second.id()));
  crash(CrashKeeps::kEverything);
  EXPECT_FALSE(present(first.id()) || present(second.id()));
}

// A write failed and its half record was cut off; the sync of the cut failed, too, and took with it
// what was written before. The next sync had nothing left to write, and was believed.
TEST_F(StoreFaults, ASyncBehindTheFailedOneOfACutWasBelieved) {
  const TestFrame before = data();
  put(before);
  files_.fail_call(2, Code::kIo, false);  // behind the question for room: the write
  EXPECT_FALSE(store_->put_frame(data().parsed));
  ASSERT_TRUE(store_->read_only());
  auto under_way = store_->begin_sync();
  files_.fail_sync(1);
  EXPECT_FALSE(store_->try_recover_writes());
  EXPECT_TRUE(store_->try_recover_writes());
  const Status ran = under_way.run();
  EXPECT_TRUE(ran);
  EXPECT_EQ(code_of(store_->finish_sync(std::move(under_way), ran)), Code::kIo);
  EXPECT_FALSE(present(before.id()));
  crash();
  EXPECT_FALSE(present(before.id()));
  const TestFrame copy = again(before);
  store({&copy});
  crash();
  EXPECT_TRUE(present(before.id()));
}

TEST_F(StoreFaults, WhatAFailedSyncTookAwayIsDamagedAndIncompleteAgain) {
  const TestFrame chunks = data(), root = list(chunks.ids());
  store({&chunks, &root});
  damage(location(chunks.id()));
  EXPECT_FALSE(store_->read_frame(chunks.id()));
  put(again(chunks));
  EXPECT_TRUE(present(root.id()));
  EXPECT_EQ(store_->statistics().damaged_objects, 0u);
  files_.fail_sync(1);
  EXPECT_FALSE(store_->sync());
  EXPECT_FALSE(present(root.id()) || present(chunks.id()));
  EXPECT_EQ(store_->statistics().damaged_objects, 2u);
  ASSERT_TRUE(store_->try_recover_writes());
  put(again(chunks));
  sync();
  EXPECT_TRUE(present(root.id()));
  crash();
  EXPECT_TRUE(present(root.id()));
}

TEST_F(StoreFaults, AStoreWhoseIndexHasNoRoomIsOpenedForReadingAndCatchesUpLater) {
  const TestFrame chunks = data(), root = list(chunks.ids()), later = data();
  store({&chunks, &root});
  const auto snapshot = manifest(root.id());
  ASSERT_TRUE(append(snapshot));
  sync();
  index_.refuse_writes(Code::kNoSpace);
  store_.reset();
  index_.crash(0);  // all of it is to be replayed
  open();
  EXPECT_TRUE(store_->read_only());
  EXPECT_TRUE(store_->manifest(snapshot.id)->complete);
  EXPECT_TRUE(store_->read_frame(chunks.id()));
  EXPECT_EQ(code_of(store_->put_frame(later.parsed)), Code::kReadOnly);
  EXPECT_FALSE(store_->try_recover_writes());
  index_.refuse_writes(std::nullopt);
  ASSERT_TRUE(store_->try_recover_writes());
  store({&later});
  // Now it is in the index: nothing is left to replay.
  store_.reset();
  open();
  EXPECT_EQ(store_->recovery().records_replayed, 0u);
  EXPECT_TRUE(present(root.id()) && present(later.id()));
}

TEST_F(StoreFaults, AnIndexThatCannotBeWrittenLosesNothingThatWasSynced) {
  const TestFrame first = data(), second = data();
  store({&first});
  put(second);
  index_.refuse_writes(Code::kNoSpace);
  sync();  // its segment is durable
  EXPECT_TRUE(store_->read_only());
  EXPECT_TRUE(present(second.id()));
  EXPECT_FALSE(store_->try_recover_writes());
  EXPECT_EQ(code_of(store_->put_frame(data().parsed)), Code::kReadOnly);
  index_.refuse_writes(std::nullopt);
  ASSERT_TRUE(store_->try_recover_writes());
  EXPECT_EQ(index_.approximate_count().value(), 4u);
  store({});
  crash();
  EXPECT_TRUE(present(first.id()) && present(second.id()));
}

// The records that a cut follows are durable already: its own sync takes nothing with it.
TEST_F(StoreFaults, ACutBehindWhatIsDurableLosesNothingThoughItsSyncFails) {
  const TestFrame before = data(), after = data();
  store({&before});
  files_.fail_call(2, Code::kIo, false);  // behind the question for room: the write
  EXPECT_FALSE(store_->put_frame(after.parsed));
  files_.fail_sync(1);
  EXPECT_FALSE(store_->try_recover_writes());
  sync();
  ASSERT_TRUE(store_->try_recover_writes());
  store({&after});
  crash();
  EXPECT_TRUE(present(before.id()) && present(after.id()));
}

TEST_F(StoreFaults, OfTheFailedSyncOfACutOnlyTheSyncsOfItsOwnSegmentFail) {
  limits_.segment_bytes = 1;
  open();
  const TestFrame first = data(), second = data();
  auto of_nothing = store_->begin_sync();
  put(first);
  auto of_first = store_->begin_sync();
  files_.fail_call(4, Code::kIo, false);  // room, a new segment and its header: the write
  EXPECT_FALSE(store_->put_frame(second.parsed));
  files_.fail_sync(1);
  EXPECT_FALSE(store_->try_recover_writes());
  const Status none_ran = of_nothing.run(), first_ran = of_first.run();
  EXPECT_TRUE(store_->finish_sync(std::move(of_nothing), none_ran));
  EXPECT_TRUE(store_->finish_sync(std::move(of_first), first_ran));
  EXPECT_EQ(code_of(store_->sync()), Code::kIo);  // it has the second segment
  ASSERT_TRUE(store_->try_recover_writes());
  crash();
  EXPECT_TRUE(present(first.id()));
  EXPECT_FALSE(present(second.id()));
}

TEST_F(StoreFaults, AFileThatHasTheNextSegmentsNameIsLeftAsItIs) {
  limits_.segment_bytes = 1;
  const TestFrame first = data(), second = data();
  store({&first});
  open();
  {
    auto stranger = files_.open(segment_path(2), OpenMode::kCreateNew);
    ASSERT_TRUE((*stranger)->write_at(0, {to_bytes("not of this program")}));
  }
  const auto outcome = store_->put_frame(second.parsed);
  EXPECT_EQ(code_of(outcome), Code::kAlreadyExists);
  EXPECT_THAT(said(outcome), HasSubstr("segment 2"));
  ASSERT_TRUE(store_->try_recover_writes());
  store({&second});
  EXPECT_GT(location(second.id()).segment, 2u);
  EXPECT_EQ(files_.size_of(segment_path(2)), 19u);
}

// The index reaches into a segment that was begun afresh; what it is recognised by lies before.
TEST_F(StoreFaults, EveryCallThatFailsBehindAFreshSegmentIsToldAndTheNextOpeningIsWhole) {
  const TestFrame first = data(), second = data();
  store({&first});
  put(second);
  files_.fail_sync(1);
  EXPECT_FALSE(store_->sync());
  ASSERT_TRUE(store_->try_recover_writes());
  sync();
  for (std::uint64_t nth = 1;; ++nth) {
    store_.reset();
    const std::uint64_t before = files_.calls();
    files_.fail_call(nth, Code::kIo, false);
    if (const auto opened = try_open(); !opened) {
      EXPECT_THAT(said(opened), HasSubstr("injected fault"));
    }
    const bool reached = files_.calls() - before >= nth;
    files_.clear_faults();
    open();
    EXPECT_FALSE(store_->recovery().index_rebuilt);
    EXPECT_TRUE(store_->read_frame(first.id()));
    EXPECT_FALSE(present(second.id()));
    if (!reached) break;
  }
}

// Every call of a small life of a store fails once, or for good: nothing that was acknowledged is
// lost, nothing aborts, and the store works again afterwards.
class EveryCallFails : public StoreFaults,
                       public ::testing::WithParamInterface<std::tuple<Code, bool>> {};

TEST_P(EveryCallFails, WithoutLosingWhatWasAcknowledged) {
  const auto [code, for_good] = GetParam();
  store_.reset();
  for (std::uint64_t n = 1;; ++n) {
    SCOPED_TRACE("call " + std::to_string(n));
    SimFileSystem files;
    MemoryIndex index;
    limits_.segment_bytes = 3000;
    std::vector<ObjectId> acknowledged;
    std::optional<ManifestId> committed;
    bool created = false;
    const TestFrame before = data(), during = data(), root = list(during.ids());
    const auto snapshot = manifest(root.id());
    const std::uint64_t base = files.calls();
    files.fail_call(n, code, for_good);
    if (Store::create(files, kPath, node_)) {
      created = true;
      auto opened = Store::open(files, kPath, index, node_, limits_);
      if (opened) {
        Store& store = **opened;
        const auto put_and_sync = [&](const TestFrame& frame) {
          if (store.put_frame(frame.parsed) && store.sync())
            for (const ObjectId& id : frame.ids()) acknowledged.push_back(id);
        };
        put_and_sync(before);
        put_and_sync(during);
        if (!for_good && store.read_only()) static_cast<void>(store.try_recover_writes());
        put_and_sync(root);
        if (store.append_manifest(snapshot.id, root.id(), UnixTime{1}, snapshot.bytes) &&
            store.sync())
          committed = snapshot.id;
        for (const ObjectId& id : acknowledged) static_cast<void>(store.read_frame(id));
      }
    }
    const bool reached = files.calls() - base >= n;
    files.crash(CrashKeeps::kSome, random_);
    index.crash(random_.below(index.unflushed_batches() + 1));
    if (!created) {
      const Status recreated = Store::create(files, kPath, node_);
      ASSERT_TRUE(recreated || recreated.error().code() == Code::kAlreadyExists);
    }
    auto reopened = Store::open(files, kPath, index, node_, limits_);
    ASSERT_TRUE(reopened) << said(reopened);
    for (const ObjectId& id : acknowledged) {
      const auto answers = (*reopened)->present({&id, 1});
      EXPECT_TRUE(answers && answers->at(0));
      EXPECT_TRUE((*reopened)->read_frame(id));
    }
    if (committed) {
      EXPECT_TRUE((*reopened)->manifest(*committed)->complete);
    }
    EXPECT_EQ((*reopened)->recovery().damaged_records, 0u);
    const TestFrame after = data();
    ASSERT_TRUE((*reopened)->put_frame(after.parsed) && (*reopened)->sync());
    if (!reached) {
      EXPECT_EQ(acknowledged.size(), 5u);
      break;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Faults, EveryCallFails,
                         ::testing::Combine(::testing::Values(Code::kIo, Code::kNoSpace),
                                            ::testing::Bool()));

TEST_F(StoreFaults, EveryReadThatFailsIsToldAndNothingIsMarked) {
  const TestFrame chunks = data(), root = list(chunks.ids());
  store({&chunks, &root});
  open();
  files_.fail_call(1, Code::kIo, false);
  EXPECT_EQ(code_of(store_->read_frame(chunks.id())), Code::kIo);
  EXPECT_TRUE(present(root.id()));
  EXPECT_TRUE(store_->read_frame(chunks.id()));
}

}  // namespace
}  // namespace holdfast::repository
