#include "common/crypto/passphrase.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <limits>

#include "common/base/text.h"

namespace holdfast::crypto {
namespace {

std::string stretched(std::string_view passphrase, std::string_view salt, ScryptCost cost) {
  return hex_encode(stretch(passphrase, as_bytes(salt), cost).value().view());
}

// The RFC gives 64 bytes; the first 32 do not depend on how many are asked for.
TEST(Scrypt, MatchesRfc7914) {
  EXPECT_EQ(stretched("", "", {16, 1, 1}),
            "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442");
  EXPECT_EQ(stretched("password", "NaCl", {1024, 8, 16}),
            "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162");
  EXPECT_EQ(stretched("pleaseletmein", "SodiumChloride", {16384, 8, 1}),
            "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2");
}

TEST(Scrypt, DependsOnPassphraseSaltAndCost) {
  const std::string one = stretched("one", "salt", {16, 8, 1});
  EXPECT_EQ(stretched("one", "salt", {16, 8, 1}), one);
  EXPECT_NE(stretched("two", "salt", {16, 8, 1}), one);
  EXPECT_NE(stretched("one", "pepper", {16, 8, 1}), one);
  EXPECT_NE(stretched("one", "salt", {32, 8, 1}), one);
  EXPECT_NE(stretched(std::string_view("one\0x", 5), "salt", {16, 8, 1}), one);
}

TEST(Scrypt, RefusesHostileCostsWithoutAllocating) {
  constexpr auto kMost64 = std::numeric_limits<std::uint64_t>::max();
  constexpr auto kMost32 = std::numeric_limits<std::uint32_t>::max();
  constexpr std::uint64_t kTop = std::uint64_t{1} << 63;
  const ScryptCost hostile[] = {
      {0, 8, 1},
      {1, 8, 1},
      {3, 8, 1},
      {(1 << 17) - 1, 8, 1},
      {16, 0, 1},
      {16, 8, 0},
      {16, 8, 17},
      {16, 8, kMost32},
      {16, kMost32, 1},
      {kTop, 8, 1},
      {kTop, kMost32, kMost32},
      {kMost64, 8, 1},
      {1 << 21, 8, 1},  // 2 GiB
      {1 << 20, 16, 1},
      {2, 1 << 23, 1},  // 1 GiB for each block
      {1 << 16, 1, 1},  // N not below 2^(128 r / 8)
  };
  rusage before{};
  ASSERT_EQ(getrusage(RUSAGE_SELF, &before), 0);
  for (const ScryptCost& cost : hostile) {
    const auto key = stretch("passphrase", as_bytes("salt"), cost);
    ASSERT_FALSE(key) << cost.n << ' ' << cost.r << ' ' << cost.p;
    EXPECT_EQ(key.error().code(), Code::kInvalidArgument);
    EXPECT_NE(key.error().message().find(std::to_string(cost.n)), std::string::npos);
  }
  rusage after{};
  ASSERT_EQ(getrusage(RUSAGE_SELF, &after), 0);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 64 << 10) << "KiB of memory touched by a refusal";
}

}  // namespace
}  // namespace holdfast::crypto
