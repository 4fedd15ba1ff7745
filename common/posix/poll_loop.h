// An EventLoop over epoll(7): tasks, timers and file descriptors, all on the one thread that is in
// run(). Timers fire at the next millisecond after they are due, earliest first, those of one
// instant in the order of their making.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "common/ports/executor.h"
#include "common/posix/descriptor.h"
#include "common/posix/system_clock.h"

namespace holdfast {

using WatchId = std::uint64_t;

// "Loop thread only" also allows any thread while no thread is in run(), for building up and
// taking down.
class PollLoop final : public EventLoop {
 public:
  // Aborts if the process has no descriptors left for it.
  PollLoop();
  // Tasks and timers that did not run are destroyed. What still uses the loop must be gone.
  ~PollLoop() override;
  PollLoop(const PollLoop&) = delete;
  PollLoop& operator=(const PollLoop&) = delete;

  // Makes the calling thread the loop's until stop(); can be called again. One thread at a time.
  void run();
  // Ends run() after the task in hand, or the next run() at once. From any thread.
  void stop();

  void post(Task task) override;
  TimerId after(Duration delay, Task task) override;
  void cancel(TimerId timer) override;

  // Calls `on_readable` whenever `fd` is readable, has hung up or has an error, as long as that is
  // so (level-triggered). The descriptor must stay open until unwatch(). Loop thread only.
  WatchId watch(int fd, std::function<void()> on_readable);
  // No call afterwards, also when called from inside of one. Loop thread only.
  void unwatch(WatchId watch);

  bool on_loop_thread() const { return runner_.load() == std::this_thread::get_id(); }
  const Clock& clock() const { return clock_; }

 private:
  struct Watch {
    int fd;
    // Shared, so that a callback that unwatches itself is not destroyed under its own feet.
    std::shared_ptr<std::function<void()>> on_readable;
  };

  void check_thread() const;
  void run_timers();
  void run_posted();
  void wait_for_events();
  int milliseconds_to_wait();

  SystemClock clock_;
  Descriptor epoll_;
  Descriptor wake_;  // an eventfd, written by post() and stop()
  std::atomic<std::thread::id> runner_;
  std::atomic<bool> stop_ = false;

  std::mutex mutex_;
  std::vector<Task> posted_;  // guarded by mutex_

  std::map<std::pair<Instant, TimerId>, Task> timers_;
  std::unordered_map<TimerId, Instant> due_;
  TimerId next_timer_ = 1;
  std::unordered_map<WatchId, Watch> watches_;
  WatchId next_watch_ = 1;
};

}  // namespace holdfast
