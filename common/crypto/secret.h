// Key material that is wiped when it goes, is never copied by accident and never printed.
#pragma once

#include <array>

#include "common/base/bytes.h"
#include "common/ports/random.h"

namespace holdfast::crypto {

void wipe(MutableByteView bytes);                     // not optimised away
bool equal_in_constant_time(ByteView a, ByteView b);  // false at once if the sizes differ

// 32 secret bytes: a symmetric key, an X25519 scalar or an Ed25519 seed.
class SecretKey {
 public:
  static constexpr std::size_t kSize = 32;
  SecretKey() = default;  // all zero
  static SecretKey generate(Random& random) {
    SecretKey key;
    random.fill(key.bytes_);
    return key;
  }
  // Aborts unless `bytes` has 32 bytes: parsers check lengths before.
  static SecretKey from(ByteView bytes) {
    check(bytes.size() == kSize, "a secret key of another size");
    SecretKey key;
    std::memcpy(key.bytes_.data(), bytes.data(), kSize);
    return key;
  }
  SecretKey(SecretKey&& other) noexcept : bytes_(other.bytes_) { wipe(other.bytes_); }
  SecretKey& operator=(SecretKey&& other) noexcept {
    if (this != &other) {
      bytes_ = other.bytes_;
      wipe(other.bytes_);
    }
    return *this;
  }
  ~SecretKey() { wipe(bytes_); }
  SecretKey clone() const { return from(bytes_); }
  ByteView view() const { return bytes_; }
  MutableByteView mutable_view() { return bytes_; }

 private:
  std::array<Byte, kSize> bytes_{};
};

}  // namespace holdfast::crypto
