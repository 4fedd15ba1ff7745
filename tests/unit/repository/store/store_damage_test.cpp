// Bytes that go bad while the store is open: found, marked with everything above, healed.
#include <gmock/gmock.h>

#include "repository/store/signed_records.h"
#include "tests/unit/repository/store/store_fixture.h"

namespace holdfast::repository {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAreArray;

// chunks <- low <- high <- root, and a list beside them that shares no chunk.
class StoreDamage : public StoreTest {
 protected:
  StoreDamage()
      : chunks_(data(3)),
        others_(data(2)),
        low_(list(chunks_.ids())),
        high_(list({low_.id(), others_.id(0)})),
        root_(list({high_.id()})),
        beside_(list(others_.ids())) {
    store({&chunks_, &others_, &low_, &high_, &root_, &beside_});
    manifest_ = manifest(root_.id());
    check(append(manifest_).has_value(), "a manifest cannot be appended");
    sync();
  }
  void expect_broken() {
    for (const ObjectId& id : chunks_.ids()) EXPECT_FALSE(present(id));
    for (const TestFrame* frame : {&low_, &high_, &root_}) EXPECT_FALSE(present(frame->id()));
    EXPECT_FALSE(store_->manifest(manifest_.id)->complete);
    expect_others();
  }
  void expect_whole() {
    for (const ObjectId& id : chunks_.ids()) EXPECT_TRUE(present(id));
    for (const TestFrame* frame : {&low_, &high_, &root_}) EXPECT_TRUE(present(frame->id()));
    EXPECT_TRUE(store_->manifest(manifest_.id)->complete);
    EXPECT_EQ(store_->statistics().damaged_objects, 0u);
    expect_others();
  }
  void expect_others() {
    for (const ObjectId& id : others_.ids()) EXPECT_TRUE(present(id));
    EXPECT_TRUE(present(beside_.id()));
  }

  TestFrame chunks_, others_, low_, high_, root_, beside_;
  format::SignedManifest manifest_;
};

TEST_F(StoreDamage, AReadThatFailsMarksTheFrameAndAllAboveIt) {
  expect_whole();
  damage(location(chunks_.id()));
  expect_whole();  // nobody knows yet
  EXPECT_EQ(code_of(store_->read_frame(chunks_.id(1))), Code::kCorrupt);
  expect_broken();
  EXPECT_EQ(store_->statistics().damaged_objects, 3u);
  EXPECT_EQ(code_of(store_->read_frame(chunks_.id(0))), Code::kCorrupt);
}

TEST_F(StoreDamage, EveryBitOfAFrameCounts) {
  // One opening for each, from the same bytes: the header's ids and refs, the body, the signature.
  const Location at = location(chunks_.id());
  store_.reset();
  const MemoryIndex index = index_;
  for (std::uint64_t byte = 0; byte < kRecordHeaderSize + at.length; byte += 13) {
    const auto bit = static_cast<unsigned>(byte % 8);
    files_.flip_bit(segment_path(at.segment), at.offset + byte, bit);
    open();
    EXPECT_EQ(code_of(store_->read_frame(chunks_.id(2))), Code::kCorrupt) << byte;
    expect_broken();
    store_.reset();
    files_.flip_bit(segment_path(at.segment), at.offset + byte, bit);
    index_ = index;
  }
}

TEST_F(StoreDamage, TheMarksAreRememberedEvenOverACrash) {
  damage(location(chunks_.id()));
  EXPECT_FALSE(store_->read_frame(chunks_.id()));
  open();
  expect_broken();
  EXPECT_EQ(store_->statistics().damaged_objects, 3u);
  crash();
  expect_broken();
}

TEST_F(StoreDamage, AGoodCopyHealsEverythingAboveAtOnceAndForGood) {
  damage(location(chunks_.id()));
  EXPECT_FALSE(store_->read_frame(chunks_.id()));
  EXPECT_EQ(store_->put_frame(again(chunks_).parsed).value().new_objects, 3u);
  expect_whole();
  EXPECT_TRUE(store_->read_frame(chunks_.id()));
  sync();
  expect_whole();
  crash();
  expect_whole();
}

TEST_F(StoreDamage, HealingIsNotDurableBeforeItsSync) {
  damage(location(chunks_.id()));
  EXPECT_FALSE(store_->read_frame(chunks_.id()));
  ASSERT_TRUE(index_.flush());
  put(again(chunks_));
  expect_whole();
  crash();
  expect_broken();
  store_->put_frame(again(chunks_).parsed).value();
  expect_whole();
}

TEST_F(StoreDamage, SomeOfWhatIsMissingDoesNotHealTheRest) {
  damage(location(chunks_.id()));
  EXPECT_FALSE(store_->read_frame(chunks_.id()));
  auto opener = repository_.opener();
  const auto opened = opener.open(chunks_.parsed);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_FALSE(present(root_.id()));
    const auto& payload = opened->objects[i].payload;
    put(frame(format::FrameRole::kData, {{{}, {payload.begin(), payload.end()}}}));
  }
  expect_whole();
}

TEST_F(StoreDamage, ADamagedListTakesThoseAboveAndNotThoseBelow) {
  damage(location(low_.id()));
  EXPECT_EQ(code_of(store_->read_frame(low_.id())), Code::kCorrupt);
  for (const TestFrame* frame : {&low_, &high_, &root_}) EXPECT_FALSE(present(frame->id()));
  for (const ObjectId& id : chunks_.ids()) EXPECT_TRUE(present(id));
  expect_others();
  put(again(low_));
  expect_whole();
}

TEST_F(StoreDamage, AListThatIsIncompleteCanBeReadAndIsNotTakenAgainUntilItsRefsAreThere) {
  damage(location(chunks_.id()));
  EXPECT_FALSE(store_->read_frame(chunks_.id()));
  EXPECT_TRUE(store_->read_frame(low_.id()));
  EXPECT_EQ(code_of(store_->put_frame(again(low_).parsed)), Code::kMissingObjects);
  EXPECT_EQ(code_of(append(manifest(root_.id(), 2))), Code::kMissingObjects);
}

TEST_F(StoreDamage, DamageBeforeTheSyncIsFoundToo) {
  const TestFrame fresh = data(), above = list(fresh.ids());
  put(fresh);
  put(above);
  damage(location(fresh.id()));
  EXPECT_EQ(code_of(store_->read_frame(fresh.id())), Code::kCorrupt);
  EXPECT_FALSE(present(fresh.id()) || present(above.id()));
  sync();
  crash();
  EXPECT_FALSE(present(fresh.id()) || present(above.id()));
  put(again(fresh));
  EXPECT_TRUE(present(fresh.id()) && present(above.id()));
}

TEST_F(StoreDamage, TwoDamagedFramesAreHealedInAnyOrder) {
  damage(location(chunks_.id()));
  damage(location(high_.id()));
  EXPECT_FALSE(store_->read_frame(high_.id()));
  EXPECT_FALSE(present(root_.id()));
  EXPECT_TRUE(present(low_.id()));
  EXPECT_FALSE(store_->read_frame(chunks_.id()));
  EXPECT_FALSE(present(low_.id()));
  EXPECT_EQ(code_of(store_->put_frame(again(high_).parsed)), Code::kMissingObjects);
  put(again(chunks_));
  EXPECT_TRUE(present(low_.id()));
  EXPECT_FALSE(present(root_.id()));
  put(again(high_));
  expect_whole();
}

// It then waited only for what was found damaged later, and was complete when that came.
TEST_F(StoreDamage, AListThatTheDeviceMisreadAtTheStartWasCompleteBeforeAllWasThere) {
  damage(location(chunks_.id()));
  EXPECT_FALSE(store_->read_frame(chunks_.id()));
  sync();
  const Location high = location(high_.id());
  store_.reset();
  const auto flip = [&] { files_.flip_bit(segment_path(high.segment), high.offset + 40, 1); };
  flip();
  open();
  flip();
  damage(location(others_.id()));
  EXPECT_FALSE(store_->read_frame(others_.id()));
  put(again(others_));
  EXPECT_FALSE(present(low_.id()));
  EXPECT_FALSE(present(high_.id())) << "it waits for the list below";
  EXPECT_FALSE(present(root_.id()));
  put(again(chunks_));
  expect_whole();
}

TEST_F(StoreDamage, ADamagedListIsFoundWhileThoseAboveAnotherAreLookedFor) {
  damage(location(chunks_.id()));
  damage(location(beside_.id()));
  EXPECT_FALSE(store_->read_frame(chunks_.id()));
  EXPECT_FALSE(present(beside_.id()));
  EXPECT_EQ(store_->statistics().damaged_objects, 4u);
}

TEST_F(StoreDamage, AReadThatFailsWhileTheListsAboveAreLookedForLeavesNoneOfThemBehind) {
  damage(location(chunks_.id()));
  for (const bool for_good : {true, false}) {
    for (std::uint64_t nth = 1; nth < 12; ++nth) {
      files_.fail_call(nth, Code::kIo, for_good);
      static_cast<void>(store_->read_frame(chunks_.id()));
      files_.clear_faults();
      EXPECT_TRUE(present(chunks_.id()) || !present(low_.id())) << nth;
      EXPECT_TRUE(present(low_.id()) || !present(root_.id())) << nth;
    }
  }
  EXPECT_EQ(code_of(store_->read_frame(chunks_.id())), Code::kCorrupt);
  expect_broken();
  EXPECT_EQ(store_->statistics().damaged_objects, 3u);
}

TEST_F(StoreDamage, AListThatTheDeviceRefusesToReadDoesNotKeepOthersFromBeingMarked) {
  const Location high = location(high_.id());
  damage(location(chunks_.id()));
  files_.break_byte(segment_path(high.segment), high.offset + kRecordHeaderSize);
  EXPECT_EQ(code_of(store_->read_frame(chunks_.id())), Code::kCorrupt);
  expect_broken();
  EXPECT_EQ(store_->statistics().damaged_objects, 4u);
  open();
  put(again(chunks_));
  EXPECT_TRUE(present(low_.id()));
  EXPECT_FALSE(present(root_.id()));
  put(again(high_));
  expect_whole();
}

TEST_F(StoreDamage, AReportIsBelievedOnlyIfTheFrameFailsHereToo) {
  EXPECT_FALSE(store_->report_damage(chunks_.id(), keys()).value());
  EXPECT_FALSE(store_->report_damage(repository_.random_id(), keys()).value());
  expect_whole();
  damage(location(chunks_.id()));
  EXPECT_TRUE(store_->report_damage(chunks_.id(), keys()).value());
  expect_broken();
  EXPECT_TRUE(store_->report_damage(chunks_.id(), keys()).value());
}

TEST_F(StoreDamage, AFrameThatWasBadBeforeItWasStoredIsFoundByItsSignature) {
  TestFrame bad = data();
  bad.bytes[bad.bytes.size() / 2] ^= Byte{1};
  bad.parsed = format::parse_frame(bad.bytes).value();
  store({&bad});
  EXPECT_TRUE(store_->read_frame(bad.id()));  // the record is as it was written
  EXPECT_TRUE(store_->report_damage(bad.id(), keys()).value());
  EXPECT_FALSE(present(bad.id()));
}

class StoreVerification : public StoreDamage {
 protected:
  // Header and payload, without the padding.
  Bytes record(const Location& at) {
    auto file = files_.open(segment_path(at.segment), OpenMode::kRead);
    Bytes bytes(kRecordHeaderSize + at.length);
    check(file && (*file)->read_at(at.offset, bytes).value() == bytes.size(),
          "a record cannot be read");
    return bytes;
  }
  Location manifest_location() {
    const Location last = location(beside_.id());  // the record before it
    const std::size_t length = encode_manifest_record({}, manifest_.bytes).size();
    return {last.segment, last.offset + record_size(last.length),
            static_cast<std::uint32_t>(length)};
  }
  void overwrite(const Location& at, const Bytes& bytes) {
    auto file = files_.open(segment_path(at.segment), OpenMode::kReadWrite);
    check(file && (*file)->write_at(at.offset, {bytes}), "a segment cannot be written");
  }
};

TEST_F(StoreVerification, AWholeStorePassesAtEveryDepthAndEveryByteIsPassed) {
  for (const auto kind :
       {VerifyDepth::kStructure, VerifyDepth::kChecksum, VerifyDepth::kSignature}) {
    const VerifyProgress all = verify({kind});
    EXPECT_THAT(all.problems, IsEmpty());
    EXPECT_THAT(all.damaged, IsEmpty());
    EXPECT_EQ(all.frames, 6u);
    EXPECT_EQ(all.records, 7u);
    EXPECT_EQ(all.bytes, all.total_bytes);
    EXPECT_EQ(all.total_bytes, store_->statistics().stored_bytes);
  }
}

TEST_F(StoreVerification, AFlippedByteIsFoundByTheBytesAndNotByTheStructure) {
  damage(location(chunks_.id()));
  EXPECT_THAT(verify({VerifyDepth::kStructure}).problems, IsEmpty());
  const VerifyProgress found = verify({VerifyDepth::kChecksum});
  EXPECT_THAT(found.damaged, UnorderedElementsAreArray(chunks_.ids()));
  ASSERT_FALSE(found.problems.empty());
  EXPECT_THAT(found.problems[0], HasSubstr("segment 1 offset 64: "));
  expect_broken();
  const VerifyProgress again_found = verify({VerifyDepth::kChecksum});
  EXPECT_THAT(again_found.damaged, IsEmpty());
  EXPECT_FALSE(again_found.problems.empty());
}

TEST_F(StoreVerification, ADamagedCopyThatAGoodOneReplacedIsNoProblem) {
  damage(location(chunks_.id()));
  EXPECT_THAT(verify({VerifyDepth::kSignature}).problems, Not(IsEmpty()));
  put(again(chunks_));
  sync();
  EXPECT_THAT(verify({VerifyDepth::kSignature}).problems, IsEmpty());
}

TEST_F(StoreVerification, ABrokenRecordHeaderLosesItsObjectsAndNoOthers) {
  for (const std::uint64_t byte : {0, 9, 25}) {
    const Location at = location(low_.id());
    files_.flip_bit(segment_path(at.segment), at.offset + byte, 2);
    const VerifyProgress found = verify({VerifyDepth::kStructure});
    EXPECT_THAT(found.damaged, UnorderedElementsAreArray(low_.ids())) << byte;
    EXPECT_FALSE(present(low_.id()) || present(root_.id()))
        << ::testing::PrintToString(found.problems);
    for (const ObjectId& id : chunks_.ids()) EXPECT_TRUE(present(id));
    put(again(low_));
    expect_whole();
  }
}

TEST_F(StoreVerification, ABrokenRecordHeaderIsNoProblemOnceItsObjectsWereStoredAgain) {
  const Location at = location(low_.id());
  files_.flip_bit(segment_path(at.segment), at.offset + 1, 2);
  EXPECT_THAT(verify({VerifyDepth::kStructure}).problems, Not(IsEmpty()));
  EXPECT_THAT(verify({VerifyDepth::kStructure}).problems, Not(IsEmpty()));  // it stays one
  put(again(low_));
  sync();
  expect_whole();
  EXPECT_THAT(verify({VerifyDepth::kSignature}).problems, IsEmpty());
  store_.reset();
  open();
  EXPECT_THAT(verify({VerifyDepth::kSignature}).problems, IsEmpty());
}

TEST_F(StoreVerification, AManifestThatIsDamagedOnTheDiskAloneIsWrittenAgain) {
  const Location at = manifest_location();
  files_.flip_bit(segment_path(at.segment), at.offset + 1, 1);
  EXPECT_THAT(verify({VerifyDepth::kStructure}).problems, Not(IsEmpty()));
  EXPECT_THAT(verify({VerifyDepth::kStructure}).problems, IsEmpty());
  crash();
  EXPECT_TRUE(store_->manifest(manifest_.id).has_value());
  index_.crash(0);
  EXPECT_TRUE(index_.clear());
  open();
  EXPECT_TRUE(store_->manifest(manifest_.id).has_value());
}

TEST_F(StoreVerification, AManifestThatCouldNotBeWrittenAgainIsKnownAllTheSame) {
  const Location at = manifest_location();
  files_.flip_bit(segment_path(at.segment), at.offset + kRecordHeaderSize + 9, 1);
  files_.fail_sync(1);
  EXPECT_THAT(verify({VerifyDepth::kChecksum}).problems, Not(IsEmpty()));
  EXPECT_TRUE(store_->manifest(manifest_.id).has_value());
  ASSERT_TRUE(store_->try_recover_writes());
  EXPECT_THAT(verify({VerifyDepth::kChecksum}).problems, Not(IsEmpty()));
  EXPECT_THAT(verify({VerifyDepth::kChecksum}).problems, IsEmpty());
  crash();
  EXPECT_TRUE(store_->manifest(manifest_.id).has_value());
}

TEST_F(StoreVerification, ALostManifestRecordStaysAProblem) {
  const std::uint64_t end = files_.size_of(segment_path(location(root_.id()).segment));
  const std::uint64_t manifest_begin =
      end -
      record_size(static_cast<std::uint32_t>(encode_manifest_record({}, manifest_.bytes).size()));
  const TestFrame behind = data();
  store({&behind});
  files_.flip_bit(segment_path(location(root_.id()).segment), manifest_begin, 1);
  store_.reset();  // nobody has its bytes any more
  open();
  EXPECT_THAT(verify({VerifyDepth::kStructure}).problems, Not(IsEmpty()));
  EXPECT_THAT(verify({VerifyDepth::kStructure}).problems, Not(IsEmpty()));
}

// As a device does that writes to the wrong place.
TEST_F(StoreVerification, ARecordWrittenOverTheBeginningOfAnotherHidesNothing) {
  for (const auto kind :
       {VerifyDepth::kStructure, VerifyDepth::kChecksum, VerifyDepth::kSignature}) {
    overwrite(location(chunks_.id()), record(location(others_.id())));
    EXPECT_THAT(verify({kind}).damaged, UnorderedElementsAreArray(chunks_.ids())) << kind;
    expect_broken();
    EXPECT_THAT(verify({kind}).problems, Not(IsEmpty()));  // it stays one
    put(again(chunks_));
    sync();
    expect_whole();
    EXPECT_THAT(verify({kind}).problems, IsEmpty());
  }
}

TEST_F(StoreVerification, ARecordWrittenOverTwoOthersHidesNeither) {
  overwrite(location(others_.id()), record(location(chunks_.id())));
  auto lost = others_.ids();
  lost.push_back(low_.id());
  EXPECT_THAT(verify({VerifyDepth::kChecksum}).damaged, UnorderedElementsAreArray(lost));
}

TEST_F(StoreVerification, ADamagedRecordWrittenOverAnotherHidesNothing) {
  Bytes bytes = record(location(others_.id()));
  bytes.back() ^= Byte{1};
  overwrite(location(chunks_.id()), bytes);
  EXPECT_THAT(verify({VerifyDepth::kChecksum}).damaged, UnorderedElementsAreArray(chunks_.ids()));
}

TEST_F(StoreVerification, AManifestWrittenOverAFrameHidesNothing) {
  overwrite(location(chunks_.id()), record(manifest_location()));
  EXPECT_THAT(verify({VerifyDepth::kStructure}).damaged, UnorderedElementsAreArray(chunks_.ids()));
}

TEST_F(StoreVerification, AForgedFrameIsFoundByItsSignature) {
  TestFrame bad = data();
  bad.bytes[bad.bytes.size() / 2] ^= Byte{1};
  bad.parsed = format::parse_frame(bad.bytes).value();
  store({&bad});
  EXPECT_THAT(verify({VerifyDepth::kChecksum}).damaged, IsEmpty());
  EXPECT_THAT(verify({VerifyDepth::kSignature}).damaged, UnorderedElementsAreArray(bad.ids()));
}

TEST_F(StoreVerification, AnUnknownAgentIsAProblemAndNoDamage) {
  const auto nobody = [](const AgentId&) { return std::optional<crypto::VerifyKey>(); };
  const auto step = store_->verify_step({VerifyDepth::kSignature}, nobody, true);
  ASSERT_TRUE(step);
  EXPECT_EQ(step->problems.size(), 6u);
  EXPECT_THAT(step->damaged, IsEmpty());
}

TEST_F(StoreVerification, AMissingSegmentIsDamage) {
  store_.reset();
  limits_.segment_bytes = 1;
  open();
  const TestFrame gone = data(), above = list(gone.ids());
  store({&gone, &above});
  ASSERT_TRUE(files_.remove(segment_path(location(gone.id()).segment)));
  // Enough others, so that the file is not one of those kept open.
  for (int i = 0; i < 20; ++i) put(data());
  const VerifyProgress found = verify({VerifyDepth::kStructure});
  EXPECT_THAT(found.damaged, UnorderedElementsAreArray(gone.ids()));
  EXPECT_FALSE(present(gone.id()) || present(above.id()));
}

TEST_F(StoreVerification, AFractionReadsAboutThatManyAndTheSameForTheSameSeed) {
  std::vector<TestFrame> frames;
  for (int i = 0; i < 200; ++i) frames.push_back(data(1, 1'000));
  for (const TestFrame& frame : frames) put(frame);
  sync();
  for (const TestFrame& frame : frames) damage(location(frame.id()));
  const std::size_t found = verify({VerifyDepth::kChecksum, 0.25, 42}).damaged.size();
  EXPECT_GT(found, 20u);
  EXPECT_LT(found, 85u);
  EXPECT_THAT(verify({VerifyDepth::kChecksum, 0.25, 42}).damaged, IsEmpty());
  EXPECT_GT(verify({VerifyDepth::kChecksum, 0.25, 43}).damaged.size(), 0u);
}

TEST_F(StoreVerification, AnIndexThatLacksAnEntryIsToldOf) {
  ASSERT_TRUE(index_.write({}, others_.ids(), {}, index_.checkpoint().value()));
  const VerifyProgress found = verify({VerifyDepth::kStructure});
  EXPECT_THAT(found.problems, ::testing::Contains(HasSubstr("the index lacks 2 of its objects")));
  // Closure is found broken, and marked.
  EXPECT_FALSE(present(beside_.id()) || present(root_.id()));
  EXPECT_TRUE(store_->reindex());
  expect_whole();
}

TEST_F(StoreVerification, ASectorThatCannotBeReadIsDamageOnlyIfTheDeviceReadsAnythingAtAll) {
  files_.fail_call(2, Code::kIo, true);
  EXPECT_EQ(code_of(store_->verify_step({VerifyDepth::kChecksum}, keys(), true)), Code::kIo);
  files_.clear_faults();
  expect_whole();
}

TEST_F(StoreVerification, StepsGoOnWhileTheStoreIsWrittenTo) {
  limits_.segment_bytes = 4 << 20;
  open();
  std::vector<TestFrame> frames;
  for (int i = 0; i < 12; ++i) frames.push_back(data(1, 1 << 20));
  for (const TestFrame& frame : frames) put(frame);
  auto first = store_->verify_step({VerifyDepth::kSignature}, keys(), true);
  ASSERT_TRUE(first);
  EXPECT_FALSE(first->done);
  EXPECT_LT(first->bytes, 11u << 20);
  put(data());
  sync();
  bool done = false;
  while (!done) {
    auto step = store_->verify_step({VerifyDepth::kSignature}, keys(), false);
    ASSERT_TRUE(step);
    EXPECT_THAT(step->problems, IsEmpty());
    done = step->done;
  }
}

// It was present for ever, and could never be read: what was marked was what does lie there, or
// nothing.
TEST_F(StoreDamage, AnObjectThatTheIndexPlacesWronglyStayedPresent) {
  const auto entry = *store_->locate(low_.id());
  for (const Location& elsewhere :
       {location(others_.id()), Location{entry->location.segment, UINT64_MAX - 7, 100}}) {
    ObjectIndex::Put lie{low_.id(), *entry};
    lie.entry.location = elsewhere;
    ASSERT_TRUE(index_.write({&lie, 1}, {}, {}, *index_.checkpoint()));
    EXPECT_EQ(code_of(store_->read_frame(low_.id())), Code::kCorrupt);
    EXPECT_FALSE(present(low_.id()));
    EXPECT_FALSE(present(root_.id()));
    expect_others();
    put(again(low_));
    sync();
    expect_whole();
  }
}

}  // namespace
}  // namespace holdfast::repository
