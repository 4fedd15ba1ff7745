#include "common/base/bytes.h"

#include <gtest/gtest.h>

#include <type_traits>

#include "common/base/endian.h"

namespace holdfast {
namespace {

TEST(ByteViews, ShareTheMemoryOfTheirText) {
  const std::string text("a\0\xff", 3);
  const ByteView bytes = as_bytes(text);
  EXPECT_EQ(bytes.size(), 3U);
  EXPECT_EQ(bytes[2], 0xff);
  EXPECT_EQ(static_cast<const void*>(bytes.data()), text.data());
  EXPECT_EQ(as_text(bytes), text);
  EXPECT_EQ(to_string(bytes), text);
}

TEST(Bytes, GrowByAppending) {
  Bytes bytes = {1};
  append(bytes, {});
  append(bytes, Bytes{2, 3});
  EXPECT_EQ(bytes, (Bytes{1, 2, 3}));
}

TEST(Buffer, IsMovedAndNeverCopied) {
  static_assert(!std::is_copy_constructible_v<Buffer>);
  static_assert(!std::is_copy_assignable_v<Buffer>);
  Buffer first = Buffer::copy_of(as_bytes("holdfast"));
  const Byte* const memory = first.data();
  Buffer second = std::move(first);
  EXPECT_EQ(second.data(), memory);
  EXPECT_EQ(as_text(second.view()), "holdfast");
  EXPECT_TRUE(first.empty());  // NOLINT: a moved Buffer is an empty one
  EXPECT_EQ(first.capacity(), 0U);
  EXPECT_EQ(first.data(), nullptr);
  second = Buffer(3);
  EXPECT_EQ(second.size(), 3U);
}

TEST(Buffer, ResizesWithinItsCapacityInPlace) {
  Buffer buffer(2, 10);
  const Byte* const memory = buffer.data();
  buffer.data()[0] = 'a';
  buffer.data()[1] = 'b';
  buffer.resize(10);
  EXPECT_EQ(buffer.data(), memory);
  EXPECT_EQ(as_text(buffer.view().first(2)), "ab");
  buffer.resize(0);
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.capacity(), 10U);
}

TEST(Buffer, OfNothingNeedsNoMemory) {
  EXPECT_EQ(Buffer().data(), nullptr);
  EXPECT_EQ(Buffer(0).data(), nullptr);
  EXPECT_TRUE(Buffer::copy_of({}).empty());
}

TEST(BufferDeathTest, BeyondTheCapacityAborts) {
  EXPECT_DEATH(Buffer(3, 2), "larger than its capacity");
  Buffer buffer(1, 2);
  EXPECT_DEATH(buffer.resize(3), "resized beyond its capacity");
}

TEST(SharedBytes, KeepTheirMemoryWhileAnyPartIsHeld) {
  SharedBytes part;
  const Byte* memory = nullptr;
  {
    Buffer buffer = Buffer::copy_of(as_bytes("one sealed buffer for all"));
    memory = buffer.data();
    const SharedBytes whole(std::move(buffer));
    EXPECT_EQ(whole.data(), memory) << "copied";
    part = whole.slice(4, 6);
  }
  EXPECT_EQ(part.data(), memory + 4);
  EXPECT_EQ(as_text(part.view()), "sealed");
  EXPECT_EQ(as_text(part.slice(0, 4).slice(1, 3).view()), "eal");
}

TEST(SharedBytes, LetTheirOwnerGoWithTheLastView) {
  auto owner = std::make_shared<const Bytes>(Bytes{1, 2, 3});
  const std::weak_ptr<const Bytes> watch = owner;
  SharedBytes first(*owner, owner);
  owner.reset();
  SharedBytes second = first.slice(2, 1);
  first = {};
  EXPECT_FALSE(watch.expired());
  second = {};
  EXPECT_TRUE(watch.expired());
}

TEST(SharedBytesDeathTest, SlicesOutsideAbort) {
  const SharedBytes bytes(Buffer(10));
  EXPECT_EQ(bytes.slice(10, 0).size(), 0U);
  EXPECT_DEATH((void)bytes.slice(11, 0), "a slice outside its bytes");
  EXPECT_DEATH((void)bytes.slice(5, 6), "a slice outside its bytes");
  EXPECT_DEATH((void)bytes.slice(5, ~std::size_t{0}), "a slice outside its bytes");
}

TEST(Endian, IsLittleAndUnaligned) {
  Byte bytes[9] = {};
  store_le(bytes + 1, std::uint64_t{0x0102030405060708});
  EXPECT_EQ(bytes[1], 8);
  EXPECT_EQ(bytes[8], 1);
  EXPECT_EQ(load_le<std::uint64_t>(bytes + 1), 0x0102030405060708U);
  EXPECT_EQ(load_le<std::uint16_t>(bytes + 1), 0x0708);
}

}  // namespace
}  // namespace holdfast
