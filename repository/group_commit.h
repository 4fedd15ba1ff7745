// Making appended records durable for many askers at once: while one sync runs on the executor,
// everybody who comes waits for the next one, which covers them all.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "common/base/histogram.h"
#include "common/ports/executor.h"
#include "repository/store/store.h"

namespace holdfast::repository {

// Loop thread only, but for the clock, which the executor asks too. Must not be destroyed while the
// executor still has work of it.
class GroupCommit {
 public:
  struct Hooks {
    std::function<void()> begun;                  // what was appended so far will be covered
    std::function<void(const Status&)> finished;  // before anybody who waits is told
  };
  using Done = std::function<void(const Status&)>;

  GroupCommit(Store& store, EventLoop& loop, Executor& executor, const Clock& clock, Hooks hooks);
  GroupCommit(const GroupCommit&) = delete;
  GroupCommit& operator=(const GroupCommit&) = delete;

  // Calls `done` once all that was appended before this call is durable, or with the reason why it
  // is given up; never from inside this call. False if the connection has too many that wait.
  [[nodiscard]] bool wait(std::uint64_t connection, Done done);
  // Starts a sync that nobody waits for, unless one runs.
  void sync_in_background();
  // Forgets who waited on this connection. What they appended is made durable all the same.
  void forget(std::uint64_t connection);
  bool running() const { return running_; }
  // How long the device took for each.
  const Histogram& sync_seconds() const { return sync_seconds_; }
  std::uint64_t failed_syncs() const { return failed_syncs_; }

  // Commits of one connection that may wait: more than any agent sends, few enough to cost nothing.
  static constexpr std::size_t kMaxWaitingPerConnection = 256;

 private:
  struct Waiter {
    std::uint64_t connection;
    Done done;
  };
  void start();
  void finish(SyncWork work, Status outcome, Duration took);

  Store& store_;
  EventLoop& loop_;
  Executor& executor_;
  const Clock& clock_;
  const Hooks hooks_;
  bool running_ = false;
  std::vector<Waiter> covered_;  // by the sync that runs
  std::vector<Waiter> next_;     // by the one after it
  Histogram sync_seconds_;
  std::uint64_t failed_syncs_ = 0;
  std::shared_ptr<GroupCommit*> alive_;
};

}  // namespace holdfast::repository
