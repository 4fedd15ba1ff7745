// libzmq gives keys as Z85 text (ZeroMQ RFC 32); here they are their 32 bytes.
#include "common/posix/curve_key_pair.h"

#include <zmq.h>

#include <array>

namespace holdfast {
namespace {

using Z85 = std::array<char, 41>;  // 40 characters and a NUL

void decode(const Z85& text, MutableByteView out) {
  check(::zmq_z85_decode(out.data(), text.data()) != nullptr, "libzmq gave a malformed key");
}

void wipe(Z85& text) { crypto::wipe({reinterpret_cast<Byte*>(text.data()), text.size()}); }

}  // namespace

CurveKeyPair generate_curve_key_pair() {
  Z85 public_text{}, secret_text{};
  check(::zmq_curve_keypair(public_text.data(), secret_text.data()) == 0, "zmq_curve_keypair");
  CurveKeyPair pair;
  decode(public_text, pair.public_key);
  decode(secret_text, pair.secret_key.mutable_view());
  wipe(secret_text);
  return pair;
}

CurveKey curve_public_key(const crypto::SecretKey& secret_key) {
  Z85 public_text{}, secret_text{};
  check(::zmq_z85_encode(secret_text.data(), secret_key.view().data(), secret_key.view().size()),
        "zmq_z85_encode");
  check(::zmq_curve_public(public_text.data(), secret_text.data()) == 0, "zmq_curve_public");
  wipe(secret_text);
  CurveKey key;
  decode(public_text, key);
  return key;
}

CurveKeyPair curve_key_pair(const crypto::SecretKey& secret_key) {
  return {curve_public_key(secret_key), secret_key.clone()};
}

Result<CurveKeyPair> curve_key_pair_from_secret(ByteView secret_key) {
  if (secret_key.size() != crypto::SecretKey::kSize)
    return Error(Code::kInvalidArgument,
                 "a CURVE secret key has 32 bytes, not " + std::to_string(secret_key.size()));
  return curve_key_pair(crypto::SecretKey::from(secret_key));
}

}  // namespace holdfast
