#include "common/base/text.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace holdfast {
namespace {

RC_GTEST_PROP(Hex, RoundTrips, (Bytes bytes)) {
  const std::string text = hex_encode(bytes);
  RC_ASSERT(text.size() == bytes.size() * 2);
  RC_ASSERT(hex_decode(text) == bytes);
}

TEST(Hex, TakesBothCasesAndNothingElse) {
  EXPECT_EQ(hex_encode(Bytes{0x00, 0x9a, 0xff}), "009aff");
  EXPECT_EQ(hex_decode("009AfF"), (Bytes{0x00, 0x9a, 0xff}));
  EXPECT_EQ(hex_decode(""), Bytes());
  for (const std::string_view text : {"0", "000", "0g", "g0", " 0", "0x", "-1", "+1", "00 "})
    EXPECT_EQ(hex_decode(text), std::nullopt) << text;
  EXPECT_EQ(hex_decode(std::string_view("\0\0", 2)), std::nullopt);
  EXPECT_EQ(hex_decode("\xff\xff"), std::nullopt);
}

// RFC 4648 section 10.
TEST(Base64, MatchesRfc4648) {
  const std::pair<std::string_view, std::string_view> vectors[] = {{"", ""},
                                                                   {"f", "Zg=="},
                                                                   {"fo", "Zm8="},
                                                                   {"foo", "Zm9v"},
                                                                   {"foob", "Zm9vYg=="},
                                                                   {"fooba", "Zm9vYmE="},
                                                                   {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(base64_encode(as_bytes(plain)), encoded);
    const std::string_view bare = encoded.substr(0, encoded.find('='));
    EXPECT_EQ(base64url_encode(as_bytes(plain)), bare);
    EXPECT_EQ(as_text(base64url_decode(bare).value()), plain);
  }
  EXPECT_EQ(base64_encode(Bytes{0xfb, 0xef, 0xff}), "++//");
  EXPECT_EQ(base64url_encode(Bytes{0xfb, 0xef, 0xff}), "--__");
}

RC_GTEST_PROP(Base64Url, RoundTrips, (Bytes bytes)) {
  RC_ASSERT(base64url_decode(base64url_encode(bytes)) == bytes);
}

// One text for each value: invites and keys are compared as text.
TEST(Base64Url, RefusesEveryOtherSpelling) {
  for (const std::string_view text :
       {"Z", "Zg==", "Zh", "Zm9vY", "Zm9", "++//", "Zm 9", "Zm9v\n", "Zm9v="})
    EXPECT_EQ(base64url_decode(text), std::nullopt) << text;
}

RC_GTEST_PROP(Base64Url, WhatItAcceptsItWouldWrite, (std::string text)) {
  if (const auto bytes = base64url_decode(text)) RC_ASSERT(base64url_encode(*bytes) == text);
}

TEST(Utf8, AcceptsWhatRfc3629Allows) {
  for (const std::string_view text :
       {"", "a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "na\xc3\xafve"})
    EXPECT_TRUE(is_utf8(text)) << hex_encode(as_bytes(text));
}

TEST(Utf8, RefusesOverlongSurrogateTruncatedAndOutOfRange) {
  for (const std::string_view text :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x9f\xbf", "\xe1\x80",
        "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "\xff", "ok\xfe"})
    EXPECT_FALSE(is_utf8(text)) << hex_encode(as_bytes(text));
}

TEST(Printable, KeepsTextAndEscapesWhatDrivesATerminal) {
  EXPECT_EQ(printable("na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80"),
            "na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80");
  EXPECT_EQ(printable("\x1b[2J"), "\\x1b[2J");
  EXPECT_EQ(printable("a\nb\x7f"), "a\\x0ab\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"
                      "2J"),
            "\\xc2\\x9b2J");
  EXPECT_EQ(printable("\xc2\xa9"), "\xc2\xa9");
  EXPECT_EQ(printable("\xff\xe2\x82"), "\\xff\\xe2\\x82");
  EXPECT_EQ(printable(std::string_view("\0", 1)), "\\x00");
}

RC_GTEST_PROP(Printable, IsAlwaysUtf8WithoutControls, (std::string text)) {
  const std::string safe = printable(text);
  RC_ASSERT(is_utf8(safe));
  RC_ASSERT(printable(safe) == safe);
  for (const char c : safe) RC_ASSERT(static_cast<unsigned char>(c) >= 0x20);
}

TEST(HumanBytes, HasOneUnitAndThreeDigits) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1024), "1.00 KiB");
  EXPECT_EQ(human_bytes(1536), "1.50 KiB");
  EXPECT_EQ(human_bytes(10 * 1024 - 1), "10.0 KiB");
  EXPECT_EQ(human_bytes(100 * 1024 - 1), "100 KiB");
  EXPECT_EQ(human_bytes(1024 * 1024 - 1), "1.00 MiB");
  EXPECT_EQ(human_bytes(std::uint64_t{3} << 29), "1.50 GiB");
  EXPECT_EQ(human_bytes(~std::uint64_t{0}), "16.0 EiB");
}

// Just under the border to the next unit three digits must not become four.
TEST(HumanBytes, NeverShowsFourDigitsAboveBytes) {
  for (int shift = 10; shift < 60; shift += 10)
    for (std::uint64_t thousandths = 990'000; thousandths <= 1'030'000; thousandths += 7) {
      const std::uint64_t bytes = (std::uint64_t{1} << shift) / 1000 * thousandths;
      const std::string text = human_bytes(bytes);
      EXPECT_LE(text.size(), std::string_view("10.0 KiB").size()) << bytes << " is " << text;
    }
}

}  // namespace
}  // namespace holdfast
