// The values that RocksDbIndex keeps, as bytes (docs/format.md has no word on them: the index is a
// cache, which is made anew where they cannot be read). All numbers are little-endian.
//
//   entry      := segment u32, offset u64, length u32, position u16, kind u8, flags u8
//   checkpoint := segment u32, offset u64
#pragma once

#include <array>
#include <optional>

#include "repository/store/object_index.h"

namespace holdfast::repository {

constexpr std::size_t kEntrySize = 20;
constexpr std::size_t kCheckpointSize = 12;

std::array<Byte, kEntrySize> encode_entry(const ObjectEntry& entry);
// nullopt for bytes that encode_entry() does not make.
std::optional<ObjectEntry> decode_entry(ByteView value);

std::array<Byte, kCheckpointSize> encode_checkpoint(const Checkpoint& checkpoint);
// nullopt for another size.
std::optional<Checkpoint> decode_checkpoint(ByteView value);

}  // namespace holdfast::repository
