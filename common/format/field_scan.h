// Goes over a serialized message field by field without building it. A hostile message can hold a
// repeated message of two bytes millions of times, and each becomes an object a hundred times as
// large: who parses a repeated field counts first.
#pragma once

#include <optional>

#include "common/base/bytes.h"

namespace holdfast::format {

// One field as it lies in protobuf's wire format. Groups, which no format here uses, are malformed.
struct ScannedField {
  std::uint32_t number;
  bool is_delimited;  // bytes, a string, a message or a packed list
  ByteView content;   // of a delimited field, else empty
};

class FieldScan {
 public:
  explicit FieldScan(ByteView message) : rest_(message) {}
  // nullopt at the end, and for good once something malformed was met.
  std::optional<ScannedField> next();
  bool malformed() const { return malformed_; }
  // What is behind the fields that were given.
  ByteView rest() const { return rest_; }

 private:
  std::optional<std::uint64_t> varint();
  std::optional<ScannedField> fail();
  ByteView rest_;
  bool malformed_ = false;
};

// Whether `message` is well formed and has at most `limit` fields at its top level.
bool has_at_most_fields(ByteView message, std::size_t limit);

}  // namespace holdfast::format
