#include "repository/store/segment_format.h"

#include <gtest/gtest.h>

#include "common/base/endian.h"
#include "common/content/checksum.h"

namespace holdfast::repository {
namespace {

NodeId node(unsigned char n) {
  NodeId id{};
  id.bytes[31] = Byte{n};
  return id;
}

template <typename T>
Code code_of(const Result<T>& result) {
  return result ? Code::kInterrupted : result.error().code();
}

// Changes a field and makes the checksum fit, as a newer or a wrong program would.
template <typename T, std::size_t N>
std::array<Byte, N> with(std::array<Byte, N> header, std::size_t offset, T value) {
  store_le(header.data() + offset, value);
  store_le(header.data() + N - 8, content::checksum64(ByteView(header).first(N - 8)));
  return header;
}

TEST(SegmentHeader, ComesBackAsItWasWritten) {
  const auto header = encode_segment_header(0x01020304, node(9));
  EXPECT_EQ(decode_segment_header(header, node(9)).value(), 0x01020304u);
}

TEST(SegmentHeader, EveryFlippedBitIsFound) {
  const auto header = encode_segment_header(7, node(9));
  for (std::size_t bit = 0; bit < header.size() * 8; ++bit) {
    auto changed = header;
    changed[bit / 8] ^= static_cast<Byte>(1u << bit % 8);
    EXPECT_EQ(code_of(decode_segment_header(changed, node(9))), Code::kCorrupt) << bit;
    EXPECT_FALSE(segment_header_is_intact(changed)) << bit;
  }
}

TEST(SegmentHeader, AnotherNodesSegmentIsRefusedThoughIntact) {
  const auto header = encode_segment_header(7, node(9));
  EXPECT_EQ(code_of(decode_segment_header(header, node(8))), Code::kCorrupt);
  EXPECT_TRUE(segment_header_is_intact(header));
}

TEST(SegmentHeader, ANewerVersionIsToldFromDamage) {
  const auto header = encode_segment_header(7, node(9));
  EXPECT_EQ(code_of(decode_segment_header(with(header, 8, std::uint16_t{2}), node(9))),
            Code::kUnsupportedVersion);
  EXPECT_EQ(code_of(decode_segment_header(with(header, 10, std::uint16_t{1}), node(9))),
            Code::kCorrupt);
  EXPECT_EQ(code_of(decode_segment_header(with(header, 48, std::uint64_t{1}), node(9))),
            Code::kCorrupt);
  EXPECT_EQ(code_of(decode_segment_header(with(header, 12, std::uint32_t{0}), node(9))),
            Code::kCorrupt);
}

TEST(SegmentHeader, IsNotReadBeyondItsEnd) {
  const auto header = encode_segment_header(7, node(9));
  for (std::size_t size = 0; size < header.size(); ++size)
    EXPECT_EQ(code_of(decode_segment_header(ByteView(header).first(size), node(9))),
              Code::kCorrupt);
}

TEST(RecordHeader, ComesBackAsItWasWritten) {
  const Bytes payload = to_bytes("a payload");
  for (const auto type :
       {RecordType::kFrame, RecordType::kManifest, RecordType::kCharter, RecordType::kTombstone}) {
    const auto header = decode_record_header(encode_record_header(type, payload));
    ASSERT_TRUE(header);
    EXPECT_EQ(header->type, type);
    EXPECT_EQ(header->length, payload.size());
    EXPECT_EQ(header->payload_checksum, content::checksum64(payload));
  }
}

TEST(RecordHeader, EveryFlippedBitIsFound) {
  const auto header = encode_record_header(RecordType::kFrame, to_bytes("a payload"));
  for (std::size_t bit = 0; bit < header.size() * 8; ++bit) {
    auto changed = header;
    changed[bit / 8] ^= static_cast<Byte>(1u << bit % 8);
    EXPECT_EQ(code_of(decode_record_header(changed)), Code::kCorrupt) << bit;
  }
}

TEST(RecordHeader, RefusesLengthsBeyondTheLimitAndUnknownTypes) {
  const auto header = encode_record_header(RecordType::kFrame, to_bytes("a payload"));
  EXPECT_EQ(code_of(decode_record_header(with(header, 8, ~std::uint32_t{0}))), Code::kCorrupt);
  EXPECT_EQ(code_of(decode_record_header(with(header, 12, std::uint32_t{1}))), Code::kCorrupt);
  EXPECT_EQ(code_of(decode_record_header(with(header, 6, std::uint16_t{99}))),
            Code::kUnsupportedVersion);
  EXPECT_EQ(code_of(decode_record_header(with(header, 4, std::uint16_t{2}))),
            Code::kUnsupportedVersion);
}

TEST(RecordHeader, IsNotReadBeyondItsEnd) {
  const auto header = encode_record_header(RecordType::kFrame, to_bytes("a payload"));
  for (std::size_t size = 0; size < header.size(); ++size)
    EXPECT_EQ(code_of(decode_record_header(ByteView(header).first(size))), Code::kCorrupt);
}

TEST(RecordHeader, RecordsBeginAtMultiplesOfEight) {
  EXPECT_EQ(record_size(0), 32u);
  EXPECT_EQ(record_size(1), 40u);
  EXPECT_EQ(record_size(8), 40u);
  EXPECT_EQ(record_size(9), 48u);
}

}  // namespace
}  // namespace holdfast::repository
