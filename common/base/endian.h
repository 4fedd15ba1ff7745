// Fixed-width integers in the project's byte order: little endian, everywhere, without alignment.
#pragma once

#include <bit>
#include <concepts>
#include <cstring>

#include "common/base/bytes.h"

namespace holdfast {

static_assert(std::endian::native == std::endian::little,
              "big endian machines need a byte swap here");

template <std::unsigned_integral T>
T load_le(const Byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <std::unsigned_integral T>
void store_le(Byte* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

}  // namespace holdfast
