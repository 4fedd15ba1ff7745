#include "common/posix/poll_loop.h"

#include <unistd.h>

#include <latch>

#include "tests/conformance/event_loop_conformance.h"

namespace holdfast {
namespace {

using std::chrono::milliseconds;

struct PollLoopFixture {
  EventLoop& loop() { return loop_; }
  void run() { loop_.run(); }
  void stop() { loop_.stop(); }
  PollLoop loop_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(PollLoop, EventLoopConformance, PollLoopFixture);

struct Pipe {
  Pipe() {
    int ends[2];
    check(::pipe2(ends, 0) == 0, "pipe");
    read = Descriptor(ends[0]);
    write = Descriptor(ends[1]);
  }
  void put() { check(::write(write.get(), "x", 1) == 1, "write"); }
  void take() {
    char byte;
    check(::read(read.get(), &byte, 1) == 1, "read");
  }
  Descriptor read, write;
};

TEST(PollLoop, PostsFromManyThreadsAllRunOnTheLoopAndKeepEachThreadsOrder) {
  PollLoop loop;
  constexpr int kThreads = 4, kEach = 2000;
  std::vector<std::vector<int>> seen(kThreads);
  int total = 0;
  bool elsewhere = false;
  std::vector<std::thread> posters;
  for (int t = 0; t < kThreads; ++t)
    posters.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i)
        loop.post([&, t, i] {
          elsewhere |= !loop.on_loop_thread();
          seen[static_cast<std::size_t>(t)].push_back(i);
          if (++total == kThreads * kEach) loop.stop();
        });
    });
  loop.run();
  for (std::thread& poster : posters) poster.join();
  EXPECT_FALSE(elsewhere);
  for (const auto& mine : seen) {
    ASSERT_EQ(mine.size(), static_cast<std::size_t>(kEach));
    EXPECT_TRUE(std::is_sorted(mine.begin(), mine.end()));
  }
}

TEST(PollLoop, APostWakesALoopThatWaits) {
  PollLoop loop;
  std::latch running(1);
  loop.post([&] { running.count_down(); });
  std::thread thread([&] { loop.run(); });
  running.wait();
  loop.post([&] { loop.stop(); });
  thread.join();
}

TEST(PollLoop, StopWakesALoopThatWaits) {
  PollLoop loop;
  std::latch running(1);
  loop.post([&] { running.count_down(); });
  std::thread thread([&] { loop.run(); });
  running.wait();
  loop.stop();
  thread.join();
}

TEST(PollLoop, StopBeforeRunEndsItAtOnce) {
  PollLoop loop;
  bool ran = false;
  loop.post([&] { ran = true; });
  loop.stop();
  loop.run();
  EXPECT_FALSE(ran);
}

TEST(PollLoop, WhatStopLeftOverRunsInOrderWhenTheLoopRunsAgain) {
  PollLoop loop;
  std::vector<int> ran;
  loop.post([&] {
    ran.push_back(1);
    loop.stop();
  });
  loop.post([&] { ran.push_back(2); });
  loop.run();
  EXPECT_EQ(ran, std::vector<int>{1});
  loop.post([&] { loop.stop(); });
  loop.run();
  EXPECT_EQ(ran, (std::vector<int>{1, 2}));
}

TEST(PollLoop, TimersDoNotRunEarly) {
  PollLoop loop;
  const Instant start = loop.clock().now();
  Instant fired;
  loop.after(milliseconds(5), [&] {
    fired = loop.clock().now();
    loop.stop();
  });
  loop.run();
  EXPECT_GE(fired - start, milliseconds(5));
}

// Otherwise a timer that makes the next one would leave nobody else a turn.
TEST(PollLoop, ATimerThatATimerMadeComesAfterTheTasksThatWait) {
  PollLoop loop;
  std::vector<std::string> ran;
  loop.after(Duration(0), [&] {
    ran.push_back("timer");
    loop.after(Duration(0), [&] {
      ran.push_back("its timer");
      loop.stop();
    });
    loop.post([&] { ran.push_back("task"); });
  });
  loop.run();
  EXPECT_EQ(ran, (std::vector<std::string>{"timer", "task", "its timer"}));
}

TEST(PollLoop, AnEndlessTimerDoesNotOverflow) {
  PollLoop loop;
  bool ran = false;
  loop.after(Duration::max(), [&] { ran = true; });
  loop.after(milliseconds(1), [&] { loop.stop(); });
  loop.run();
  EXPECT_FALSE(ran);
}

TEST(PollLoop, AWatchIsCalledAsLongAsThereIsSomethingToRead) {
  PollLoop loop;
  Pipe pipe;
  pipe.put();
  int calls = 0;
  const WatchId watch = loop.watch(pipe.read.get(), [&] {
    if (++calls == 3) {
      pipe.take();
      loop.after(milliseconds(5), [&] { loop.stop(); });
    }
  });
  loop.run();
  EXPECT_EQ(calls, 3);
  loop.unwatch(watch);
}

TEST(PollLoop, AWatchMayEndItselfAndAnotherThatIsReadyToo) {
  PollLoop loop;
  Pipe one, two;
  one.put();
  two.put();
  int calls = 0;
  WatchId first = 0, second = 0;
  auto end_both = [&] {
    ++calls;
    loop.unwatch(first);
    loop.unwatch(second);
    loop.after(milliseconds(5), [&] { loop.stop(); });
  };
  first = loop.watch(one.read.get(), end_both);
  second = loop.watch(two.read.get(), end_both);
  loop.run();
  EXPECT_EQ(calls, 1);
}

TEST(PollLoop, ABusyDescriptorDoesNotStarveTasksOrTimers) {
  PollLoop loop;
  Pipe pipe;
  pipe.put();
  const WatchId watch = loop.watch(pipe.read.get(), [] {});
  loop.after(milliseconds(2), [&] { loop.post([&] { loop.stop(); }); });
  loop.run();
  loop.unwatch(watch);
}

TEST(PollLoop, TasksThatDidNotRunAreDestroyedWithIt) {
  auto owned = std::make_shared<int>(1);
  {
    PollLoop loop;
    loop.post([owned] {});
    loop.after(milliseconds(1), [owned] {});
    EXPECT_EQ(owned.use_count(), 3);
  }
  EXPECT_EQ(owned.use_count(), 1);
}

TEST(PollLoopDeathTest, ACallFromAnotherThreadAborts) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        PollLoop loop;
        std::latch running(1);
        loop.post([&] { running.count_down(); });
        std::thread thread([&] { loop.run(); });
        running.wait();
        loop.after(milliseconds(1), [] {});
      },
      "outside of the loop's thread");
}

}  // namespace
}  // namespace holdfast
