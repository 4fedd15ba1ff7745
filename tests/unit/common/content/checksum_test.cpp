#include "common/content/checksum.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "common/base/text.h"
#include "tests/testing/seeded_random.h"

namespace holdfast::content {
namespace {

using holdfast::testing::seeded_bytes;

TEST(Checksum, MatchesPublishedValuesInCanonicalForm) {
  EXPECT_EQ(hex_encode(checksum(ByteView())), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(hex_encode(checksum(as_bytes("a"))), "a96faf705af16834e6c632b61e964e1f");
  EXPECT_EQ(hex_encode(checksum(as_bytes("abc"))), "06b05ab6733a618578af5f94892f3950");
  EXPECT_EQ(checksum64({}), 0x2d06800538d394c2U);
  EXPECT_EQ(checksum64(as_bytes("a")), 0xe6c632b61e964e1fU);
  EXPECT_EQ(checksum64(as_bytes("abc")), 0x78af5f94892f3950U);
}

TEST(Checksum, PartsAreTheirConcatenationAtEverySplit) {
  // Past 240 bytes XXH3 takes its long path, past 1024 a second stripe block.
  const Bytes whole = seeded_bytes(1, 3000);
  for (const std::size_t size : {0, 1, 16, 17, 128, 129, 240, 241, 1024, 1025, 3000}) {
    const ByteView view = ByteView(whole).first(size);
    for (std::size_t split = 0; split <= size; split += 1 + size / 37)
      ASSERT_EQ(checksum({view.first(split), {}, view.subspan(split)}), checksum(view))
          << size << " split at " << split;
  }
}

RC_GTEST_PROP(Checksum, FindsEveryFlippedBit, ()) {
  Bytes bytes = *rc::gen::nonEmpty<Bytes>();
  const Checksum before = checksum(bytes);
  const std::uint64_t before64 = checksum64(bytes);
  const auto bit = *rc::gen::inRange<std::size_t>(0, bytes.size() * 8);
  bytes[bit / 8] ^= static_cast<Byte>(1 << bit % 8);
  RC_ASSERT(checksum(bytes) != before);
  RC_ASSERT(checksum64(bytes) != before64);
}

}  // namespace
}  // namespace holdfast::content
