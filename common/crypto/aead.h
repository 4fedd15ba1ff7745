// AES-256-GCM (NIST SP 800-38D) with 96-bit nonces whose last 8 bytes are a counter (little
// endian; the first 4 are zero), by OpenSSL.
// GCM does not commit to its key: who may hold several keys compares a commitment first.
#pragma once

#include <memory>

#include "common/base/result.h"
#include "common/crypto/secret.h"

namespace holdfast::crypto {

constexpr std::size_t kTagSize = 16;

// One key, ready to use. Not thread-safe: one per thread.
class Aes256Gcm {
 public:
  explicit Aes256Gcm(const SecretKey& key);
  ~Aes256Gcm();
  Aes256Gcm(Aes256Gcm&&) noexcept;
  Aes256Gcm& operator=(Aes256Gcm&&) noexcept;

  // Writes plaintext.size() + kTagSize bytes to `out` (exactly that size). `out` may begin where
  // `plaintext` does. The caller never uses a nonce twice under one key.
  void seal(std::uint64_t nonce, ByteView aad, ByteView plaintext, MutableByteView out);
  // Writes sealed.size() - kTagSize bytes to `out` (exactly that size), which may begin where
  // `sealed` does. kForged if the tag does not match; `out` then holds nothing of use and is wiped.
  Status open(std::uint64_t nonce, ByteView aad, ByteView sealed, MutableByteView out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::crypto
