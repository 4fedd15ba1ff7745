// What a store does while nothing goes wrong.
#include "repository/store/store.h"

#include <gmock/gmock.h>

#include "tests/unit/repository/store/store_fixture.h"

namespace holdfast::repository {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(StoreTest, OpensOnlyWhatWasCreated) {
  MemoryIndex index;
  EXPECT_EQ(code_of(Store::open(files_, "/nowhere", index, node_)), Code::kNoRepository);
  EXPECT_EQ(code_of(Store::create(files_, kPath, node_)), Code::kAlreadyExists);
  EXPECT_EQ(code_of(Store::open(files_, kPath, index, node_)), Code::kConflict);  // it is open
  store_.reset();
  NodeId other = node_;
  other.bytes[5] ^= Byte{1};
  EXPECT_EQ(code_of(Store::open(files_, kPath, index, other)), Code::kConflict);
}

TEST_F(StoreTest, TheMarkerTellsANewerStoreFromOneThatIsDamaged) {
  store_.reset();
  const std::string marker = std::string(kPath) + "/store";
  ASSERT_TRUE(write_file_atomically(files_, marker, as_bytes("holdfast store 2\nsomething\n")));
  EXPECT_EQ(code_of(try_open()), Code::kUnsupportedVersion);
  ASSERT_TRUE(write_file_atomically(files_, marker, as_bytes("holdfa")));
  EXPECT_EQ(code_of(try_open()), Code::kCorrupt);
}

TEST_F(StoreTest, APutFrameComesBackByEachOfItsObjects) {
  const TestFrame frame = data(3);
  const auto outcome = store_->put_frame(frame.parsed);
  ASSERT_TRUE(outcome) << said(outcome);
  EXPECT_EQ(outcome->new_objects, 3u);
  for (const ObjectId& id : frame.ids()) {
    EXPECT_TRUE(present(id));
    const auto bytes = store_->read_frame(id);
    ASSERT_TRUE(bytes) << said(bytes);
    EXPECT_TRUE(std::ranges::equal(bytes->view(), frame.bytes));
  }
  EXPECT_EQ(code_of(store_->read_frame(repository_.random_id())), Code::kNotFound);
  EXPECT_FALSE(present(repository_.random_id()));
}

TEST_F(StoreTest, AFrameOfWhichAllIsPresentIsNotWritten) {
  const TestFrame frame = data();
  put(frame);
  const auto before = store_->statistics().stored_bytes;
  const auto outcome = store_->put_frame(again(frame).parsed);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->new_objects, 0u);
  EXPECT_EQ(store_->statistics().stored_bytes, before);
}

TEST_F(StoreTest, OfAFrameOnlyWhatIsNewIsIndexed) {
  const PlainObject old{{}, to_bytes("old")}, fresh{{}, to_bytes("fresh")};
  const TestFrame first = frame(format::FrameRole::kData, {old});
  const TestFrame second = frame(format::FrameRole::kData, {old, fresh, fresh});
  put(first);
  EXPECT_EQ(store_->put_frame(second.parsed).value().new_objects, 1u);
  EXPECT_LT(location(first.id()), location(second.id(1)));
  EXPECT_EQ(store_->locate(second.id(1)).value()->position, 1);
}

TEST_F(StoreTest, AListWhoseRefsAreMissingIsRefusedAndNamesThem) {
  const TestFrame chunks = data(2);
  const ObjectId absent = repository_.random_id();
  const TestFrame bad = list({chunks.id(0), absent, chunks.id(1), absent});
  put(chunks);
  EXPECT_EQ(code_of(store_->put_frame(bad.parsed)), Code::kMissingObjects);
  EXPECT_THAT(store_->missing_refs(bad.parsed).value(), ElementsAre(absent));
  EXPECT_FALSE(present(bad.id()));
  EXPECT_FALSE(store_->read_only());
  const TestFrame good = list(chunks.ids());
  EXPECT_THAT(store_->missing_refs(good.parsed).value(), ElementsAre());
  put(good);
  EXPECT_TRUE(present(good.id()));
}

TEST_F(StoreTest, AListMayReferToWhatComesEarlierInItsFrameOnly) {
  const PlainObject leaf{{}, to_bytes("leaf")};
  const ObjectId leaf_id = repository_.identify(format::FrameRole::kMetadata, leaf);
  const PlainObject root{{leaf_id}, to_bytes("root")};
  const TestFrame backwards = frame(format::FrameRole::kMetadata, {root, leaf});
  EXPECT_EQ(code_of(store_->put_frame(backwards.parsed)), Code::kMissingObjects);
  EXPECT_THAT(store_->missing_refs(backwards.parsed).value(), ElementsAre(leaf_id));
  put(frame(format::FrameRole::kMetadata, {leaf, root}));
  EXPECT_TRUE(present(leaf_id));
}

TEST_F(StoreTest, SegmentsAreSealedAndFramesFoundInAllOfThem) {
  std::vector<TestFrame> frames;
  for (int i = 0; i < 30; ++i) frames.push_back(data(1, 3000));
  for (const TestFrame& frame : frames) put(frame);
  EXPECT_GT(store_->statistics().segments, 4u);
  sync();
  open();
  EXPECT_EQ(store_->recovery().records_replayed, 0u);
  for (const TestFrame& frame : frames) EXPECT_TRUE(store_->read_frame(frame.id()));
}

TEST_F(StoreTest, AReopenedStoreGoesOnInItsLastSegment) {
  store({});
  const TestFrame first = data(1, 100), second = data(1, 100);
  store({&first});
  open();
  store({&second});
  EXPECT_EQ(location(first.id()).segment, location(second.id()).segment);
  EXPECT_EQ(store_->statistics().segments, 1u);
}

TEST_F(StoreTest, AManifestNeedsItsRootAndIsListedInOrderOfReceipt) {
  const TestFrame chunks = data(), root = list(chunks.ids());
  const auto first = manifest(root.id()), second = manifest(root.id(), 2);
  EXPECT_EQ(code_of(append(first)), Code::kMissingObjects);
  store({&chunks, &root});
  ASSERT_TRUE(append(second, 20));
  ASSERT_TRUE(append(first, 10));
  sync();
  const auto bytes = store_->statistics().stored_bytes;
  ASSERT_TRUE(append(first, 30));  // it is there already
  EXPECT_EQ(store_->statistics().stored_bytes, bytes);
  for (int round = 0; round < 2; ++round) {
    const auto manifests = store_->manifests();
    ASSERT_EQ(manifests.size(), 2u);
    EXPECT_EQ(manifests[0].id, second.id);
    EXPECT_EQ(manifests[1].id, first.id);
    EXPECT_EQ(manifests[1].received.nanoseconds, 10);
    EXPECT_EQ(manifests[1].signed_bytes, first.bytes);
    EXPECT_TRUE(manifests[0].complete && manifests[1].complete);
    EXPECT_TRUE(store_->manifest(first.id));
    EXPECT_FALSE(store_->manifest(ManifestId{}));
    open();
  }
}

TEST_F(StoreTest, AManifestIsWhatItsBytesSay) {
  const TestFrame chunks = data(), root = list(chunks.ids());
  store({&chunks, &root});
  const auto good = manifest(root.id());
  EXPECT_EQ(code_of(store_->append_manifest(ManifestId{}, root.id(), UnixTime{1}, good.bytes)),
            Code::kInvalidArgument);
  EXPECT_EQ(code_of(store_->append_manifest(good.id, chunks.id(), UnixTime{1}, good.bytes)),
            Code::kInvalidArgument);
  EXPECT_EQ(code_of(store_->append_manifest(good.id, root.id(), UnixTime{1}, to_bytes("x"))),
            Code::kCorrupt);
}

TEST_F(StoreTest, TheNewestCharterIsGivenWhicheverCameLast) {
  const auto charter = [&](std::uint64_t version) {
    format::Charter content;
    content.version = version;
    if (version > 1) content.previous = Sha256{};
    return format::sign_charter(content, {}, crypto::SecretKey::generate(repository_.random))
        .record;
  };
  const Bytes one = charter(1), two = charter(2), three = charter(3);
  EXPECT_FALSE(store_->charter());
  ASSERT_TRUE(store_->append_charter(1, one));
  ASSERT_TRUE(store_->append_charter(3, three));
  ASSERT_TRUE(store_->append_charter(2, two));
  ASSERT_TRUE(store_->append_charter(3, three));
  EXPECT_EQ(code_of(store_->append_charter(4, three)), Code::kInvalidArgument);
  EXPECT_EQ(code_of(store_->append_charter(4, to_bytes("\xff"))), Code::kCorrupt);
  sync();
  EXPECT_EQ(store_->charter(), three);
  open();
  EXPECT_EQ(store_->charter(), three);
}

TEST_F(StoreTest, NothingIsInTheIndexBeforeItsSegmentIsSynced) {
  const TestFrame frame = data();
  put(frame);
  EXPECT_EQ(index_.approximate_count().value(), 0u);
  EXPECT_GT(store_->unsynced_bytes(), 0u);
  auto work = store_->begin_sync();
  const Status outcome = work.run();
  const TestFrame later = data();
  put(later);
  ASSERT_TRUE(store_->finish_sync(std::move(work), outcome));
  EXPECT_EQ(index_.approximate_count().value(), 2u);
  EXPECT_GT(store_->unsynced_bytes(), 0u);  // what came later
  crash();
  EXPECT_TRUE(present(frame.id()));
  EXPECT_FALSE(present(later.id()));
}

TEST_F(StoreTest, SeveralSyncsMayBeUnderWay) {
  const TestFrame first = data(), second = data();
  put(first);
  auto one = store_->begin_sync();
  put(second);
  auto two = store_->begin_sync();
  const Status two_ran = two.run(), one_ran = one.run();
  ASSERT_TRUE(store_->finish_sync(std::move(one), one_ran));
  ASSERT_TRUE(store_->finish_sync(std::move(two), two_ran));
  EXPECT_EQ(store_->unsynced_bytes(), 0u);
  crash();
  EXPECT_TRUE(present(first.id()) && present(second.id()));
}

TEST_F(StoreTest, StatisticsCountWhatIsThere) {
  const TestFrame frame = data(5);
  store({&frame});
  const StoreStatistics statistics = store_->statistics();
  EXPECT_EQ(statistics.segments, 1u);
  EXPECT_EQ(statistics.stored_bytes, files_.size_of(segment_path(1)));
  EXPECT_EQ(statistics.objects, 5u);
  EXPECT_EQ(statistics.damaged_objects, 0u);
  EXPECT_FALSE(statistics.read_only);
}

TEST_F(StoreTest, ErrorsSayWhere) {
  const TestFrame frame = data();
  store({&frame});
  damage(location(frame.id()));
  const auto read = store_->read_frame(frame.id());
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message(), HasSubstr("segment 1 offset 64"));
  EXPECT_THAT(read.error().message(), HasSubstr(frame.id().short_hex()));
}

}  // namespace
}  // namespace holdfast::repository
