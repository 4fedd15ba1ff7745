// The long-term keys of CURVE: one pair for each agent and node.
#pragma once

#include "common/base/result.h"
#include "common/crypto/secret.h"
#include "common/ports/transport.h"

namespace holdfast {

struct CurveKeyPair {
  CurveKey public_key{};
  crypto::SecretKey secret_key;

  CurveKeyPair clone() const { return {public_key, secret_key.clone()}; }
};

CurveKeyPair generate_curve_key_pair();
CurveKey curve_public_key(const crypto::SecretKey& secret_key);
CurveKeyPair curve_key_pair(const crypto::SecretKey& secret_key);
// The pair that belongs to 32 secret bytes; kInvalidArgument for another length.
Result<CurveKeyPair> curve_key_pair_from_secret(ByteView secret_key);

}  // namespace holdfast
