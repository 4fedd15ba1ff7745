// The framing of records in a segment; the grammar is in docs/format.md.
//
//   segment := segment_header record*
//   segment_header (64 bytes) := magic "HFSEGM01" | version u16 | reserved u16 | number u32
//                               | node id (32) | reserved u64 = 0 | XXH3-64 of the 56 bytes before
//   record := record_header payload padding     (padding: zero bytes to a multiple of 8)
//   record_header (32 bytes) := magic "HFRC" | version u16 | type u16 | length u32
//                               | reserved u32 = 0 | XXH3-64 of the payload
//                               | XXH3-64 of the 24 bytes before
//
// A record is valid when both checksums match. Frames carry checksum and signature of their own;
// the record's tells a torn write from a whole one without parsing.
#pragma once

#include <array>

#include "common/base/digest.h"
#include "common/base/result.h"
#include "repository/store/object_index.h"

namespace holdfast::repository {

constexpr std::size_t kSegmentHeaderSize = 64;
constexpr std::size_t kRecordHeaderSize = 32;
constexpr std::size_t kRecordAlignment = 8;
constexpr std::size_t kRecordPayloadChecksumOffset = 16;
// More than any frame, manifest or charter has; checked before anything is allocated.
constexpr std::size_t kMaxRecordPayload = std::size_t{80} << 20;

enum class RecordType : std::uint16_t {
  kFrame = 1,
  kManifest = 2,  // receipt time i64 (Unix ns), then a serialized SignedProto
  kCharter = 3,   // a serialized CharterRecordProto
  kTombstone = 4,
};

struct RecordHeader {
  RecordType type;
  std::uint32_t length;  // of the payload
  std::uint64_t payload_checksum;
};

std::array<Byte, kSegmentHeaderSize> encode_segment_header(std::uint32_t number,
                                                           const NodeId& node);
// The segment's number. kCorrupt, kUnsupportedVersion; kCorrupt too if it is another node's.
Result<std::uint32_t> decode_segment_header(ByteView bytes, const NodeId& node);
// Whether magic and checksum match: what was written here has not changed, whoever wrote it.
bool segment_header_is_intact(ByteView bytes);
std::array<Byte, kRecordHeaderSize> encode_record_header(RecordType type, ByteView payload);
Result<RecordHeader> decode_record_header(ByteView bytes);
constexpr std::uint64_t record_size(std::uint32_t payload_length) {
  return (kRecordHeaderSize + payload_length + kRecordAlignment - 1) / kRecordAlignment *
         kRecordAlignment;
}

}  // namespace holdfast::repository
