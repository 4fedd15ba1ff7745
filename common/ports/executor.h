// Where work runs. A core lives on one EventLoop and is never entered twice at once; what is slow
// (reading, hashing, compressing, fsync) it gives to an Executor, whose work posts its result back.
#pragma once

#include <cstdint>

#include "common/base/task.h"
#include "common/ports/clock.h"

namespace holdfast {

using TimerId = std::uint64_t;

class EventLoop {
 public:
  virtual ~EventLoop() = default;
  // Runs `task` on the loop soon, in the order of posting. From any thread.
  virtual void post(Task task) = 0;
  // Runs `task` on the loop once `delay` has passed. Loop thread only.
  virtual TimerId after(Duration delay, Task task) = 0;
  // Forgets a timer; of one that ran already nothing happens. Loop thread only.
  virtual void cancel(TimerId timer) = 0;
};

class Executor {
 public:
  virtual ~Executor() = default;
  // Runs `work` on some thread, at some time; starts in the order of submission. From any thread.
  virtual void submit(Task work) = 0;
  // How many pieces of work run at once: at least 1.
  virtual unsigned concurrency() const = 0;
};

}  // namespace holdfast
