#include "common/crypto/secret.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <type_traits>

#include "tests/testing/seeded_random.h"

namespace holdfast::crypto {
namespace {

using holdfast::testing::seeded_bytes;
using holdfast::testing::SeededRandom;

bool all_zero(ByteView bytes) {
  return std::ranges::all_of(bytes, [](Byte byte) { return byte == 0; });
}

TEST(SecretKey, IsNeverCopiedByAccident) {
  static_assert(!std::is_copy_constructible_v<SecretKey>);
  static_assert(!std::is_copy_assignable_v<SecretKey>);
  static_assert(std::is_nothrow_move_constructible_v<SecretKey>);
  static_assert(std::is_nothrow_move_assignable_v<SecretKey>);
  SeededRandom random(1);
  const SecretKey key = SecretKey::generate(random);
  const SecretKey twin = key.clone();
  EXPECT_TRUE(equal_in_constant_time(key.view(), twin.view()));
  EXPECT_NE(key.view().data(), twin.view().data());
}

TEST(SecretKey, MovedFromKeysAreWiped) {
  const Bytes bytes = seeded_bytes(2, SecretKey::kSize);
  SecretKey first = SecretKey::from(bytes);
  SecretKey second = std::move(first);
  EXPECT_TRUE(all_zero(first.view()));  // NOLINT: what a moved key holds is its contract
  EXPECT_TRUE(std::ranges::equal(second.view(), bytes));
  SecretKey third;
  third = std::move(second);
  EXPECT_TRUE(all_zero(second.view()));  // NOLINT
  EXPECT_TRUE(std::ranges::equal(third.view(), bytes));
}

TEST(SecretKey, AssignedToItselfStaysWhole) {
  const Bytes bytes = seeded_bytes(3, SecretKey::kSize);
  SecretKey key = SecretKey::from(bytes);
  SecretKey& same = key;
  key = std::move(same);
  EXPECT_TRUE(std::ranges::equal(key.view(), bytes));
}

TEST(SecretKey, DestroyedKeysLeaveNothingBehind) {
  alignas(SecretKey) Byte memory[sizeof(SecretKey)];
  auto* key = new (memory) SecretKey(SecretKey::from(seeded_bytes(4, SecretKey::kSize)));
  ASSERT_FALSE(all_zero(memory));
  key->~SecretKey();
  // Read through volatile: to the compiler the object's bytes are indeterminate now.
  const volatile Byte* left = memory;
  for (std::size_t i = 0; i < sizeof memory; ++i) EXPECT_EQ(left[i], 0);
}

TEST(SecretKeyDeathTest, AnotherSizeAborts) {
  EXPECT_DEATH(SecretKey::from(Bytes(31)), "a secret key of another size");
  EXPECT_DEATH(SecretKey::from(Bytes(33)), "a secret key of another size");
}

TEST(SecretBytes, AreComparedBySizeAndByEveryByte) {
  const Bytes a = seeded_bytes(5, 40);
  EXPECT_TRUE(equal_in_constant_time(a, Bytes(a)));
  EXPECT_TRUE(equal_in_constant_time({}, {}));
  EXPECT_FALSE(equal_in_constant_time(a, ByteView(a).first(39)));
  for (std::size_t i = 0; i < a.size(); ++i) {
    Bytes b = a;
    b[i] ^= 0x80;
    EXPECT_FALSE(equal_in_constant_time(a, b)) << "byte " << i;
  }
}

TEST(SecretBytes, AreWipedWithinTheirViewOnly) {
  Bytes bytes(5, 7);
  wipe(MutableByteView(bytes).subspan(1, 3));
  EXPECT_EQ(bytes, (Bytes{7, 0, 0, 0, 7}));
  wipe({});
}

}  // namespace
}  // namespace holdfast::crypto
