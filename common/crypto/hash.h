// SHA-256, HMAC-SHA-256 and HKDF-SHA-256 (FIPS 180-4, RFC 2104, RFC 5869), by OpenSSL.
#pragma once

#include <initializer_list>
#include <memory>
#include <span>

#include "common/base/digest.h"
#include "common/crypto/secret.h"

namespace holdfast::crypto {

Sha256 sha256(ByteView bytes);
Sha256 sha256(std::initializer_list<ByteView> parts);  // of their concatenation

// HMAC under one key, cheap to use again (the key schedule is done once). Not thread-safe: one per
// thread. Allocates nothing per call.
class HmacSha256 {
 public:
  explicit HmacSha256(const SecretKey& key);
  ~HmacSha256();
  HmacSha256(HmacSha256&&) noexcept;
  HmacSha256& operator=(HmacSha256&&) noexcept;
  Sha256 mac(std::span<const ByteView> parts);  // of their concatenation
  Sha256 mac(std::initializer_list<ByteView> parts) {
    return mac(std::span<const ByteView>(parts.begin(), parts.size()));
  }

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Extract and expand into out.size() bytes (at most 8160).
void hkdf_sha256(ByteView secret, ByteView salt, ByteView info, MutableByteView out);
SecretKey derive_key(const SecretKey& from, ByteView info);  // HKDF with no salt, 32 bytes

}  // namespace holdfast::crypto
