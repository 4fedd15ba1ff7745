// Unpredictable bytes. Production draws them from the kernel; a simulation from its seed.
#pragma once

#include "common/base/bytes.h"
#include "common/base/endian.h"

namespace holdfast {

class Random {
 public:
  virtual ~Random() = default;
  // Thread-safe. Aborts if the system has no randomness: nothing safe can be done without it.
  virtual void fill(MutableByteView out) = 0;

  std::uint64_t uint64() {
    Byte bytes[8];
    fill(bytes);
    return load_le<std::uint64_t>(bytes);
  }
  // Uniform in [0, bound), bound > 0 (multiply-shift with rejection: Lemire, "Fast Random Integer
  // Generation in an Interval", 2019); the same on every platform, unlike std's distributions.
  std::uint64_t below(std::uint64_t bound) {
    __extension__ using Wide = unsigned __int128;
    for (;;) {
      const auto product = static_cast<Wide>(uint64()) * bound;
      if (static_cast<std::uint64_t>(product) >= -bound % bound)
        return static_cast<std::uint64_t>(product >> 64);
    }
  }
};

}  // namespace holdfast
