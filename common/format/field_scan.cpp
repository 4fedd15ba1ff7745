// Protobuf's wire format: a key varint (field number << 3 | wire type), then a varint (type 0),
// 8 bytes (1), a length and so many bytes (2) or 4 bytes (5).
#include "common/format/field_scan.h"

namespace holdfast::format {
namespace {

constexpr int kMaxVarintBytes = 10;
constexpr std::uint64_t kMaxFieldNumber = (1 << 29) - 1;

}  // namespace

std::optional<std::uint64_t> FieldScan::varint() {
  std::uint64_t value = 0;
  for (int i = 0; i < kMaxVarintBytes && !rest_.empty(); ++i) {
    const Byte byte = rest_.front();
    rest_ = rest_.subspan(1);
    value |= static_cast<std::uint64_t>(byte & 0x7F) << (7 * i);
    if ((byte & 0x80) == 0) return value;
  }
  return std::nullopt;
}

std::optional<ScannedField> FieldScan::fail() {
  malformed_ = true;
  rest_ = {};
  return std::nullopt;
}

std::optional<ScannedField> FieldScan::next() {
  if (rest_.empty()) return std::nullopt;
  const auto key = varint();
  if (!key || *key >> 3 == 0 || *key >> 3 > kMaxFieldNumber) return fail();
  ScannedField field{static_cast<std::uint32_t>(*key >> 3), false, {}};
  std::size_t skipped = 0;
  switch (*key & 7) {
    case 0:
      if (!varint()) return fail();
      break;
    case 1:
      skipped = 8;
      break;
    case 2: {
      const auto length = varint();
      if (!length || *length > rest_.size()) return fail();
      field.is_delimited = true;
      field.content = rest_.first(*length);
      skipped = *length;
      break;
    }
    case 5:
      skipped = 4;
      break;
    default:
      return fail();
  }
  if (skipped > rest_.size()) return fail();
  rest_ = rest_.subspan(skipped);
  return field;
}

bool has_at_most_fields(ByteView message, std::size_t limit) {
  FieldScan scan(message);
  for (std::size_t count = 0; scan.next();)
    if (++count > limit) return false;
  return !scan.malformed();
}

}  // namespace holdfast::format
