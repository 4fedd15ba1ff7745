// XXH3-128 (xxHash): fast, finds every accident, stops no attacker.
#pragma once

#include <array>
#include <initializer_list>

#include "common/base/bytes.h"

namespace holdfast::content {

using Checksum = std::array<Byte, 16>;  // canonical (big endian) form

Checksum checksum(ByteView bytes);
Checksum checksum(std::initializer_list<ByteView> parts);  // of their concatenation
std::uint64_t checksum64(ByteView bytes);                  // XXH3-64

}  // namespace holdfast::content
