#include "common/content/chunker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <numeric>
#include <set>
#include <vector>

#include "common/crypto/hash.h"
#include "tests/testing/seeded_random.h"

namespace holdfast::content {
namespace {

using holdfast::testing::seeded_bytes;

crypto::SecretKey key(Byte first) {
  Bytes bytes(crypto::SecretKey::kSize);
  std::iota(bytes.begin(), bytes.end(), first);
  return crypto::SecretKey::from(bytes);
}

Chunker chunker(std::uint32_t average, Byte first = 0) {
  return Chunker::create(key(first), {average}).value();
}

// The lengths of all chunks of `content`.
std::vector<std::size_t> cut(const Chunker& chunker, ByteView content) {
  std::vector<std::size_t> lengths;
  while (!content.empty()) {
    lengths.push_back(chunker.first_chunk(content));
    content = content.subspan(lengths.back());
  }
  return lengths;
}

std::set<Sha256> chunks(const Chunker& chunker, ByteView content) {
  std::set<Sha256> names;
  for (const std::size_t length : cut(chunker, content)) {
    names.insert(crypto::sha256(content.first(length)));
    content = content.subspan(length);
  }
  return names;
}

std::size_t in_common(const std::set<Sha256>& a, const std::set<Sha256>& b) {
  return static_cast<std::size_t>(
      std::ranges::count_if(a, [&](auto& name) { return b.contains(name); }));
}

// The definition, word by word: every length is judged by a hash of the 64 bytes before it.
std::size_t plain_first_chunk(ByteView content, std::uint32_t average, ByteView gear) {
  const std::size_t end = std::min<std::size_t>(content.size(), average * 4);
  const int bits = std::countr_zero(average);
  for (std::size_t length = average / 4; length < end; ++length) {
    std::uint64_t hash = 0;
    for (std::size_t i = length - 64; i < length; ++i)
      hash = hash * 2 + load_le<std::uint64_t>(gear.data() + std::size_t{content[i]} * 8);
    const int zeros = std::countl_zero(hash);
    if (zeros >= (length < average ? bits + 2 : bits - 2)) return length;
  }
  return end;
}

TEST(Chunker, FollowsItsDefinition) {
  for (Byte first = 0; first < 8; ++first) {
    Bytes gear(2048);
    crypto::hkdf_sha256(key(first).view(), {}, as_bytes("holdfast v1 chunker gear"), gear);
    const Chunker tested = chunker(4096, first);
    const Bytes content = seeded_bytes(first, 300'000 + first);  // odd and even ends
    for (ByteView left = content; !left.empty();) {
      const std::size_t length = tested.first_chunk(left);
      ASSERT_EQ(length, plain_first_chunk(left, 4096, gear)) << "of " << left.size();
      left = left.subspan(length);
    }
  }
}

// Changing these is changing the format: every repository would store everything once more.
TEST(Chunker, CutsWhereItAlwaysDid) {
  const Bytes content = seeded_bytes(42, 200'000);
  EXPECT_EQ(cut(chunker(1 << 14), content),
            (std::vector<std::size_t>{16799, 20649, 27031, 22462, 28348, 25151, 17076, 17022, 17398,
                                      5681, 2383}));
  EXPECT_EQ(cut(chunker(1 << 16), content), (std::vector<std::size_t>{74292, 96819, 28889}));
}

TEST(Chunker, LengthsStayInRangeAndEndWithTheContent) {
  const Bytes content = seeded_bytes(1, 3'000'000);
  for (const std::uint32_t average : {1U << 12, 1U << 14, 1U << 16, 1U << 18}) {
    const Chunker tested = chunker(average);
    const auto lengths = cut(tested, content);
    EXPECT_EQ(std::accumulate(lengths.begin(), lengths.end(), std::size_t{0}), content.size());
    for (std::size_t i = 0; i + 1 < lengths.size(); ++i) {
      EXPECT_GE(lengths[i], tested.parameters().minimum());
      EXPECT_LE(lengths[i], tested.parameters().maximum());
    }
    EXPECT_LE(lengths.back(), tested.parameters().maximum());
  }
}

TEST(Chunker, ContentUpToTheMinimumIsOneChunk) {
  const Chunker tested = chunker(1 << 16);
  const Bytes content = seeded_bytes(2, 1 << 14);
  for (const std::size_t size : {1, 63, 64, 65, 4096, (1 << 14) - 1, 1 << 14})
    EXPECT_EQ(tested.first_chunk(ByteView(content).first(size)), size);
}

// The window that a reader passes must not matter, as long as it holds maximum() bytes.
TEST(Chunker, MayCutAtTheMinimum) {
  const Chunker cutter = chunker(1 << 12);
  const std::size_t minimum = cutter.parameters().minimum();
  const Bytes noise = seeded_bytes(7, 1 << 20);
  // One place in some ten thousand is such an end.
  std::size_t at = 0;
  while (at + cutter.parameters().maximum() < noise.size() &&
         cutter.first_chunk(ByteView(noise).subspan(at, minimum + 1)) != minimum)
    ++at;
  ASSERT_LT(at + cutter.parameters().maximum(), noise.size()) << "the noise has none";
  EXPECT_EQ(cutter.first_chunk(ByteView(noise).subspan(at)), minimum);
}

TEST(Chunker, LooksNoFurtherThanTheMaximum) {
  const Chunker tested = chunker(1 << 12);
  const Bytes content = seeded_bytes(3, 500'000);
  for (ByteView left = content; left.size() > tested.parameters().maximum();) {
    const std::size_t length = tested.first_chunk(left);
    EXPECT_EQ(tested.first_chunk(left.first(tested.parameters().maximum())), length);
    if (length < tested.parameters().maximum()) {
      EXPECT_EQ(tested.first_chunk(left.first(length + 1)), length);
      EXPECT_EQ(tested.first_chunk(left.first(length)), length);
    }
    left = left.subspan(length);
  }
}

TEST(Chunker, ZerosAreCutAtTheMaximum) {
  const Chunker tested = chunker(1 << 16);
  EXPECT_EQ(cut(tested, Bytes(1'000'000)),
            (std::vector<std::size_t>{262144, 262144, 262144, 1'000'000 - 3 * 262144}));
}

TEST(Chunker, TheAverageOfNoiseIsNearTheOneAskedFor) {
  const Bytes content = seeded_bytes(4, 64 << 20);
  for (const std::uint32_t average : {1U << 13, 1U << 16, 1U << 18}) {
    const auto lengths = cut(chunker(average), content);
    const double mean = static_cast<double>(content.size()) / static_cast<double>(lengths.size());
    // Normalized chunking comes out somewhat above its parameter: what was skipped is added.
    EXPECT_GT(mean, 1.0 * average) << average;
    EXPECT_LT(mean, 1.3 * average) << average;
  }
}

TEST(Chunker, OneInsertedByteChangesFewChunks) {
  const Chunker tested = chunker(1 << 14);
  const Bytes content = seeded_bytes(5, 8 << 20);
  const auto before = chunks(tested, content);
  ASSERT_GT(before.size(), 300U);
  for (const std::size_t at : {std::size_t{0}, std::size_t{1} << 22, content.size() - 1}) {
    Bytes edited = content;
    edited.insert(edited.begin() + static_cast<std::ptrdiff_t>(at), 0x55);
    const auto after = chunks(tested, edited);
    EXPECT_GE(in_common(before, after) + 8, before.size()) << "inserted at " << at;
  }
}

TEST(Chunker, OtherKeysCutElsewhere) {
  const Bytes content = seeded_bytes(6, 4 << 20);
  const auto one = chunks(chunker(1 << 14, 0), content);
  const auto two = chunks(chunker(1 << 14, 1), content);
  EXPECT_EQ(chunks(chunker(1 << 14, 0), content), one);
  EXPECT_LT(in_common(one, two), one.size() / 50);
}

TEST(Chunker, RefusesAveragesOutsideTheirRange) {
  for (const std::uint32_t average :
       {0U, 1U, 64U, 2048U, 4095U, 4097U, 65535U, 3U << 14, 1U << 25, 1U << 31, ~0U}) {
    const auto refused = Chunker::create(key(0), {average});
    ASSERT_FALSE(refused) << average;
    EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
  }
  EXPECT_TRUE(Chunker::create(key(0), {1U << 12}));
  EXPECT_TRUE(Chunker::create(key(0), {1U << 24}));
}

TEST(ChunkerDeathTest, EmptyContentAborts) {
  const Chunker tested = chunker(1 << 12);
  EXPECT_DEATH((void)tested.first_chunk({}), "no content to cut");
}

}  // namespace
}  // namespace holdfast::content
