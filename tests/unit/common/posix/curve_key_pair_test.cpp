#include "common/posix/curve_key_pair.h"

#include <gtest/gtest.h>

#include "common/base/text.h"

namespace holdfast {
namespace {

TEST(CurveKeyPair, IsDifferentEachTime) {
  const CurveKeyPair a = generate_curve_key_pair(), b = generate_curve_key_pair();
  EXPECT_NE(a.public_key, b.public_key);
  EXPECT_NE(to_string(a.secret_key.view()), to_string(b.secret_key.view()));
}

TEST(CurveKeyPair, ThePublicKeyFollowsFromTheSecretOne) {
  const CurveKeyPair pair = generate_curve_key_pair();
  EXPECT_EQ(curve_public_key(pair.secret_key), pair.public_key);
  EXPECT_EQ(curve_key_pair_from_secret(pair.secret_key.view()).value().public_key, pair.public_key);
}

TEST(CurveKeyPair, ThePublicKeyIsX25519OfTheSecretOne) {
  // RFC 7748, section 6.1: Bob's keys.
  const auto secret =
      hex_decode("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb").value();
  const CurveKeyPair pair = curve_key_pair_from_secret(secret).value();
  EXPECT_EQ(hex_encode(pair.public_key),
            "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
}

TEST(CurveKeyPair, ASecretOfAnotherLengthIsRefused) {
  const Bytes shorter(31), longer(33);
  EXPECT_EQ(curve_key_pair_from_secret(shorter).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(curve_key_pair_from_secret(longer).error().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace holdfast
