#include "common/crypto/hash.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <numeric>

namespace holdfast::crypto {
namespace {

Bytes counting(Byte first, std::size_t size) {
  Bytes bytes(size);
  std::iota(bytes.begin(), bytes.end(), first);
  return bytes;
}

// HMAC pads short keys with zeros and hashes keys of more than a block, so every key of RFC 4231
// has an equal of 32 bytes.
SecretKey key_of(Bytes key) {
  if (key.size() > 64) return SecretKey::from(sha256(key).view());
  key.resize(SecretKey::kSize);
  return SecretKey::from(key);
}

TEST(Sha256Hash, MatchesFips180Examples) {
  EXPECT_EQ(sha256(ByteView()).hex(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256(as_bytes("abc")).hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")).hex(),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(Bytes(1'000'000, 'a')).hex(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

RC_GTEST_PROP(Sha256Hash, PartsAreTheirConcatenation, (Bytes a, Bytes b, Bytes c)) {
  Bytes whole = a;
  append(whole, b);
  append(whole, c);
  RC_ASSERT(sha256({a, b, c}) == sha256(whole));
}

struct HmacVector {
  Bytes key;
  Bytes message;
  std::string_view mac;
};

TEST(HmacSha256, MatchesRfc4231) {
  const HmacVector vectors[] = {
      {Bytes(20, 0x0b), to_bytes("Hi There"),
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {to_bytes("Jefe"), to_bytes("what do ya want for nothing?"),
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {Bytes(20, 0xaa), Bytes(50, 0xdd),
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {counting(1, 25), Bytes(50, 0xcd),
       "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
      {Bytes(131, 0xaa), to_bytes("Test Using Larger Than Block-Size Key - Hash Key First"),
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {Bytes(131, 0xaa),
       to_bytes("This is a test using a larger than block-size key and a larger than block-size "
                "data. The key needs to be hashed before being used by the HMAC algorithm."),
       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
  };
  for (const HmacVector& vector : vectors) {
    HmacSha256 hmac(key_of(vector.key));
    EXPECT_EQ(hmac.mac({vector.message}).hex(), vector.mac);
    EXPECT_EQ(hmac.mac({vector.message}).hex(), vector.mac) << "the second use of a key";
  }
}

RC_GTEST_PROP(HmacSha256, PartsAreTheirConcatenation, (Bytes a, Bytes b)) {
  Bytes whole = a;
  append(whole, b);
  HmacSha256 hmac{SecretKey()};
  const ByteView empty;
  RC_ASSERT(hmac.mac({a, empty, b}) == hmac.mac({whole}));
}

RC_GTEST_PROP(HmacSha256, DependsOnEveryBitOfKeyAndMessage, ()) {
  Bytes key = *rc::gen::container<Bytes>(SecretKey::kSize, rc::gen::arbitrary<Byte>());
  Bytes message = *rc::gen::nonEmpty<Bytes>();
  const Sha256 before = HmacSha256(SecretKey::from(key)).mac({message});
  Bytes& flipped = *rc::gen::arbitrary<bool>() ? key : message;
  const auto bit = *rc::gen::inRange<std::size_t>(0, flipped.size() * 8);
  flipped[bit / 8] ^= static_cast<Byte>(1 << bit % 8);
  RC_ASSERT(HmacSha256(SecretKey::from(key)).mac({message}) != before);
}

TEST(HmacSha256, MovesWithItsKey) {
  HmacSha256 first(key_of(to_bytes("Jefe")));
  const Sha256 expected = first.mac({as_bytes("moved")});
  HmacSha256 second = std::move(first);
  EXPECT_EQ(second.mac({as_bytes("moved")}), expected);
  HmacSha256 third{SecretKey()};
  third = std::move(second);
  EXPECT_EQ(third.mac({as_bytes("moved")}), expected);
}

TEST(HkdfSha256, MatchesRfc5869) {
  Bytes out(42);
  hkdf_sha256(Bytes(22, 0x0b), counting(0, 13), counting(0xf0, 10), out);
  EXPECT_EQ(hex_encode(out),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  hkdf_sha256(Bytes(22, 0x0b), {}, {}, out);
  EXPECT_EQ(hex_encode(out),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
  out.resize(82);
  hkdf_sha256(counting(0, 80), counting(0x60, 80), counting(0xb0, 80), out);
  EXPECT_EQ(hex_encode(out),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
            "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
            "cc30c58179ec3e87c14c01d5c1f3434f1d87");
}

TEST(HkdfSha256, ExpandsUpToItsLimitAndShorterOutputsArePrefixes) {
  Bytes longest(8160);
  hkdf_sha256(as_bytes("secret"), as_bytes("salt"), as_bytes("info"), longest);
  for (const std::size_t size : {0, 1, 31, 32, 33, 8159}) {
    Bytes out(size);
    hkdf_sha256(as_bytes("secret"), as_bytes("salt"), as_bytes("info"), out);
    EXPECT_TRUE(std::equal(out.begin(), out.end(), longest.begin())) << size;
  }
  // The last block is not an earlier one again: the counter did not wrap.
  EXPECT_FALSE(std::equal(longest.end() - 32, longest.end(), longest.begin()));
}

TEST(HkdfSha256DeathTest, MoreThanTheLimitAborts) {
  Bytes out(8161);
  EXPECT_DEATH(hkdf_sha256({}, {}, {}, out), "more than HKDF-SHA-256 can expand to");
}

TEST(DerivedKey, DependsOnItsPurpose) {
  const SecretKey from = SecretKey::from(Bytes(32, 9));
  const SecretKey one = derive_key(from, as_bytes("one"));
  EXPECT_TRUE(equal_in_constant_time(one.view(), derive_key(from, as_bytes("one")).view()));
  EXPECT_FALSE(equal_in_constant_time(one.view(), derive_key(from, as_bytes("two")).view()));
  EXPECT_FALSE(equal_in_constant_time(one.view(), from.view()));
}

}  // namespace
}  // namespace holdfast::crypto
