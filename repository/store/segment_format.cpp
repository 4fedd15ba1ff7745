// Encoding and decoding the fixed headers. Decoding compares the checksum before it believes any
// other field, except that a newer version is told from damage: its header is checked as ours is.
#include "repository/store/segment_format.h"

#include <fmt/format.h>

#include "common/base/endian.h"
#include "common/content/checksum.h"

namespace holdfast::repository {
namespace {

constexpr std::string_view kSegmentMagic = "HFSEGM01";
constexpr std::string_view kRecordMagic = "HFRC";
constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kSegmentChecksumOffset = 56;
constexpr std::size_t kRecordChecksumOffset = 24;

Error corrupt(std::string_view what) { return Error(Code::kCorrupt, std::string(what)); }

Error newer(std::string_view what, std::uint16_t version) {
  return Error(Code::kUnsupportedVersion,
               fmt::format("{} version {} is not known to this program; a newer one wrote it", what,
                           version));
}

bool is_known(std::uint16_t type) {
  switch (static_cast<RecordType>(type)) {
    case RecordType::kFrame:
    case RecordType::kManifest:
    case RecordType::kCharter:
    case RecordType::kTombstone:
      return true;
  }
  return false;
}

}  // namespace

std::array<Byte, kSegmentHeaderSize> encode_segment_header(std::uint32_t number,
                                                           const NodeId& node) {
  std::array<Byte, kSegmentHeaderSize> header{};
  std::memcpy(header.data(), kSegmentMagic.data(), kSegmentMagic.size());
  store_le(header.data() + 8, kVersion);
  store_le(header.data() + 12, number);
  std::memcpy(header.data() + 16, node.bytes.data(), NodeId::kSize);
  store_le(header.data() + kSegmentChecksumOffset,
           content::checksum64(ByteView(header).first(kSegmentChecksumOffset)));
  return header;
}

bool segment_header_is_intact(ByteView bytes) {
  return bytes.size() >= kSegmentHeaderSize &&
         as_text(bytes.first(kSegmentMagic.size())) == kSegmentMagic &&
         load_le<std::uint64_t>(bytes.data() + kSegmentChecksumOffset) ==
             content::checksum64(bytes.first(kSegmentChecksumOffset));
}

Result<std::uint32_t> decode_segment_header(ByteView bytes, const NodeId& node) {
  if (!segment_header_is_intact(bytes)) return corrupt("the segment's header is damaged");
  const auto version = load_le<std::uint16_t>(bytes.data() + 8);
  if (version != kVersion) return newer("segment", version);
  if (std::memcmp(bytes.data() + 16, node.bytes.data(), NodeId::kSize) != 0)
    return corrupt("the segment belongs to another node");
  const bool reserved = load_le<std::uint16_t>(bytes.data() + 10) != 0 ||
                        load_le<std::uint64_t>(bytes.data() + 48) != 0;
  const auto number = load_le<std::uint32_t>(bytes.data() + 12);
  if (reserved || number == 0) return corrupt("the segment's header is malformed");
  return number;
}

std::array<Byte, kRecordHeaderSize> encode_record_header(RecordType type, ByteView payload) {
  check(payload.size() <= kMaxRecordPayload, "a record larger than any may be");
  std::array<Byte, kRecordHeaderSize> header{};
  std::memcpy(header.data(), kRecordMagic.data(), kRecordMagic.size());
  store_le(header.data() + 4, kVersion);
  store_le(header.data() + 6, static_cast<std::uint16_t>(type));
  store_le(header.data() + 8, static_cast<std::uint32_t>(payload.size()));
  store_le(header.data() + kRecordPayloadChecksumOffset, content::checksum64(payload));
  store_le(header.data() + kRecordChecksumOffset,
           content::checksum64(ByteView(header).first(kRecordChecksumOffset)));
  return header;
}

Result<RecordHeader> decode_record_header(ByteView bytes) {
  if (bytes.size() < kRecordHeaderSize ||
      as_text(bytes.first(kRecordMagic.size())) != kRecordMagic ||
      load_le<std::uint64_t>(bytes.data() + kRecordChecksumOffset) !=
          content::checksum64(bytes.first(kRecordChecksumOffset)))
    return corrupt("the record's header is damaged");
  const auto version = load_le<std::uint16_t>(bytes.data() + 4);
  if (version != kVersion) return newer("record", version);
  const auto type = load_le<std::uint16_t>(bytes.data() + 6);
  if (!is_known(type))
    return Error(Code::kUnsupportedVersion,
                 fmt::format("record type {} is not known to this program", type));
  RecordHeader header{static_cast<RecordType>(type), load_le<std::uint32_t>(bytes.data() + 8),
                      load_le<std::uint64_t>(bytes.data() + kRecordPayloadChecksumOffset)};
  if (header.length > kMaxRecordPayload || load_le<std::uint32_t>(bytes.data() + 12) != 0)
    return corrupt("the record's header is malformed");
  return header;
}

}  // namespace holdfast::repository
