#include "common/content/compression.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/resource.h>
#include <zstd.h>

#include "common/base/text.h"
#include "tests/testing/seeded_random.h"

namespace holdfast::content {
namespace {

using holdfast::testing::seeded_bytes;
using holdfast::testing::SeededRandom;

Bytes compressed(ByteView plaintext, int level = 3) {
  Bytes packed(Compressor::bound(plaintext.size()));
  packed.resize(Compressor().compress(plaintext, level, packed));
  return packed;
}

Code refusal(ByteView packed, std::size_t size) {
  Bytes out(size);
  const Status status = Decompressor().decompress(packed, out);
  return status ? Code::kInterrupted : status.error().code();  // a code that zstd never gives
}

Bytes text_of(std::size_t size) {
  Bytes text;
  for (int i = 0; text.size() < size; ++i)
    append(text, as_bytes("line " + std::to_string(i) + "\n"));
  text.resize(size);
  return text;
}

RC_GTEST_PROP(Compression, RoundTrips, (Bytes plaintext)) {
  const int level = *rc::gen::inRange(1, 6);
  const Bytes packed = compressed(plaintext, level);
  Bytes out(plaintext.size());
  RC_ASSERT(Decompressor().decompress(packed, out).has_value());
  RC_ASSERT(out == plaintext);
}

TEST(Compression, ContextsAreUsedAgainForAnySizeAndLevel) {
  Compressor compressor;
  Decompressor decompressor;
  for (const std::size_t size : {1 << 20, 0, 1, 3 << 20, 100}) {
    for (const int level : {3, 1, -5, 9}) {
      const Bytes plaintext = text_of(size);
      Bytes packed(Compressor::bound(size));
      packed.resize(compressor.compress(plaintext, level, packed));
      // A context that was used before gives the same bytes as a fresh one: frames are
      // reproducible.
      EXPECT_EQ(packed, compressed(plaintext, level)) << size << " at level " << level;
      Bytes out(size);
      EXPECT_TRUE(decompressor.decompress(packed, out));
      EXPECT_EQ(out, plaintext);
      // A refusal in between leaves no trace.
      EXPECT_FALSE(decompressor.decompress(ByteView(packed).first(packed.size() - 1), out));
    }
  }
}

TEST(Compression, TextShrinksAndNoiseStaysWithinTheBound) {
  EXPECT_LT(compressed(text_of(1 << 20)).size(), std::size_t{1} << 18);
  const Bytes noise = seeded_bytes(1, 1 << 20);
  EXPECT_LE(compressed(noise).size(), Compressor::bound(noise.size()));
  EXPECT_LT(compressed(noise).size(), noise.size() + 100);
}

TEST(Decompressor, RefusesAnotherSizeThanExpected) {
  const Bytes packed = compressed(text_of(1000));
  EXPECT_EQ(refusal(packed, 999), Code::kCorrupt);
  EXPECT_EQ(refusal(packed, 1001), Code::kCorrupt);
  EXPECT_EQ(refusal(packed, 0), Code::kCorrupt);
  EXPECT_EQ(refusal(packed, 1000), Code::kInterrupted);
}

TEST(Decompressor, RefusesEveryTruncationAndAnythingBehindTheFrame) {
  const Bytes packed = compressed(text_of(1000));
  for (std::size_t size = 0; size < packed.size(); ++size)
    EXPECT_EQ(refusal(ByteView(packed).first(size), 1000), Code::kCorrupt) << size;
  Bytes longer = packed;
  longer.push_back(0);
  EXPECT_EQ(refusal(longer, 1000), Code::kCorrupt);
}

TEST(Decompressor, RefusesSeveralFramesSkippableOnesAndForeignMagic) {
  const Bytes half = compressed(text_of(500));
  Bytes two = half;
  append(two, half);
  EXPECT_EQ(refusal(two, 1000), Code::kCorrupt);
  const Bytes skippable = {0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0};
  EXPECT_EQ(refusal(skippable, 0), Code::kCorrupt);
  Bytes skippable_first = skippable;
  append(skippable_first, half);
  EXPECT_EQ(refusal(skippable_first, 500), Code::kCorrupt);
  for (Byte version = 0; version < 8;
       ++version) {  // the magics of zstd 0.1 to 0.7 are 1e..27 b52ffd
    Bytes old = half;
    old[0] = static_cast<Byte>(0x20 + version);
    EXPECT_EQ(refusal(old, 500), Code::kCorrupt);
  }
}

TEST(Decompressor, AllocatesNothingForWhatAHeaderClaims) {
  // A frame of one raw byte whose header claims a content of 2^62 bytes and, not being a single
  // segment, a window of 2^41.
  const Bytes huge_content = {0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0,  0,
                              0,    0,    0,    0x40, 9,    0, 0, 'x'};
  const Bytes huge_window = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8, 9, 0, 0, 'x'};
  rusage before{}, after{};
  ASSERT_EQ(getrusage(RUSAGE_SELF, &before), 0);
  EXPECT_EQ(refusal(huge_content, 1), Code::kCorrupt);
  EXPECT_EQ(refusal(huge_window, 1), Code::kCorrupt);
  ASSERT_EQ(getrusage(RUSAGE_SELF, &after), 0);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 64 << 10) << "KiB";
}

RC_GTEST_PROP(Decompressor, SurvivesDamageAnywhere, ()) {
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  const Bytes plaintext = text_of(*rc::gen::inRange<std::size_t>(1, 5000));
  Bytes packed = compressed(plaintext);
  SeededRandom random(seed);
  for (int i = 0; i < 3; ++i)
    packed[random.below(packed.size())] ^= static_cast<Byte>(random.uint64());
  Bytes out(plaintext.size());
  // Without a checksum of its own damage may go unseen here; it must only never break anything.
  const Status status = Decompressor().decompress(packed, out);
  if (!status) RC_ASSERT(status.error().code() == Code::kCorrupt);
}

TEST(Compression, ContextsMove) {
  Compressor compressor;
  Compressor moved = std::move(compressor);
  Bytes packed(Compressor::bound(10));
  packed.resize(moved.compress(text_of(10), 3, packed));
  Decompressor decompressor;
  Decompressor moved_too = std::move(decompressor);
  Bytes out(10);
  EXPECT_TRUE(moved_too.decompress(packed, out));
  EXPECT_EQ(out, text_of(10));
}

TEST(CompressorDeathTest, TooSmallAPlaceOrNoLevelAborts) {
  Bytes out(10), enough(Compressor::bound(100));
  EXPECT_DEATH(Compressor().compress(Bytes(100), 3, out), "too small a place");
  EXPECT_DEATH(Compressor().compress(Bytes(100), 1000, enough), "level that does not exist");
}

}  // namespace
}  // namespace holdfast::content
