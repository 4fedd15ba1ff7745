// A PollLoop on a thread of its own, for tests that wait for it from theirs.
#pragma once

#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "common/posix/poll_loop.h"

namespace holdfast {

class LoopThread {
 public:
  LoopThread() : thread_([this] { loop_.run(); }) {}
  ~LoopThread() {
    loop_.stop();
    thread_.join();
  }

  PollLoop& loop() { return loop_; }
  // Runs `work` on the loop and returns what it returns.
  template <typename Work>
  auto run(Work work) {
    std::packaged_task<std::invoke_result_t<Work>()> task(std::move(work));
    auto result = task.get_future();
    loop_.post([&task] { task(); });
    return result.get();
  }

 private:
  PollLoop loop_;
  std::thread thread_;
};

// Something that a loop's thread changes and a test waits for, never longer than a minute.
template <typename State>
class Watched {
 public:
  template <typename Change>
  void change(Change make) {
    {
      const std::lock_guard lock(mutex_);
      make(state_);
    }
    changed_.notify_all();
  }
  // False if `holds` was not so within the bound.
  template <typename Condition>
  bool wait(Condition holds, std::chrono::seconds bound = std::chrono::seconds(60)) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, bound, [&] { return holds(state_); });
  }
  State get() {
    const std::lock_guard lock(mutex_);
    return state_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  State state_;
};

}  // namespace holdfast
