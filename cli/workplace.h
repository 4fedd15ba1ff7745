// What a command runs on: the machine's ports, one loop on the calling thread, threads for what is
// slow, and the signals that end the process.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "common/posix/in_process_network.h"
#include "common/posix/poll_loop.h"
#include "common/posix/posix_file_system.h"
#include "common/posix/system_clock.h"
#include "common/posix/system_random.h"
#include "common/posix/thread_pool.h"
#include "common/posix/zmq_context.h"

namespace holdfast::cli {

class Workplace {
  const std::unique_ptr<FileSystem> own_files_;

 public:
  // Blocks SIGINT and SIGTERM for the process: made before any thread is.
  Workplace() : Workplace(std::make_unique<PosixFileSystem>()) {}
  // On other files than the machine's.
  explicit Workplace(std::unique_ptr<FileSystem> files_of_its_own);
  ~Workplace();
  Workplace(const Workplace&) = delete;
  Workplace& operator=(const Workplace&) = delete;

  FileSystem& files;
  SystemClock clock;
  SystemRandom random;
  InProcessNetwork network;
  PollLoop loop;
  ThreadPool pool;

  // Made when the first node is reached over the network.
  ZmqContext& zmq();

  // Calls `start` with a callback, and runs the loop until that was called.
  template <typename T, typename Start>
  T await(Start start) {
    auto outcome = std::make_shared<std::optional<T>>();
    start([this, outcome](T value) {
      outcome->emplace(std::move(value));
      loop.stop();
    });
    while (!outcome->has_value()) loop.run();
    return std::move(**outcome);
  }
  // Runs `work` on the pool, and the loop meanwhile.
  template <typename Work>
  auto elsewhere(Work work) {
    using Outcome = std::invoke_result_t<Work>;
    return await<std::shared_ptr<Outcome>>([&](auto done) {
      pool.submit([this, work = std::move(work), done = std::move(done)]() mutable {
        auto outcome = std::make_shared<Outcome>(work());
        loop.post([done = std::move(done), outcome = std::move(outcome)] { done(outcome); });
      });
    });
  }
  // Everything that was given to the pool has run; the loop does not run meanwhile.
  void drain();

  // Of the first SIGINT or SIGTERM; without one, and at the second, the process ends at once
  // with 130.
  void on_interrupt(std::function<void()> action) { interrupt_ = std::move(action); }
  // What must be undone when the process ends at once: any thread may replace it.
  void on_sudden_end(std::function<void()> action);

 private:
  void take_signal();

  Descriptor signals_;
  std::optional<WatchId> watch_;
  std::function<void()> interrupt_;
  std::mutex mutex_;
  std::function<void()> sudden_end_;  // guarded by mutex_
  std::unique_ptr<ZmqContext> zmq_;
};

}  // namespace holdfast::cli
