#include "common/crypto/aead.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <numeric>

#include "common/base/text.h"
#include "tests/testing/seeded_random.h"

namespace holdfast::crypto {
namespace {

using holdfast::testing::seeded_bytes;

Bytes counting(Byte first, std::size_t size) {
  Bytes bytes(size);
  std::iota(bytes.begin(), bytes.end(), first);
  return bytes;
}

Bytes seal(const SecretKey& key, std::uint64_t nonce, ByteView aad, ByteView plaintext) {
  Bytes out(plaintext.size() + kTagSize);
  Aes256Gcm(key).seal(nonce, aad, plaintext, out);
  return out;
}

TEST(Aes256Gcm, MatchesNistExamples) {
  // Test cases 13 and 14 of McGrew and Viega's submission to NIST: key and nonce zero.
  EXPECT_EQ(hex_encode(seal(SecretKey(), 0, {}, {})), "530f8afbc74536b9a963b4f1c4cb738b");
  EXPECT_EQ(hex_encode(seal(SecretKey(), 0, {}, Bytes(16))),
            "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
}

TEST(Aes256Gcm, PutsTheNonceLastAndLittleEndian) {
  // Computed by pyca/cryptography with the nonce 00000000 efcdab8967452301.
  const SecretKey key = SecretKey::from(counting(0, 32));
  const ByteView aad = as_bytes("kind and version");
  EXPECT_EQ(hex_encode(seal(key, 0x0123456789abcdef, aad, counting(0x40, 37))),
            "2a1f2b61399302c161670584b03a35569cd132c81ab66b329a76d2d84400dfb6"
            "89023167530b1274aca471a46b8d19e95563e4d6b5");
  EXPECT_EQ(hex_encode(seal(key, 0x0123456789abcdef, aad, {})), "49c75b1cf0015705f8f959a1936233e4");
}

RC_GTEST_PROP(Aes256Gcm, OpensWhatItSealed, (std::uint64_t nonce, Bytes aad, Bytes plaintext)) {
  Aes256Gcm gcm(SecretKey::from(Bytes(32, 3)));
  Bytes sealed(plaintext.size() + kTagSize), opened(plaintext.size());
  gcm.seal(nonce, aad, plaintext, sealed);
  RC_ASSERT(gcm.open(nonce, aad, sealed, opened).has_value());
  RC_ASSERT(opened == plaintext);
}

RC_GTEST_PROP(Aes256Gcm, RefusesEveryFlippedBitAndWipes, (Bytes aad, Bytes plaintext)) {
  Aes256Gcm gcm(SecretKey::from(Bytes(32, 3)));
  Bytes sealed(plaintext.size() + kTagSize), opened(plaintext.size(), 0xee);
  gcm.seal(7, aad, plaintext, sealed);
  const auto bit = *rc::gen::inRange<std::size_t>(0, (aad.size() + sealed.size()) * 8);
  Byte& byte = bit / 8 < aad.size() ? aad[bit / 8] : sealed[bit / 8 - aad.size()];
  byte ^= static_cast<Byte>(1 << bit % 8);
  const Status status = gcm.open(7, aad, sealed, opened);
  RC_ASSERT(!status.has_value());
  RC_ASSERT(status.error().code() == Code::kForged);
  RC_ASSERT(opened == Bytes(plaintext.size()));
  // The context is as good as new after a refusal.
  byte ^= static_cast<Byte>(1 << bit % 8);
  RC_ASSERT(gcm.open(7, aad, sealed, opened).has_value());
  RC_ASSERT(opened == plaintext);
}

TEST(Aes256Gcm, RefusesAnotherNonceKeyOrLength) {
  const Bytes plaintext = seeded_bytes(1, 100);
  const SecretKey key = SecretKey::from(Bytes(32, 3));
  const Bytes sealed = seal(key, 7, {}, plaintext);
  Bytes out(100);
  EXPECT_FALSE(Aes256Gcm(key).open(8, {}, sealed, out));
  EXPECT_FALSE(Aes256Gcm(key).open(7 | std::uint64_t{1} << 63, {}, sealed, out));
  EXPECT_FALSE(Aes256Gcm(SecretKey()).open(7, {}, sealed, out));
  const Status shorter =
      Aes256Gcm(key).open(7, {}, ByteView(sealed).first(99), MutableByteView(out).first(83));
  EXPECT_EQ(shorter.error().code(), Code::kForged);
  for (std::size_t size = 0; size < kTagSize; ++size) {
    const Status status = Aes256Gcm(key).open(7, {}, ByteView(sealed).first(size), {});
    EXPECT_EQ(status.error().code(), Code::kForged) << size;
  }
  EXPECT_TRUE(Aes256Gcm(key).open(7, {}, sealed, out));
}

TEST(Aes256Gcm, SealsAndOpensInPlace) {
  const Bytes plaintext = seeded_bytes(2, 1'000'003);
  const SecretKey key = SecretKey::from(Bytes(32, 4));
  Aes256Gcm gcm(key);
  Bytes buffer = plaintext;
  buffer.resize(plaintext.size() + kTagSize);
  const ByteView view(buffer);
  gcm.seal(1, as_bytes("aad"), view.first(plaintext.size()), buffer);
  EXPECT_EQ(buffer, seal(key, 1, as_bytes("aad"), plaintext));
  ASSERT_TRUE(gcm.open(1, as_bytes("aad"), view, MutableByteView(buffer).first(plaintext.size())));
  EXPECT_TRUE(std::equal(plaintext.begin(), plaintext.end(), buffer.begin()));
}

TEST(Aes256Gcm, MovesWithItsKey) {
  const Bytes plaintext = seeded_bytes(3, 50);
  const SecretKey key = SecretKey::from(Bytes(32, 5));
  const Bytes expected = seal(key, 9, {}, plaintext);
  Aes256Gcm first(key);
  Aes256Gcm second = std::move(first);
  Aes256Gcm third{SecretKey()};
  third = std::move(second);
  Bytes sealed(expected.size()), opened(plaintext.size());
  third.seal(9, {}, plaintext, sealed);
  EXPECT_EQ(sealed, expected);
  EXPECT_TRUE(third.open(9, {}, sealed, opened));
  EXPECT_EQ(opened, plaintext);
}

TEST(Aes256GcmDeathTest, PlacesOfAnotherSizeAbort) {
  Aes256Gcm gcm{SecretKey()};
  Bytes ten(10), twenty_six(26), thirty(30);
  EXPECT_DEATH(gcm.seal(1, {}, ten, thirty), "another size");
  EXPECT_DEATH((void)gcm.open(1, {}, twenty_six, thirty), "another size");
}

}  // namespace
}  // namespace holdfast::crypto
