#include "common/base/digest.h"

#include <gtest/gtest.h>

#include <type_traits>
#include <unordered_set>

#include "tests/testing/seeded_random.h"

namespace holdfast {
namespace {

using holdfast::testing::seeded_bytes;
using holdfast::testing::SeededRandom;

template <typename A, typename B>
concept Comparable = requires(A a, B b) {
  a == b;
};

TEST(Digest, OfOneThingIsNotThatOfAnother) {
  static_assert(!std::is_convertible_v<ObjectId, NodeId>);
  static_assert(!std::is_constructible_v<ObjectId, NodeId>);
  static_assert(!Comparable<ObjectId, ManifestId>);
  static_assert(Comparable<ObjectId, ObjectId>);
  static_assert(sizeof(ObjectId) == 32, "an id is its bytes: tables of them count on it");
}

TEST(Digest, HasExactly32Bytes) {
  const Bytes bytes = seeded_bytes(1, 33);
  EXPECT_EQ(ObjectId::from(ByteView(bytes).first(31)), std::nullopt);
  EXPECT_EQ(ObjectId::from(bytes), std::nullopt);
  EXPECT_EQ(ObjectId::from({}), std::nullopt);
  const auto id = ObjectId::from(ByteView(bytes).first(32));
  ASSERT_TRUE(id);
  EXPECT_EQ(id->str(), as_text(ByteView(bytes).first(32)));
}

TEST(Digest, TravelsThroughHex) {
  const ObjectId id = *ObjectId::from(seeded_bytes(2, 32));
  EXPECT_EQ(id.hex().size(), 64U);
  EXPECT_EQ(ObjectId::from_hex(id.hex()), id);
  EXPECT_EQ(id.short_hex(), id.hex().substr(0, 8));
  EXPECT_EQ(ObjectId::from_hex(id.hex().substr(2)), std::nullopt);
  EXPECT_EQ(ObjectId::from_hex(id.hex() + "00"), std::nullopt);
  EXPECT_EQ(ObjectId::from_hex("g" + id.hex().substr(1)), std::nullopt);
}

TEST(Digest, OrdersAsItsBytesAndItsHexDo) {
  SeededRandom random(3);
  for (int i = 0; i < 100; ++i) {
    ObjectId a, b;
    random.fill(a.bytes);
    random.fill(b.bytes);
    EXPECT_EQ(a < b, a.hex() < b.hex());
    EXPECT_EQ(a <=> b == 0, a == b);
  }
  EXPECT_EQ(ObjectId(), ObjectId());
}

TEST(Digest, HashesToItsFirstBytes) {
  std::unordered_set<ObjectId> ids;
  SeededRandom random(4);
  for (int i = 0; i < 1000; ++i) {
    ObjectId id;
    random.fill(id.bytes);
    EXPECT_TRUE(ids.insert(id).second);
    EXPECT_FALSE(ids.insert(id).second);
  }
  EXPECT_EQ(ids.size(), 1000U);
}

}  // namespace
}  // namespace holdfast
