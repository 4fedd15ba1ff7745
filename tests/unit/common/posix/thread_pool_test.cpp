#include "common/posix/thread_pool.h"

#include <latch>
#include <mutex>
#include <optional>

#include "tests/conformance/executor_conformance.h"

namespace holdfast {
namespace {

struct ThreadPoolFixture {
  Executor& executor() { return *pool_; }
  void finish() { pool_.reset(); }
  std::optional<ThreadPool> pool_{3};
};

INSTANTIATE_TYPED_TEST_SUITE_P(ThreadPool, ExecutorConformance, ThreadPoolFixture);

TEST(ThreadPool, AsManyPiecesOfWorkRunAtOnceAsItHasThreads) {
  ThreadPool pool(4);
  EXPECT_EQ(pool.concurrency(), 4u);
  std::latch together(4);  // opens only if all four are inside
  std::latch done(4);
  for (int i = 0; i < 4; ++i)
    pool.submit([&] {
      together.arrive_and_wait();
      done.count_down();
    });
  done.wait();
}

TEST(ThreadPool, WorkStartsInTheOrderOfSubmission) {
  std::vector<int> order;
  {
    ThreadPool pool(1);
    for (int i = 0; i < 500; ++i) pool.submit([&order, i] { order.push_back(i); });
  }
  ASSERT_EQ(order.size(), 500u);
  for (int i = 0; i < 500; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(ThreadPool, TheDestructorRunsWhatRunningWorkSubmitsLast) {
  std::atomic<int> ran = 0;
  {
    std::latch started(1), go(1);
    auto pool = std::make_unique<ThreadPool>(2);
    ThreadPool& inside = *pool;
    pool->submit([&] {
      started.count_down();
      go.wait();
      for (int i = 0; i < 100; ++i) inside.submit([&ran] { ++ran; });
    });
    started.wait();
    std::thread destroyer([&] { pool.reset(); });
    go.count_down();
    destroyer.join();
  }
  EXPECT_EQ(ran, 100);
}

}  // namespace
}  // namespace holdfast
