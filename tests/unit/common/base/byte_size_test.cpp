#include "common/base/byte_size.h"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

TEST(ByteSize, TakesSuffixesInEitherCase) {
  EXPECT_EQ(parse_byte_size("0"), 0U);
  EXPECT_EQ(parse_byte_size("500"), 500U);
  EXPECT_EQ(parse_byte_size("4k"), 4096U);
  EXPECT_EQ(parse_byte_size("10M"), std::uint64_t{10} << 20);
  EXPECT_EQ(parse_byte_size("3g"), std::uint64_t{3} << 30);
  EXPECT_EQ(parse_byte_size("2T"), std::uint64_t{2} << 40);
}

TEST(ByteSize, RefusesWhatIsNoSizeOrDoesNotFit) {
  for (const char* text : {"", "k", "M4", "-1", "+1", "1.5M", "4 k", " 4k", "4kB", "0x10", "4K\n",
                           "18446744073709551616", "16777216T"})
    EXPECT_EQ(parse_byte_size(text), std::nullopt) << text;
  EXPECT_EQ(parse_byte_size("16777215T"), std::uint64_t{16777215} << 40);
}

}  // namespace
}  // namespace holdfast
