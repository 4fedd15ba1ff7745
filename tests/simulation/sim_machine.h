// One machine of a simulation: the loop, executor and clock of the process that runs on it, over
// the SimLoop that all machines share. The process can be killed, so that nothing of it ever runs
// again, or paused, so that nothing runs until it goes on; and the clock on its wall is its own.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "tests/simulation/sim_loop.h"

namespace holdfast::testing {

class SimMachine final : public EventLoop, public Executor, public Clock {
 public:
  explicit SimMachine(SimLoop& loop) : loop_(loop) {}
  ~SimMachine() override { *alive_ = false; }
  SimMachine(const SimMachine&) = delete;
  SimMachine& operator=(const SimMachine&) = delete;

  // Called after anything of the process ran.
  void on_run(std::function<void()> ran) { ran_ = std::move(ran); }

  // EventLoop, Executor, Clock: of the process that runs now.
  void post(Task task) override { loop_.post(wrap(std::move(task))); }
  TimerId after(Duration delay, Task task) override {
    return loop_.after(delay, wrap(std::move(task)));
  }
  void cancel(TimerId timer) override {
    loop_.cancel(timer);
    std::erase_if(held_, [&](const auto& held) { return held.first == timer; });
  }
  void submit(Task work) override {
    const std::uint64_t id = next_work_++;
    pending_work_.emplace(id, std::move(work));
    loop_.submit(wrap([this, id] {
      auto begun = pending_work_.extract(id);
      if (!begun.empty()) begun.mapped()();
    }));
  }
  unsigned concurrency() const override { return 2; }
  Instant now() const override { return loop_.now(); }
  UnixTime wall() const override { return {loop_.wall().nanoseconds + skew_.count()}; }

  // Work given to the executor that it has not begun. What uses it must not go before it is done.
  std::size_t pending_work() const { return pending_work_.size(); }
  // Does that work now, as a program waits for its workers before it lets go of what they use.
  // What the work leads to on the loop still lies ahead.
  void drain() {
    while (!pending_work_.empty()) pending_work_.extract(pending_work_.begin()).mapped()();
  }
  void set_skew(Duration skew) { skew_ = skew; }
  // The process ends between two of its steps.
  void kill() {
    *std::exchange(alive_, std::make_shared<bool>(true)) = false;
    held_.clear();
    pending_work_.clear();
    paused_ = false;
  }
  void pause() { paused_ = true; }
  void resume() {
    if (!std::exchange(paused_, false) || held_.empty()) return;
    loop_.post([this, alive = alive_] {
      if (*alive) run_held();
    });
  }
  bool paused() const { return paused_; }
  // Runs this within the process now, or once it goes on.
  void run(Task task) { run_or_hold(0, std::move(task)); }

 private:
  Task wrap(Task task) {
    return [this, alive = alive_, id = loop_.next_id(), task = std::move(task)]() mutable {
      if (*alive) run_or_hold(id, std::move(task));
    };
  }
  void run_or_hold(TimerId id, Task task) {
    if (paused_ || !held_.empty()) {
      held_.emplace_back(id, std::move(task));
      return;
    }
    task();
    if (ran_) ran_();
  }
  // One a step, in the order in which they came.
  void run_held() {
    if (paused_ || held_.empty()) return;
    Task task = std::move(held_.front().second);
    held_.pop_front();
    if (!held_.empty())
      loop_.post([this, alive = alive_] {
        if (*alive) run_held();
      });
    task();
    if (ran_) ran_();
  }

  SimLoop& loop_;
  std::function<void()> ran_;
  Duration skew_{0};
  bool paused_ = false;
  std::map<std::uint64_t, Task> pending_work_;  // in order of coming
  std::uint64_t next_work_ = 0;
  std::deque<std::pair<TimerId, Task>> held_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace holdfast::testing
