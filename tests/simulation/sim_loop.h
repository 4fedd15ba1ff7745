// Time, tasks and work of one deterministic process: EventLoop, Executor and Clock on one thread,
// with a clock that stands still while anything is to do and jumps to the next timer when nothing
// is. What a run does depends on its seed alone.
//
// trace() is a hash over every event and whatever its users fold in: two runs with the same hash
// took the same course.
//
// Work given to the executor runs at a moment of its own between tasks, in the order of submission;
// with a seed other than 0, a drawn while later, as on a machine that is busy.
#pragma once

#include <functional>
#include <map>
#include <utility>

#include "common/ports/executor.h"
#include "tests/testing/seeded_random.h"

namespace holdfast::testing {

class SimLoop final : public EventLoop, public Executor, public Clock {
 public:
  explicit SimLoop(std::uint64_t seed = 0) : seeded_(seed != 0), random_(seed) {}

  // EventLoop.
  void post(Task task) override { put(now_, std::move(task)); }
  TimerId after(Duration delay, Task task) override {
    return put(now_ + std::max(delay, Duration(1)), std::move(task));
  }
  void cancel(TimerId timer) override {
    const auto found = due_.find(timer);
    if (found == due_.end()) return;
    queue_.erase({found->second, timer});
    due_.erase(found);
  }

  // Executor.
  void submit(Task work) override {
    ++submitted_;
    // Starts stay in order whatever was drawn.
    if (seeded_) free_at_ = std::max(now_, free_at_) + Duration(1 + random_.below(200'000));
    put(seeded_ ? free_at_ : now_, std::move(work));
  }
  unsigned concurrency() const override { return concurrency_; }
  void set_concurrency(unsigned pieces) { concurrency_ = pieces; }
  std::uint64_t submitted() const { return submitted_; }

  // Clock.
  Instant now() const override { return now_; }
  UnixTime wall() const override { return {wall_offset_ + now_.nanoseconds}; }
  void set_wall(UnixTime time) { wall_offset_ = time.nanoseconds - now_.nanoseconds; }

  // Runs the next thing there is; false if there is none.
  bool step() {
    if (queue_.empty()) return false;
    auto next = queue_.extract(queue_.begin());
    now_ = std::max(now_, next.key().first);
    ++steps_;
    fold(static_cast<std::uint64_t>(now_.nanoseconds) ^ next.key().second << 1);
    due_.erase(next.key().second);
    next.mapped()();
    return true;
  }
  bool idle() const { return queue_.empty(); }
  Instant next_due() const { return queue_.begin()->first.first; }  // unless idle
  // Time passes until then, or until the next thing is due.
  void skip_to(Instant then) {
    if (!queue_.empty()) then = std::min(then, next_due());
    now_ = std::max(now_, then);
  }
  TimerId next_id() const { return next_; }  // of what is put in next
  std::uint64_t steps() const { return steps_; }
  std::uint64_t trace() const { return trace_; }
  void fold(std::uint64_t value) {
    trace_ = (trace_ ^ value) * 0x9e3779b97f4a7c15;
    trace_ ^= trace_ >> 29;
  }

  // True once `done` holds; false if it still does not after `most` of simulated time, or if
  // nothing is left that could bring it about.
  bool run_until(const std::function<bool()>& done, Duration most = std::chrono::hours(1)) {
    const Instant end = now_ + most;
    while (!done()) {
      if (queue_.empty() || queue_.begin()->first.first > end) return false;
      step();
    }
    return true;
  }
  void run_for(Duration span) {
    const Instant end = now_ + span;
    while (!queue_.empty() && queue_.begin()->first.first <= end) step();
    now_ = std::max(now_, end);
  }

 private:
  TimerId put(Instant due, Task task) {
    const TimerId id = next_++;
    due_.emplace(id, due);
    queue_.emplace(std::pair(due, id), std::move(task));
    return id;
  }

  std::map<std::pair<Instant, TimerId>, Task> queue_;  // those of one instant in order of coming
  std::map<TimerId, Instant> due_;
  TimerId next_ = 1;
  Instant now_{1'000'000'000};
  Instant free_at_{};
  std::int64_t wall_offset_ = 1'700'000'000'000'000'000;
  bool seeded_;
  SeededRandom random_;
  unsigned concurrency_ = 2;
  std::uint64_t submitted_ = 0;
  std::uint64_t steps_ = 0, trace_ = 0;
};

}  // namespace holdfast::testing
