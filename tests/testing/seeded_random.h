// Bytes that look random and are the same in every run: splitmix64 (Steele, Lea and Flood, 2014).
#pragma once

#include "common/base/endian.h"
#include "common/ports/random.h"

namespace holdfast::testing {

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}

  void fill(MutableByteView out) override {
    while (!out.empty()) {
      Byte word[8];
      store_le(word, next());
      const std::size_t size = out.size() < sizeof word ? out.size() : sizeof word;
      std::memcpy(out.data(), word, size);
      out = out.subspan(size);
    }
  }

 private:
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  std::uint64_t state_;  // not guarded: one thread at a time, as everything that is deterministic
};

inline Bytes seeded_bytes(std::uint64_t seed, std::size_t size) {
  Bytes bytes(size);
  SeededRandom(seed).fill(bytes);
  return bytes;
}

}  // namespace holdfast::testing
