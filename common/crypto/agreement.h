// X25519 (RFC 7748), by OpenSSL.
#pragma once

#include <array>

#include "common/base/result.h"
#include "common/crypto/secret.h"

namespace holdfast::crypto {

using PublicKey = std::array<Byte, 32>;

PublicKey public_key(const SecretKey& scalar);
// The shared secret; kForged for a low-order point (an all-zero result). Not uniform: pass it
// through HKDF.
Result<SecretKey> agree(const SecretKey& scalar, const PublicKey& other);

}  // namespace holdfast::crypto
