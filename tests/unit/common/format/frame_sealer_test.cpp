#include "common/format/frame_sealer.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/testing/seed.h"
#include "tests/testing/test_repository.h"

namespace holdfast::format {
namespace {

using holdfast::testing::PlainObject;
using holdfast::testing::seed;
using holdfast::testing::TestRepository;

rc::Gen<std::size_t> any_size() {
  return rc::gen::apply(
      [](std::size_t bits, std::size_t noise) {
        return (std::size_t{1} << bits) + noise % (std::size_t{1} << bits);
      },
      rc::gen::inRange<std::size_t>(0, 40), rc::gen::arbitrary<std::size_t>());
}

RC_GTEST_PROP(PaddedSize, AddsAtMostAnEighth, ()) {
  const std::size_t size = *any_size();
  const std::size_t padded = padded_size(size);
  RC_ASSERT(padded >= size);
  RC_ASSERT(padded - size <= size / 8);
  if (size >= 1 << 20) RC_ASSERT(padded - size <= size / 32);
}

RC_GTEST_PROP(PaddedSize, NeverFallsWhereASizeGrows, ()) {
  const std::size_t one = *any_size(), other = *any_size();
  RC_ASSERT(padded_size(std::min(one, other)) <= padded_size(std::max(one, other)));
  RC_ASSERT(padded_size(one) <= padded_size(one + 1));
}

RC_GTEST_PROP(PaddedSize, KeepsASizeThatIsPadded, ()) {
  const std::size_t padded = padded_size(*any_size());
  RC_ASSERT(padded_size(padded) == padded);
}

// What a size tells is how few there are: 2^S between two powers of two, S = bits of the exponent.
TEST(PaddedSize, LeavesFewSizes) {
  std::size_t sizes = 0;
  for (std::size_t size = 1 << 20; size < 2 << 20; size = padded_size(size + 1)) ++sizes;
  EXPECT_EQ(sizes, 32U);
  EXPECT_EQ(padded_size(0), 0U);
  EXPECT_EQ(padded_size(1), 1U);
  EXPECT_EQ(padded_size(9), 10U);
}

RC_GTEST_PROP(FrameSealer, BodiesHavePaddedSizesOnly, ()) {
  TestRepository repository(seed());
  const auto size = *rc::gen::inRange<std::size_t>(0, 5000);
  const Bytes frame = repository.seal(FrameRole::kData, {{{}, repository.random_bytes(size)}});
  const std::size_t sealed = parse_frame(frame)->body.size() - crypto::kTagSize;
  RC_ASSERT(padded_size(sealed) == sealed);
}

// Found by reading: full() asked for a mebibyte of payload alone, so that 100,000 files of eight
// bytes made a frame that no parser took.
TEST(FrameContent, OfTinyObjectsIsFullBeforeAFrameHasTooMany) {
  TestRepository repository(seed());
  FrameContent content(FrameRole::kData);
  ObjectIdentifier identifier(repository.group_key);
  std::uint64_t count = 0;
  while (!content.full()) {
    Byte payload[8];
    store_le(payload, ++count);
    content.add(identifier.identify(ObjectKind::kData, {}, payload), {}, payload);
  }
  ASSERT_LT(count, kMaxFrameObjects);
  const SharedBytes frame = repository.sealer().seal(content);
  const auto parsed = parse_frame(frame);
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message();
  auto opener = repository.opener();
  EXPECT_EQ(opener.open(*parsed)->objects.size(), count);
}

TEST(FrameContent, OfManyRefsIsFullBeforeAFrameHasTooMany) {
  TestRepository repository(seed());
  FrameContent content(FrameRole::kMetadata);
  ObjectIdentifier identifier(repository.group_key);
  std::vector<ObjectId> refs(kMaxObjectRefs);
  std::size_t count = 0;
  for (refs[0] = repository.random_id(); !content.full(); refs[0] = repository.random_id()) {
    // The last object is as large as one may be.
    const std::span<const ObjectId> some(refs.data(), count < 30'000 ? 1000 : kMaxObjectRefs);
    content.add(identifier.identify(ObjectKind::kList, some, {}), some, {});
    count += some.size();
  }
  const SharedBytes frame = repository.sealer().seal(content);
  const auto parsed = parse_frame(frame);
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message();
  EXPECT_EQ(parsed->header.refs.size(), count);
}

TEST(FrameContent, TakesTheLargestChunkBehindAnAlmostFullFrame) {
  TestRepository repository(seed());
  const Bytes noise = repository.random_bytes(kMaxObjectPayload);
  FrameContent content(FrameRole::kData);
  content.add(repository.random_id(), {}, ByteView(noise).first(kTargetFramePlaintext - 100));
  ASSERT_FALSE(content.full());
  content.add(repository.random_id(), {}, noise);
  const SharedBytes frame = repository.sealer(-5).seal(content);
  EXPECT_LE(frame.size(), kMaxFrameSize);
  EXPECT_TRUE(parse_frame(frame).has_value());
}

TEST(FrameContent, IsEmptyAndReusableAfterSealing) {
  TestRepository repository(seed());
  auto sealer = repository.sealer();
  auto opener = repository.opener();
  FrameContent content(FrameRole::kMetadata);
  for (std::uint64_t round = 1; round <= 3; ++round) {
    const PlainObject object{{repository.random_id()}, repository.random_bytes(100)};
    content.add(repository.identify(FrameRole::kMetadata, object), object.refs, object.payload);
    EXPECT_FALSE(content.empty());
    EXPECT_EQ(content.plaintext_bytes(), 100U);
    const SharedBytes frame = sealer.seal(content);
    EXPECT_TRUE(content.empty());
    EXPECT_EQ(content.plaintext_bytes(), 0U);
    const auto parsed = parse_frame(frame);
    EXPECT_EQ(parsed->header.number, round);
    const auto opened = opener.open(*parsed);
    ASSERT_EQ(opened->objects.size(), 1U);
    EXPECT_EQ(opened->objects[0].refs, object.refs);
  }
}

TEST(FrameContentDeathTest, WithMoreThanAFrameMayHaveAborts) {
  FrameContent data(FrameRole::kData);
  const ObjectId id{};
  EXPECT_DEATH(data.add(id, {&id, 1}, {}), "a chunk with refs");
  FrameContent list(FrameRole::kMetadata);
  const std::vector<ObjectId> refs(kMaxObjectRefs + 1);
  EXPECT_DEATH(list.add(id, refs, {}), "larger than any may be");
}

}  // namespace
}  // namespace holdfast::format
