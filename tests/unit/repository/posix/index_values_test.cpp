#include "repository/posix/index_values.h"

#include <gtest/gtest.h>

namespace holdfast::repository {
namespace {

TEST(IndexValues, AreReadAsTheyWereWritten) {
  ObjectEntry entry;
  entry.location = {7, std::uint64_t{1} << 40, 12'345};
  entry.position = 300;
  entry.kind = format::ObjectKind::kList;
  entry.damaged = true;
  const auto read = decode_entry(encode_entry(entry));
  ASSERT_TRUE(read);
  EXPECT_EQ(encode_entry(*read), encode_entry(entry));
  EXPECT_EQ(read->location, entry.location);
  EXPECT_TRUE(read->damaged && !read->incomplete);
}

TEST(IndexValues, OfAnyOtherFormAreNone) {
  const auto good = encode_entry({});
  ASSERT_TRUE(decode_entry(good));
  EXPECT_FALSE(decode_entry(ByteView(good).first(kEntrySize - 1)));
  for (const auto& [at, wrong] :
       {std::pair<std::size_t, int>{18, 0}, {18, 9}, {19, 4}, {19, 255}}) {
    auto value = good;
    value[at] = static_cast<Byte>(wrong);
    EXPECT_FALSE(decode_entry(value)) << at << " " << wrong;
  }
}

}  // namespace
}  // namespace holdfast::repository
