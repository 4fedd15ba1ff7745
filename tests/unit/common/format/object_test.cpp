#include "common/format/object.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

#include "tests/testing/seed.h"
#include "tests/testing/seeded_random.h"

namespace holdfast::format {
namespace {

crypto::SecretKey some_key() {
  holdfast::testing::SeededRandom random(holdfast::testing::seed());
  return crypto::SecretKey::generate(random);
}

// Bytes move from the refs into the payload, one id after the other: no two of these are the same.
TEST(ObjectIdentifier, TellsRefsFromPayload) {
  ObjectIdentifier identifier(some_key());
  std::vector<ObjectId> ids(4);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i].bytes.fill(static_cast<Byte>(i + 1));
  const ByteView all(ids[0].bytes.data(), ids.size() * ObjectId::kSize);
  std::set<ObjectId> distinct;
  for (std::size_t refs = 0; refs <= ids.size(); ++refs)
    distinct.insert(identifier.identify(ObjectKind::kList, std::span(ids).first(refs),
                                        all.subspan(refs * ObjectId::kSize)));
  EXPECT_EQ(distinct.size(), ids.size() + 1);
}

TEST(ObjectIdentifier, TellsAListWithoutRefsFromAChunk) {
  ObjectIdentifier identifier(some_key());
  EXPECT_NE(identifier.identify(ObjectKind::kList, {}, as_bytes("content")),
            identifier.identify(ObjectKind::kData, {}, as_bytes("content")));
}

RC_GTEST_PROP(ObjectIdentifier, DependsOnNothingButTheObject,
              (const std::vector<Byte>& before, const std::vector<Byte>& payload)) {
  ObjectIdentifier used(some_key()), fresh(some_key());
  (void)used.identify(ObjectKind::kList, {}, before);
  const ObjectId id = used.identify(ObjectKind::kData, {}, payload);
  RC_ASSERT(id == fresh.identify(ObjectKind::kData, {}, payload));
  RC_ASSERT((before == payload) == (id == used.identify(ObjectKind::kData, {}, before)));
}

// docs/format.md, by hand.
TEST(ObjectIdentifier, IsAnHmacOfHeadRefsAndPayload) {
  const crypto::SecretKey key = some_key();
  const std::vector<ObjectId> refs{ObjectId{{7}}, ObjectId{{8}}};
  Bytes input = to_bytes("HFOBJ1");
  append(input, Bytes{0, 2, 2, 0, 0, 0, 0, 0, 0, 0});
  for (const ObjectId& ref : refs) append(input, ref.view());
  append(input, as_bytes("payload"));
  EXPECT_EQ(ObjectIdentifier(key).identify(ObjectKind::kList, refs, as_bytes("payload")).bytes,
            crypto::HmacSha256(key).mac({ByteView(input)}).bytes);
}

TEST(GroupIdKey, IsAnotherForEachGroupAndRepository) {
  const crypto::SecretKey key = some_key();
  std::set<std::string> keys{to_string(key.view())};
  for (const std::uint32_t group : {0U, 1U, 256U, 0xFFFFFFFFU})
    keys.insert(to_string(group_id_key(key, group).view()));
  keys.insert(to_string(group_id_key(crypto::SecretKey(), 0).view()));
  EXPECT_EQ(keys.size(), 6U);
}

}  // namespace
}  // namespace holdfast::format
