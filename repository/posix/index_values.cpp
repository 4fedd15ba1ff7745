#include "repository/posix/index_values.h"

#include "common/base/endian.h"

namespace holdfast::repository {
namespace {

constexpr std::uint8_t kIncomplete = 1, kDamaged = 2;

}  // namespace

std::array<Byte, kEntrySize> encode_entry(const ObjectEntry& entry) {
  std::array<Byte, kEntrySize> value;
  store_le(value.data(), entry.location.segment);
  store_le(value.data() + 4, entry.location.offset);
  store_le(value.data() + 12, entry.location.length);
  store_le(value.data() + 16, entry.position);
  value[18] = static_cast<Byte>(entry.kind);
  value[19] =
      static_cast<Byte>((entry.incomplete ? kIncomplete : 0) | (entry.damaged ? kDamaged : 0));
  return value;
}

std::optional<ObjectEntry> decode_entry(ByteView value) {
  if (value.size() != kEntrySize) return {};
  const auto kind = static_cast<format::ObjectKind>(value[18]);
  const auto flags = static_cast<std::uint8_t>(value[19]);
  if ((kind != format::ObjectKind::kData && kind != format::ObjectKind::kList) ||
      flags > (kIncomplete | kDamaged))
    return {};
  ObjectEntry entry;
  entry.location = {load_le<std::uint32_t>(value.data()), load_le<std::uint64_t>(value.data() + 4),
                    load_le<std::uint32_t>(value.data() + 12)};
  entry.position = load_le<std::uint16_t>(value.data() + 16);
  entry.kind = kind;
  entry.incomplete = (flags & kIncomplete) != 0;
  entry.damaged = (flags & kDamaged) != 0;
  return entry;
}

std::array<Byte, kCheckpointSize> encode_checkpoint(const Checkpoint& checkpoint) {
  std::array<Byte, kCheckpointSize> value;
  store_le(value.data(), checkpoint.segment);
  store_le(value.data() + 4, checkpoint.offset);
  return value;
}

std::optional<Checkpoint> decode_checkpoint(ByteView value) {
  if (value.size() != kCheckpointSize) return {};
  return Checkpoint{load_le<std::uint32_t>(value.data()), load_le<std::uint64_t>(value.data() + 4)};
}

}  // namespace holdfast::repository
