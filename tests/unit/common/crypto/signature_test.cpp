#include "common/crypto/signature.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "common/base/text.h"
#include "tests/testing/seeded_random.h"

namespace holdfast::crypto {
namespace {

using holdfast::testing::seeded_bytes;
using holdfast::testing::SeededRandom;

Bytes from_hex(std::string_view text) { return hex_decode(text).value(); }

struct Rfc8032Vector {
  std::string_view seed, verify_key, message, signature;
};

constexpr Rfc8032Vector kRfc8032[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
     "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
     "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
     "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
};

TEST(SigningKey, MatchesRfc8032) {
  for (const Rfc8032Vector& vector : kRfc8032) {
    const SigningKey key(SecretKey::from(from_hex(vector.seed)));
    const Bytes message = from_hex(vector.message);
    EXPECT_EQ(hex_encode(key.verify_key()), vector.verify_key);
    EXPECT_EQ(hex_encode(key.sign(message)), vector.signature);
    EXPECT_EQ(hex_encode(key.seed().view()), vector.seed);
    EXPECT_TRUE(verify(key.verify_key(), message, from_hex(vector.signature)));
  }
}

RC_GTEST_PROP(Ed25519Signature, RefusesEveryFlippedBit, (Bytes message)) {
  SeededRandom random(*rc::gen::arbitrary<std::uint64_t>());
  const SigningKey key = SigningKey::generate(random);
  VerifyKey verify_key = key.verify_key();
  Signature signature = key.sign(message);
  RC_ASSERT(verify(verify_key, message, signature));
  const std::size_t size = verify_key.size() + signature.size() + message.size();
  const auto bit = *rc::gen::inRange<std::size_t>(0, size * 8);
  std::size_t at = bit / 8;
  const auto flip = static_cast<Byte>(1 << bit % 8);
  if (at < verify_key.size()) {
    verify_key[at] ^= flip;
  } else if (at -= verify_key.size(); at < signature.size()) {
    signature[at] ^= flip;
  } else {
    message[at - signature.size()] ^= flip;
  }
  RC_ASSERT(!verify(verify_key, message, signature));
}

TEST(Ed25519Signature, RefusesWhatIsMalformed) {
  SeededRandom random(1);
  const SigningKey key = SigningKey::generate(random);
  const Bytes message = seeded_bytes(2, 100);
  const Signature signature = key.sign(message);
  EXPECT_FALSE(verify(key.verify_key(), message, {}));
  EXPECT_FALSE(verify(key.verify_key(), message, ByteView(signature).first(63)));
  Bytes longer(signature.begin(), signature.end());
  longer.push_back(0);
  EXPECT_FALSE(verify(key.verify_key(), message, longer));
  VerifyKey no_point;  // y = 2 is on no point of the curve
  no_point.fill(0);
  no_point[0] = 2;
  EXPECT_FALSE(verify(no_point, message, signature));
  // S + L is the same scalar written another way: accepting it would make signatures malleable.
  const Bytes order = from_hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  Signature malleable = signature;
  unsigned carry = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    carry += malleable[32 + i] + order[i];
    malleable[32 + i] = static_cast<Byte>(carry);
    carry >>= 8;
  }
  EXPECT_FALSE(verify(key.verify_key(), message, malleable));
}

TEST(SigningKey, SignsFromManyThreadsAtOnce) {
  const SigningKey key(SecretKey::from(from_hex(kRfc8032[2].seed)));
  const Bytes message = from_hex(kRfc8032[2].message);
  std::vector<int> good(4);
  std::vector<std::thread> threads;
  for (int& count : good)
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        const Signature signature = key.sign(message);
        count += hex_encode(signature) == kRfc8032[2].signature &&
                 verify(key.verify_key(), message, signature);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, std::vector<int>(4, 50));
}

TEST(SigningKey, MovesWithItsSeed) {
  SigningKey first(SecretKey::from(from_hex(kRfc8032[0].seed)));
  const SigningKey second = std::move(first);
  EXPECT_EQ(hex_encode(second.sign({})), kRfc8032[0].signature);
}

}  // namespace
}  // namespace holdfast::crypto
