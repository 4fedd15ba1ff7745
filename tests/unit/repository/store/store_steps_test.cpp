// What is done in bounded pieces: a long recovery, and a verification while the store changes.
#include <gmock/gmock.h>

#include "common/format/charter.pb.h"
#include "tests/unit/repository/store/failing_index.h"
#include "tests/unit/repository/store/store_fixture.h"

namespace holdfast::repository {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class StoreSteps : public StoreTest {
 protected:
  StoreSteps() {
    limits_.segment_bytes = 16 << 20;
    open();
  }
  // So many that two of them fill a batch of recovery, and a step.
  TestFrame many() { return data(9'000, 8); }
  // One whose record ends with padding.
  TestFrame many_padded() {
    TestFrame frame = many();
    for (std::size_t count = 9'001; frame.bytes.size() % kRecordAlignment == 0; ++count)
      frame = data(count, 8);
    return frame;
  }
  VerifyProgress step(bool restart, VerifyDepth::Kind kind = VerifyDepth::kStructure) {
    auto progress = store_->verify_step({kind}, keys(), restart);
    EXPECT_TRUE(progress) << said(progress);
    return progress ? *std::move(progress) : VerifyProgress{};
  }
};

TEST_F(StoreSteps, ALongRecoveryTellsTheIndexOnTheWay) {
  const TestFrame first = many(), second = many(), third = data();
  store({&first, &second, &third});
  store_.reset();
  index_ = MemoryIndex();
  FailingIndex counted(index_);
  store_ = Store::open(files_, kPath, counted, node_, limits_).value();
  EXPECT_EQ(counted.writes(), 2u);
  EXPECT_EQ(store_->recovery().records_replayed, 3u);
  EXPECT_EQ(index_.approximate_count().value(), 18'002u);
  store_.reset();
}

TEST_F(StoreSteps, ALongRecoveryTellsTheIndexOfATornPaddingOnlyOnceItIsRestored) {
  const TestFrame first = many(), second = many_padded();
  store({&first, &second});
  const Location at = location(second.id());
  store_.reset();
  index_ = MemoryIndex();
  const std::uint64_t end = at.offset + kRecordHeaderSize + at.length;
  ASSERT_LT(end, files_.size_of(segment_path(1)));
  ASSERT_TRUE((*files_.open(segment_path(1), OpenMode::kReadWrite))->truncate(end));
  FailingIndex counted(index_);
  store_ = Store::open(files_, kPath, counted, node_, limits_).value();
  EXPECT_EQ(counted.writes(), 1u);
  EXPECT_EQ(files_.size_of(segment_path(1)), at.offset + record_size(at.length));
  EXPECT_EQ(store_->recovery().damaged_records, 0u);
  EXPECT_TRUE(store_->read_frame(first.id()));
  EXPECT_TRUE(store_->read_frame(second.id()));
  store_.reset();
}

TEST_F(StoreSteps, AVerificationsStepEndsBehindSoManyObjects) {
  const TestFrame first = many(), second = many(), third = data();
  store({&first, &second, &third});
  // Of a frame whose names do not fit into what is read of it at first, the last is looked up too.
  ASSERT_TRUE(index_.write({}, {{second.id(8'999)}}, {}, *index_.checkpoint()));
  const VerifyProgress one = step(true);
  EXPECT_EQ(one.frames, 2u);
  EXPECT_FALSE(one.done);
  EXPECT_THAT(one.problems, Contains(HasSubstr("the index lacks 1 of its objects")));
  const VerifyProgress two = step(false);
  EXPECT_EQ(two.frames, 1u);
  EXPECT_TRUE(two.done);
}

TEST_F(StoreSteps, AVerificationsStepEndsBehindSoManyRecords) {
  for (std::uint64_t version = 1; version <= 4'100; ++version) {
    format::CharterProto body;
    body.set_version(version);
    format::CharterRecordProto record;
    record.set_body(body.SerializeAsString());
    ASSERT_TRUE(store_->append_charter(version, to_bytes(record.SerializeAsString())));
  }
  const VerifyProgress one = step(true), two = step(false);
  EXPECT_EQ(one.records, 4'096u);
  EXPECT_FALSE(one.done);
  EXPECT_EQ(two.records, 4u);
  EXPECT_TRUE(two.done);
  EXPECT_EQ(one.bytes + two.bytes, two.total_bytes);
}

// Between two steps a failed sync gives up the end of the segment that is being read, or all of it:
// the second time they are in one that was begun afresh.
TEST_F(StoreSteps, AVerificationGoesOnWhereTheEndOfItsSegmentWentAway) {
  for (const bool all : {false, true}) {
    SCOPED_TRACE(all);
    const TestFrame first = many(), second = many(), third = data();
    put(first);
    if (!all) sync();
    put(second);
    put(third);
    // What went away was read ahead.
    EXPECT_EQ(step(true, VerifyDepth::kChecksum).frames, 2u);
    files_.fail_sync(1);
    EXPECT_FALSE(store_->sync());
    for (bool done = false; !done;) {
      const VerifyProgress rest = step(false, VerifyDepth::kChecksum);
      EXPECT_EQ(rest.frames, 0u);
      EXPECT_THAT(rest.problems, IsEmpty());
      done = rest.done;
    }
    EXPECT_THAT(verify({VerifyDepth::kChecksum}).problems, IsEmpty());
    ASSERT_TRUE(store_->try_recover_writes());
  }
}

}  // namespace
}  // namespace holdfast::repository
