#include "repository/group_commit.h"

#include <algorithm>
#include <iterator>

#include "common/base/planted_bug.h"

namespace holdfast::repository {

GroupCommit::GroupCommit(Store& store, EventLoop& loop, Executor& executor, const Clock& clock,
                         Hooks hooks)
    : store_(store),
      loop_(loop),
      executor_(executor),
      clock_(clock),
      hooks_(std::move(hooks)),
      sync_seconds_({0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30}),
      alive_(std::make_shared<GroupCommit*>(this)) {}

bool GroupCommit::wait(std::uint64_t connection, Done done) {
  const auto mine = [&](const Waiter& waiter) { return waiter.connection == connection; };
  const auto waiting = std::count_if(next_.begin(), next_.end(), mine) +
                       std::count_if(covered_.begin(), covered_.end(), mine);
  if (static_cast<std::size_t>(waiting) >= kMaxWaitingPerConnection &&
      !HOLDFAST_PLANTED("let a connection wait for any number of syncs"))
    return false;
  next_.push_back({connection, std::move(done)});
  if (!running_) start();
  return true;
}

void GroupCommit::sync_in_background() {
  if (!running_) start();
}

void GroupCommit::forget(std::uint64_t connection) {
  const auto mine = [&](const Waiter& waiter) { return waiter.connection == connection; };
  std::erase_if(covered_, mine);
  std::erase_if(next_, mine);
}

void GroupCommit::start() {
  running_ = true;
  covered_ = std::exchange(next_, {});
  hooks_.begun();
  executor_.submit([work = store_.begin_sync(), loop = &loop_, clock = &clock_,
                    alive = std::weak_ptr(alive_)]() mutable {
    const Instant begun = clock->now();
    Status outcome = work.run();
    const Duration took = clock->now() - begun;
    loop->post([work = std::move(work), alive, outcome = std::move(outcome), took]() mutable {
      if (const auto self = alive.lock())
        (*self)->finish(std::move(work), std::move(outcome), took);
    });
  });
}

void GroupCommit::finish(SyncWork work, Status outcome, Duration took) {
  running_ = false;
  sync_seconds_.observe(std::chrono::duration<double>(took).count());
  const Status result = store_.finish_sync(std::move(work), std::move(outcome));
  if (!result) ++failed_syncs_;
  hooks_.finished(result);
  std::vector<Waiter> told = std::exchange(covered_, {});
  // A failed sync gives up everything behind the last good one, what came meanwhile too.
  if (!result) std::move(next_.begin(), next_.end(), std::back_inserter(told)), next_.clear();
  for (const Waiter& waiter : told) waiter.done(result);
  if (!next_.empty() && !running_) start();
}

}  // namespace holdfast::repository
