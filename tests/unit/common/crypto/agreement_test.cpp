#include "common/crypto/agreement.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/base/text.h"
#include "tests/testing/seeded_random.h"

namespace holdfast::crypto {
namespace {

using holdfast::testing::SeededRandom;

SecretKey scalar(std::string_view hex) { return SecretKey::from(hex_decode(hex).value()); }

PublicKey point(std::string_view hex) {
  PublicKey key;
  std::ranges::copy(hex_decode(hex).value(), key.begin());
  return key;
}

std::string agreed(const SecretKey& own, const PublicKey& other) {
  return hex_encode(agree(own, other).value().view());
}

TEST(X25519, MatchesRfc7748) {
  EXPECT_EQ(agreed(scalar("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
                   point("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")),
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
  EXPECT_EQ(agreed(scalar("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d"),
                   point("e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493")),
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957");
  const SecretKey bob = scalar("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
  const PublicKey alice = point("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
  EXPECT_EQ(hex_encode(public_key(bob)),
            "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
  EXPECT_EQ(agreed(bob, alice), "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
}

TEST(X25519, MatchesRfc7748AfterAThousandIterations) {
  SecretKey k = scalar("0900000000000000000000000000000000000000000000000000000000000000");
  PublicKey u = point("0900000000000000000000000000000000000000000000000000000000000000");
  for (int i = 1; i <= 1000; ++i) {
    SecretKey next = agree(k, u).value();
    std::ranges::copy(k.view(), u.begin());
    k = std::move(next);
    if (i == 1) {
      EXPECT_EQ(hex_encode(k.view()),
                "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
    }
  }
  EXPECT_EQ(hex_encode(k.view()),
            "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
}

TEST(X25519, BothSidesAgree) {
  SeededRandom random(1);
  for (int i = 0; i < 20; ++i) {
    const SecretKey a = SecretKey::generate(random), b = SecretKey::generate(random);
    EXPECT_EQ(agreed(a, public_key(b)), agreed(b, public_key(a)));
  }
}

// The points of order 1, 2, 4 and 8 and the ways to write them: a peer who sends one would know the
// shared secret whatever our scalar is.
TEST(X25519, RefusesPointsOfLowOrder) {
  constexpr std::string_view kLowOrder[] = {
      "0000000000000000000000000000000000000000000000000000000000000000",
      "0100000000000000000000000000000000000000000000000000000000000000",
      "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
      "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  };
  SeededRandom random(2);
  for (const std::string_view low : kLowOrder) {
    const Result<SecretKey> secret = agree(SecretKey::generate(random), point(low));
    ASSERT_FALSE(secret) << low;
    EXPECT_EQ(secret.error().code(), Code::kForged) << low;
  }
}

}  // namespace
}  // namespace holdfast::crypto
