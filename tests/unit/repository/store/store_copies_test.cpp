// Lists and chunks that are stored more than once, of which some copies are bad or come too early.
#include <gmock/gmock.h>

#include "common/format/charter.pb.h"
#include "tests/unit/repository/store/store_fixture.h"

namespace holdfast::repository {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAreArray;

class StoreCopies : public StoreTest {
 protected:
  // Finds that what lies there is damaged.
  void lose(const TestFrame& frame) {
    damage(location(frame.id()));
    EXPECT_EQ(code_of(store_->read_frame(frame.id())), Code::kCorrupt);
  }
};

TEST_F(StoreCopies, OfAFrameOfListsOnlyTheOnesThatAreNewNeedTheirRefs) {
  const TestFrame chunks = data(), others = data(), absent = data();
  store({&chunks, &others});
  const PlainObject low{chunks.ids(), to_bytes("low")}, lower{others.ids(), to_bytes("lower")},
      above_nothing{absent.ids(), to_bytes("above nothing")};
  const TestFrame one = frame(format::FrameRole::kMetadata, {low}),
                  two = frame(format::FrameRole::kMetadata, {low, lower}),
                  three = frame(format::FrameRole::kMetadata, {low, lower, above_nothing});
  store({&one});
  EXPECT_EQ(store_->put_frame(two.parsed).value().new_objects, 1u);
  EXPECT_EQ(location(one.id()).offset, location(two.id(0)).offset);
  EXPECT_NE(location(one.id()).offset, location(two.id(1)).offset);
  EXPECT_EQ(code_of(store_->put_frame(three.parsed)), Code::kMissingObjects);
  EXPECT_THAT(store_->missing_refs(three.parsed).value(), UnorderedElementsAreArray(absent.ids()));
}

TEST_F(StoreCopies, OfAnIncompleteListTheFirstIsTheOneThatIsKept) {
  const TestFrame chunks = data(), low = list(chunks.ids());
  store({&chunks, &low});
  const Location first = location(low.id()), below = location(chunks.id());
  lose(low);
  const TestFrame copy = again(low);
  store({&copy});
  damage(first);  // the same bit: both copies are good
  damage(below);
  store_.reset();
  index_ = MemoryIndex();
  open();
  EXPECT_FALSE(present(low.id()) || present(chunks.id()));
  EXPECT_EQ(location(low.id()), first);
  EXPECT_EQ(store_->statistics().incomplete_lists, 1u);
  const TestFrame healed = again(chunks);
  store({&healed});
  EXPECT_TRUE(present(low.id()));
}

TEST_F(StoreCopies, OfADamagedListOneThatIsIncompleteIsBetter) {
  const TestFrame chunks = data(), low = list(chunks.ids());
  store({&chunks, &low});
  lose(chunks);
  lose(low);
  ASSERT_TRUE(index_.flush());
  const TestFrame chunks_again = again(chunks), low_again = again(low);
  store({&chunks_again, &low_again});
  const Location second = location(low.id());
  damage(location(chunks.id()));
  crash();
  EXPECT_EQ(location(low.id()), second);
  EXPECT_FALSE(present(low.id()) || present(chunks.id()));
  EXPECT_EQ(store_->statistics().damaged_objects, chunks.ids().size());
  store({&chunks});
  EXPECT_TRUE(present(low.id()));
  EXPECT_THAT(verify({VerifyDepth::kSignature}).damaged, IsEmpty());
}

TEST_F(StoreCopies, OfAnIncompleteListOneWithWhatItLacksCompletesIt) {
  const TestFrame chunks = data();
  const PlainObject low{chunks.ids(), to_bytes("low")};
  const TestFrame low_alone = frame(format::FrameRole::kMetadata, {low});
  const PlainObject high{{low_alone.id()}, to_bytes("high")};
  const TestFrame high_alone = frame(format::FrameRole::kMetadata, {high}),
                  both = frame(format::FrameRole::kMetadata, {low, high});
  store({&chunks, &low_alone, &high_alone});
  lose(low_alone);
  EXPECT_FALSE(present(high_alone.id()));
  EXPECT_EQ(store_->put_frame(both.parsed).value().new_objects, 2u);
  sync();
  EXPECT_TRUE(present(high_alone.id()));
  EXPECT_EQ(store_->statistics().incomplete_lists, 0u);
}

TEST_F(StoreCopies, AListWhoseFrameCouldNotBeReadAtTheStartIsCompleteOnceItCan) {
  const TestFrame chunks = data(), low = list(chunks.ids()), high = list(low.ids());
  store({&chunks, &low, &high});
  lose(chunks);
  damage(location(low.id()));
  open();
  const TestFrame healed = again(chunks);
  store({&healed});
  EXPECT_FALSE(present(low.id()));
  damage(location(low.id()));  // the same bit: the device misread it
  open();
  EXPECT_TRUE(present(low.id()) && present(high.id()));
  store({});
  crash();
  EXPECT_TRUE(present(low.id()) && present(high.id()));
}

TEST_F(StoreCopies, AListThatWasReportedWithReasonIsNotMarkedTwice) {
  const TestFrame chunks = data();
  TestFrame forged = list(chunks.ids());
  forged.bytes.back() ^= Byte{1};  // the signature's last byte
  forged.parsed = format::parse_frame(forged.bytes).value();
  store({&chunks, &forged});
  const auto nobody = [](const AgentId&) { return std::optional<crypto::VerifyKey>(); };
  EXPECT_FALSE(store_->report_damage(forged.id(), nobody).value());
  EXPECT_TRUE(store_->report_damage(forged.id(), keys()).value());
  EXPECT_EQ(store_->statistics().damaged_objects, 1u);
  lose(chunks);
  EXPECT_EQ(store_->statistics().damaged_objects, 1u + chunks.ids().size());
  EXPECT_EQ(store_->statistics().incomplete_lists, 0u);
}

// Of two lists of one frame the first is above what is found to be lost only after the second.
TEST_F(StoreCopies, AListAboveOneThatWasStoredAgainLaterIsMarkedToo) {
  const TestFrame chunks = data();
  const TestFrame low = list(chunks.ids());
  const TestFrame two = frame(format::FrameRole::kMetadata, {{low.ids(), to_bytes("above low")},
                                                             {chunks.ids(), to_bytes("beside")}});
  store({&chunks, &low, &two});
  lose(low);
  const TestFrame later = again(low);
  store({&later});
  EXPECT_TRUE(present(two.id(0)) && present(two.id(1)));
  lose(chunks);
  EXPECT_FALSE(present(two.id(0)) || present(two.id(1)) || present(low.id()));
  const TestFrame healed = again(chunks);
  store({&healed});
  EXPECT_TRUE(present(two.id(0)) && present(two.id(1)) && present(low.id()));
}

TEST_F(StoreCopies, AGapThatGrowsIsLookedIntoAgain) {
  const TestFrame first = data(), second = data(), third = data();
  store({&first, &second, &third});
  const Location first_at = location(first.id()), second_at = location(second.id());
  files_.flip_bit(segment_path(1), first_at.offset, 1);
  EXPECT_THAT(verify({}).damaged, UnorderedElementsAreArray(first.ids()));
  const TestFrame first_again = again(first);
  store({&first_again});
  EXPECT_THAT(verify({}).problems, IsEmpty());
  files_.flip_bit(segment_path(1), second_at.offset, 1);
  EXPECT_THAT(verify({}).damaged, UnorderedElementsAreArray(second.ids()));
}

class StoreSignedCopies : public StoreCopies {
 protected:
  StoreSignedCopies() { store({&chunks_, &root_}); }
  // Flips a bit of the manifest's record, which is the one behind the root's.
  void damage_manifest() {
    const Location root = location(root_.id());
    damage({root.segment, root.offset + record_size(root.length),
            static_cast<std::uint32_t>(manifest_.bytes.size())});
  }
  static Bytes charter(std::uint64_t version, const std::string& name) {
    format::CharterProto body;
    body.set_version(version);
    format::CharterRecordProto record;
    record.set_body(body.SerializeAsString());
    record.set_signature(name);
    return to_bytes(record.SerializeAsString());
  }

  const TestFrame chunks_ = data(), root_ = list(chunks_.ids());
  const format::SignedManifest manifest_ = manifest(root_.id());
};

TEST_F(StoreSignedCopies, AManifestThatIsWrittenAgainBesideASyncIsDurableWithTheNext) {
  ASSERT_TRUE(append(manifest_));
  sync();
  put(data());
  auto under_way = store_->begin_sync();
  damage_manifest();
  EXPECT_EQ(verify({VerifyDepth::kChecksum}).problems.size(), 1u);
  EXPECT_THAT(verify({VerifyDepth::kChecksum}).problems, IsEmpty());
  const Status ran = under_way.run();
  ASSERT_TRUE(store_->finish_sync(std::move(under_way), ran));
  EXPECT_GT(store_->unsynced_bytes(), 0u);
  sync();
  crash();
  ASSERT_TRUE(store_->manifest(manifest_.id));
  EXPECT_TRUE(store_->manifest(manifest_.id)->complete);
}

TEST_F(StoreSignedCopies, AManifestThatWasNeverDurableIsGivenUpWithItsCopy) {
  ASSERT_TRUE(append(manifest_));
  damage_manifest();
  files_.fail_sync(1);  // that of the copy
  EXPECT_EQ(verify({VerifyDepth::kChecksum}).problems.size(), 1u);
  EXPECT_TRUE(store_->read_only());
  EXPECT_FALSE(store_->manifest(manifest_.id));
  ASSERT_TRUE(store_->try_recover_writes());
  ASSERT_TRUE(append(manifest_));
  sync();
  crash();
  EXPECT_TRUE(store_->manifest(manifest_.id));
}

TEST_F(StoreSignedCopies, TwoChartersOfOneVersionAreBothKeptAndEachOnce) {
  const Bytes one = charter(1, "one"), other = charter(1, "other");
  ASSERT_TRUE(store_->append_charter(1, one));
  ASSERT_TRUE(store_->append_charter(1, other));
  sync();
  ASSERT_TRUE(store_->append_charter(1, one));
  ASSERT_TRUE(store_->append_charter(1, other));
  EXPECT_EQ(store_->unsynced_bytes(), 0u);
  std::vector<Bytes> given;
  EXPECT_FALSE(store_->charter([&](ByteView record) {
    given.emplace_back(record.begin(), record.end());
    return false;
  }));
  EXPECT_THAT(given, UnorderedElementsAreArray({one, other}));
}

}  // namespace
}  // namespace holdfast::repository
