#include "agent/posix/scan_thread.h"

#include <gtest/gtest.h>

#include <future>

namespace holdfast::agent {
namespace {

// A tree of `count` entries; its scan can be held up at one of them.
class CountedTree final : public SourceTree {
 public:
  explicit CountedTree(std::size_t count) : count_(count) {}
  Status scan(const std::function<bool(Entry&&)>& visit,
              const std::function<void(ScanProblem&&)>& problem) override {
    for (std::size_t number = 0; number < count_; ++number) {
      Entry entry;
      entry.path = std::to_string(number);
      if (!visit(std::move(entry))) {
        stopped.set_value(number);
        return {};
      }
    }
    if (fails) return Error(Code::kNotFound, "gone");
    problem({"/p", Error(Code::kPermissionDenied, "no")});
    return {};
  }
  Status describe(Entry&) override { return {}; }
  Result<std::unique_ptr<ContentReader>> open(const Entry&) override {
    return Error(Code::kNotFound, "no content here");
  }
  bool fails = false;
  std::promise<std::size_t> stopped;

 private:
  const std::size_t count_;
};

TEST(ScanThread, HandsOutAllEntriesInOrderAndThenNone) {
  CountedTree tree(1000);
  ScanThread scan(tree, {.batch_entries = 7, .queued_entries = 20});
  std::size_t next = 0;
  for (;;) {
    const auto batch = scan.next();
    ASSERT_TRUE(batch);
    if (batch->empty()) break;
    for (const Entry& entry : *batch) EXPECT_EQ(entry.path, std::to_string(next++));
  }
  EXPECT_EQ(next, 1000U);
  EXPECT_EQ(scan.take_problems().size(), 1U);
  EXPECT_TRUE(scan.take_problems().empty());
  EXPECT_TRUE(scan.next()->empty());
}

TEST(ScanThread, EndsWhereItsLastBatchIsFullOrThereIsNone) {
  for (const std::size_t count : {0UL, 7UL, 14UL}) {
    CountedTree tree(count);
    ScanThread scan(tree, {.batch_entries = 7, .queued_entries = 20});
    for (std::size_t taken = 0; taken < count; taken += 7) EXPECT_EQ(scan.next()->size(), 7U);
    EXPECT_TRUE(scan.next()->empty());
  }
}

TEST(ScanThread, ReportsWhyTheScanFailedOnceAllBeforeIsTaken) {
  CountedTree tree(3);
  tree.fails = true;
  ScanThread scan(tree, {.batch_entries = 3, .queued_entries = 20});
  EXPECT_EQ(scan.next()->size(), 3U);
  const auto failed = scan.next();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), Code::kNotFound);
}

TEST(ScanThread, RunsAheadNoFurtherThanItsQueueAndEndsWhenCancelled) {
  CountedTree tree(1'000'000);
  ScanThread scan(tree, {.batch_entries = 10, .queued_entries = 100});
  EXPECT_EQ(scan.next()->size(), 10U);
  scan.cancel();
  // One batch more than the queue takes may be in its hands.
  EXPECT_LE(tree.stopped.get_future().get(), 10U + 100U + 20U);
  const auto after = scan.next();
  ASSERT_FALSE(after);
  EXPECT_EQ(after.error().code(), Code::kInterrupted);
}

}  // namespace
}  // namespace holdfast::agent
