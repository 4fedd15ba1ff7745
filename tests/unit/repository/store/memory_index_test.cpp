#include "repository/store/memory_index.h"

#include "tests/conformance/object_index_conformance.h"

namespace holdfast::repository {
namespace {

struct MemoryIndexFixture {
  ObjectIndex& index() { return index_; }
  void reopen() { index_.crash(0); }
  MemoryIndex index_;
};
INSTANTIATE_TYPED_TEST_SUITE_P(Memory, ObjectIndexConformance, MemoryIndexFixture);

Status write(MemoryIndex& index, std::uint64_t offset) {
  ObjectId id{};
  id.bytes[0] = static_cast<Byte>(offset);
  const ObjectIndex::Put put{id, {}};
  return index.write({&put, 1}, {}, {}, {1, offset});
}

TEST(MemoryIndex, ACrashLosesWholeBatchesFromTheEnd) {
  for (std::size_t kept = 0; kept <= 2; ++kept) {
    MemoryIndex index;
    ASSERT_TRUE(write(index, 1));
    ASSERT_TRUE(index.flush());
    ASSERT_TRUE(write(index, 2));
    ASSERT_TRUE(write(index, 3));
    ASSERT_EQ(index.unflushed_batches(), 2u);
    index.crash(kept);
    EXPECT_EQ(index.checkpoint().value(), (Checkpoint{1, 1 + kept}));
    EXPECT_EQ(index.approximate_count().value(), 1 + kept);
  }
}

TEST(MemoryIndex, ADamagedIndexAnswersCorruptUntilItIsCleared) {
  MemoryIndex index;
  ASSERT_TRUE(write(index, 1));
  index.damage();
  EXPECT_EQ(index.checkpoint().error().code(), Code::kCorrupt);
  EXPECT_EQ(index.flush().error().code(), Code::kCorrupt);
  EXPECT_EQ(write(index, 2).error().code(), Code::kCorrupt);
  EXPECT_EQ(index.get({}).error().code(), Code::kCorrupt);
  const auto any = [](const auto&, const auto&) { return true; };
  EXPECT_EQ(index.for_each(any).error().code(), Code::kCorrupt);
  EXPECT_EQ(index.for_each_note("", any).error().code(), Code::kCorrupt);
  EXPECT_EQ(index.approximate_count().error().code(), Code::kCorrupt);
  ASSERT_TRUE(index.clear());
  EXPECT_EQ(index.checkpoint().value(), Checkpoint{});
}

}  // namespace
}  // namespace holdfast::repository
