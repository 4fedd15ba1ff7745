// Ed25519 (RFC 8032), by OpenSSL.
#pragma once

#include <array>
#include <memory>

#include "common/crypto/secret.h"

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace holdfast::crypto {

using VerifyKey = std::array<Byte, 32>;
using Signature = std::array<Byte, 64>;

class SigningKey {
 public:
  explicit SigningKey(SecretKey seed);
  static SigningKey generate(Random& random) { return SigningKey(SecretKey::generate(random)); }
  Signature sign(ByteView message) const;  // thread-safe
  const VerifyKey& verify_key() const { return verify_key_; }
  const SecretKey& seed() const { return seed_; }

 private:
  SecretKey seed_;
  std::shared_ptr<evp_pkey_st> key_;  // made once: it costs half a signature
  VerifyKey verify_key_;
};

// Thread-safe. False for anything malformed too.
bool verify(const VerifyKey& key, ByteView message, ByteView signature);

}  // namespace holdfast::crypto
