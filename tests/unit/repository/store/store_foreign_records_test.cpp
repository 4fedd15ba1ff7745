// Records that are whole and that this program would not have written: a newer one did, or one that
// was wrong.
#include <gmock/gmock.h>

#include "common/base/endian.h"
#include "common/content/checksum.h"
#include "common/format/manifest.pb.h"
#include "repository/store/signed_records.h"
#include "tests/unit/repository/store/store_fixture.h"

namespace holdfast::repository {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAreArray;

constexpr std::size_t kVersionOffset = 4, kTypeOffset = 6;

// A record's header as a newer program would write it.
std::array<Byte, kRecordHeaderSize> newer_header(std::size_t field) {
  auto header = encode_record_header(RecordType::kCharter, to_bytes("a payload"));
  store_le(header.data() + field, std::uint16_t{99});
  store_le(header.data() + 24, content::checksum64(ByteView(header).first(24)));
  return header;
}

class StoreForeignRecords : public StoreTest {
 protected:
  StoreForeignRecords() { store({&chunks_, &low_, &others_}); }
  // Behind the last record of the only segment, for a store that is opened next.
  void plant(RecordType type, ByteView payload) {
    store_.reset();
    write_record(1, files_.size_of(segment_path(1)), type, payload);
  }
  // In the place of what lies there.
  void replace(const Location& at, ByteView payload) {
    ASSERT_EQ(payload.size(), at.length);
    write_record(at.segment, at.offset, RecordType::kFrame, payload);
  }
  void expect_whole() {
    for (const TestFrame* frame : {&chunks_, &low_, &others_}) {
      EXPECT_TRUE(present(frame->id()));
      EXPECT_TRUE(store_->read_frame(frame->id()));
    }
  }
  static Bytes of_newer_version(Bytes frame) {
    store_le(frame.data() + 8, std::uint16_t{format::kFrameVersion + 1});
    return frame;
  }

  const TestFrame chunks_ = data(3), low_ = list(chunks_.ids()), others_ = data(2);
};

TEST_F(StoreForeignRecords, OfANewerProgramStopTheOpening) {
  for (const std::size_t field : {kVersionOffset, kTypeOffset}) {
    store_.reset();
    const std::uint64_t end = files_.size_of(segment_path(1));
    write(1, end, {newer_header(field), to_bytes("a payload")});
    const auto opened = try_open();
    EXPECT_EQ(code_of(opened), Code::kUnsupportedVersion);
    EXPECT_THAT(said(opened), HasSubstr("segment 1"));
    ASSERT_TRUE((*files_.open(segment_path(1), OpenMode::kReadWrite))->truncate(end));
    open();
    expect_whole();
  }
}

TEST_F(StoreForeignRecords,
       OfANewerProgramAreAProblemOfAVerificationWhichGoesOnBehindTheirSegment) {
  limits_.segment_bytes = 1;
  open();
  const TestFrame next = data();
  store({&next});
  ASSERT_EQ(location(next.id()).segment, 2u);
  damage(location(next.id()));
  const Location at = location(others_.id());
  write(1, at.offset, {newer_header(kVersionOffset)});
  const VerifyProgress found = verify({VerifyDepth::kChecksum});
  EXPECT_THAT(found.problems, Contains(HasSubstr("segment 1 offset " + std::to_string(at.offset) +
                                                 ": record version 99 is not known")));
  EXPECT_THAT(found.damaged, UnorderedElementsAreArray(next.ids()));
}

TEST_F(StoreForeignRecords, ThatSeemToBeWithinADamagedFrameAreNoReasonToStop) {
  const Location at = location(low_.id());
  write(1, at.offset + 64, {newer_header(kTypeOffset)});
  files_.flip_bit(segment_path(1), at.offset, 1);  // of the frame's record, the magic
  EXPECT_THAT(verify({VerifyDepth::kChecksum}).damaged, UnorderedElementsAreArray(low_.ids()));
  EXPECT_TRUE(store_->read_frame(others_.id()));
  store_.reset();
  index_ = MemoryIndex();
  open();
  EXPECT_TRUE(store_->read_frame(others_.id()));
  EXPECT_EQ(store_->recovery().damaged_records, 1u);
}

TEST_F(StoreForeignRecords, WhosePayloadIsNotWhatTheirTypeSaysAreSkippedAndCounted) {
  const Bytes garbage = repository_.random_bytes(100);
  for (const auto& [type, payload] :
       std::vector<std::pair<RecordType, Bytes>>{{RecordType::kFrame, garbage},
                                                 {RecordType::kManifest, to_bytes("short")},
                                                 {RecordType::kManifest, garbage},
                                                 {RecordType::kCharter, to_bytes("\xff")}}) {
    plant(type, payload);
    open();
    EXPECT_EQ(store_->recovery().damaged_records, 1u) << static_cast<int>(type);
    expect_whole();
    EXPECT_THAT(store_->manifests(), IsEmpty());
    EXPECT_FALSE(store_->charter());
    EXPECT_THAT(verify({VerifyDepth::kSignature}).damaged, IsEmpty());
  }
  plant(RecordType::kTombstone, {});  // reserved; it says nothing to this program
  open();
  EXPECT_EQ(store_->recovery().damaged_records, 0u);
  expect_whole();
}

TEST_F(StoreForeignRecords, WithAFrameOrManifestOfANewerVersionStopTheOpening) {
  format::ManifestProto manifest;
  manifest.set_version(99);
  format::SignedProto outer;
  outer.set_body(manifest.SerializeAsString());
  const Bytes newer = encode_manifest_record({}, to_bytes(outer.SerializeAsString()));
  for (const auto& [type, payload] : std::vector<std::pair<RecordType, Bytes>>{
           {RecordType::kFrame, of_newer_version(data().bytes)}, {RecordType::kManifest, newer}}) {
    plant(type, payload);
    EXPECT_EQ(code_of(try_open()), Code::kUnsupportedVersion);
    const std::uint64_t planted = record_size(static_cast<std::uint32_t>(payload.size()));
    auto file = files_.open(segment_path(1), OpenMode::kReadWrite);
    ASSERT_TRUE((*file)->truncate(files_.size_of(segment_path(1)) - planted));
    open();
    expect_whole();
  }
}

// The index of a newer program names it, and this one cannot tell which lists lie above damage.
TEST_F(StoreForeignRecords, WithListsOfANewerVersionKeepDamageFromBeingMarkedInPart) {
  const Location lists = location(low_.id());
  replace(lists, of_newer_version(low_.bytes));
  EXPECT_EQ(code_of(store_->read_frame(low_.id())), Code::kUnsupportedVersion);
  EXPECT_EQ(code_of(store_->verify_step({}, keys(), true)), Code::kUnsupportedVersion);
  damage(location(chunks_.id()));
  EXPECT_EQ(code_of(store_->read_frame(chunks_.id())), Code::kUnsupportedVersion);
  EXPECT_TRUE(present(chunks_.id()) && present(low_.id()));
  replace(lists, low_.bytes);
  EXPECT_EQ(code_of(store_->read_frame(chunks_.id())), Code::kCorrupt);
  EXPECT_FALSE(present(chunks_.id()) || present(low_.id()));
  // Now there are marks, for which all lists are read when the store is opened.
  store_.reset();
  replace(lists, of_newer_version(low_.bytes));
  EXPECT_EQ(code_of(try_open()), Code::kUnsupportedVersion);
  replace(lists, low_.bytes);
  open();
  store({&chunks_});
  expect_whole();
}

TEST_F(StoreForeignRecords, WithAFrameThatIsLongerThanTheyAreAreDamage) {
  const Location at = location(others_.id());
  Bytes longer = others_.bytes;
  store_le(longer.data() + 12, static_cast<std::uint32_t>(longer.size()));  // the header's length
  replace(at, longer);
  const VerifyProgress found = verify({VerifyDepth::kStructure});
  EXPECT_THAT(found.damaged, UnorderedElementsAreArray(others_.ids()));
  EXPECT_THAT(found.problems, Contains(HasSubstr("longer than its record")));
}

TEST_F(StoreForeignRecords, WithAFrameWhoseBeginningAloneIsRightAreDamage) {
  const Location at = location(others_.id());
  Bytes other_body = others_.bytes;
  store_le(other_body.data() + 16, load_le<std::uint32_t>(other_body.data() + 16) - 1);
  replace(at, other_body);
  EXPECT_THAT(verify({VerifyDepth::kStructure}).damaged, IsEmpty());
  EXPECT_THAT(verify({VerifyDepth::kSignature}).damaged, UnorderedElementsAreArray(others_.ids()));
}

TEST_F(StoreForeignRecords, WhoseFrameIsNotOneAreDamageToWhoReadsThem) {
  replace(location(others_.id()), Bytes(others_.bytes.size(), Byte{1}));
  EXPECT_EQ(code_of(store_->read_frame(others_.id())), Code::kCorrupt);
  EXPECT_FALSE(present(others_.id(0)) || present(others_.id(1)));
}

TEST_F(StoreForeignRecords, AHeaderOfAnotherSegmentAndOneThatIsDamagedAreProblems) {
  write(1, 0, {encode_segment_header(2, node_)});
  EXPECT_THAT(verify({}).problems, Contains(HasSubstr("its header names another segment")));
  files_.flip_bit(segment_path(1), 20, 1);
  EXPECT_THAT(verify({}).problems, Contains(HasSubstr("the segment's header is damaged")));
  write(1, 0, {encode_segment_header(1, node_)});
  EXPECT_THAT(verify({}).problems, IsEmpty());
}

TEST_F(StoreForeignRecords, AFileThatBecameShorterIsDamagedWhereItEnds) {
  const Location at = location(others_.id());
  auto file = files_.open(segment_path(1), OpenMode::kReadWrite);
  ASSERT_TRUE((*file)->truncate(at.offset + kRecordHeaderSize + at.length / 2));
  EXPECT_THAT(verify({VerifyDepth::kChecksum}).damaged, UnorderedElementsAreArray(others_.ids()));
  ASSERT_TRUE((*file)->truncate(location(low_.id()).offset + kRecordHeaderSize + 10));
  EXPECT_EQ(code_of(store_->read_frame(low_.id())), Code::kCorrupt);
  EXPECT_FALSE(present(low_.id()));
}

// A device in trouble is no reason to forget what was acknowledged: nothing is cut off.
TEST_F(StoreForeignRecords, ASectorThatCannotBeReadStopsTheOpening) {
  const TestFrame large = data(1, 3 << 20);
  store({&large});
  const Location first = location(chunks_.id()), last = location(large.id());
  crash(CrashKeeps::kEverything);
  store_.reset();
  for (const std::uint64_t bad : {last.offset + last.length, first.offset + 40}) {
    index_ = MemoryIndex();
    if (bad < last.offset) files_.flip_bit(segment_path(1), first.offset, 1);
    files_.break_byte(segment_path(1), bad);
    const auto opened = try_open();
    EXPECT_EQ(code_of(opened), Code::kIo);
    EXPECT_THAT(said(opened), HasSubstr("segment 1"));
    files_.clear_faults();
  }
  files_.flip_bit(segment_path(1), first.offset, 1);
  index_ = MemoryIndex();
  open();
  expect_whole();
  EXPECT_TRUE(store_->read_frame(large.id()));
  files_.break_byte(segment_path(1), last.offset + last.length);
  EXPECT_THAT(verify({VerifyDepth::kChecksum}).damaged, UnorderedElementsAreArray(large.ids()));
  expect_whole();
}

}  // namespace
}  // namespace holdfast::repository
