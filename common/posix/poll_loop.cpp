// One turn of the loop: timers that are due, the tasks posted before the turn, then the
// descriptors. Each takes only what was there when it began, so that none starves the others.
#include "common/posix/poll_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

namespace holdfast {
namespace {

constexpr WatchId kWakeId = 0;

void add_to_epoll(int epoll, int fd, WatchId id) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = id;
  check(::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl cannot add a descriptor");
}

}  // namespace

PollLoop::PollLoop()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  check(epoll_ && wake_, "no descriptors for an event loop");
  add_to_epoll(epoll_.get(), wake_.get(), kWakeId);
}

PollLoop::~PollLoop() {
  check(runner_.load() == std::thread::id(), "an event loop destroyed while it runs");
  // A task may own what posts, or cancels timers, when it is destroyed: take them out piece by
  // piece.
  for (bool more = true; more;) {
    std::vector<Task> posted;
    {
      const std::lock_guard lock(mutex_);
      posted.swap(posted_);
    }
    auto timers = std::move(timers_);
    timers_.clear();
    more = !posted.empty() || !timers.empty();
  }
}

void PollLoop::run() {
  std::thread::id nobody;
  check(runner_.compare_exchange_strong(nobody, std::this_thread::get_id()),
        "two threads in one event loop");
  while (!stop_.load()) {
    run_timers();
    if (!stop_.load()) run_posted();
    if (!stop_.load()) wait_for_events();
  }
  stop_.store(false);
  runner_.store(std::thread::id());
}

void PollLoop::stop() {
  stop_.store(true);
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then the loop is awake anyway.
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
}

void PollLoop::post(Task task) {
  check(static_cast<bool>(task), "an empty Task was posted");
  bool was_empty;
  {
    const std::lock_guard lock(mutex_);
    was_empty = posted_.empty();
    posted_.push_back(std::move(task));
  }
  // The loop itself looks at the queue before it waits; others need to wake it, once a batch.
  if (was_empty && !on_loop_thread()) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
  }
}

TimerId PollLoop::after(Duration delay, Task task) {
  check_thread();
  check(static_cast<bool>(task), "a timer without a task");
  const Instant now = clock_.now();
  const std::int64_t room = std::numeric_limits<std::int64_t>::max() - now.nanoseconds;
  const Instant at = now + Duration(std::clamp<std::int64_t>(delay.count(), 0, room));
  const TimerId id = next_timer_++;
  timers_.emplace(std::pair(at, id), std::move(task));
  due_.emplace(id, at);
  return id;
}

void PollLoop::cancel(TimerId timer) {
  check_thread();
  const auto found = due_.find(timer);
  if (found == due_.end()) return;
  // The task is destroyed last: it may own what calls back into the loop.
  const auto node = timers_.extract(std::pair(found->second, timer));
  due_.erase(found);
}

WatchId PollLoop::watch(int fd, std::function<void()> on_readable) {
  check_thread();
  const WatchId id = next_watch_++;
  watches_.emplace(id, Watch{fd, std::make_shared<std::function<void()>>(std::move(on_readable))});
  add_to_epoll(epoll_.get(), fd, id);
  return id;
}

void PollLoop::unwatch(WatchId watch) {
  check_thread();
  const auto found = watches_.find(watch);
  check(found != watches_.end(), "a watch that does not exist was ended");
  check(::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second.fd, nullptr) == 0,
        "a descriptor was closed while it was watched");
  const auto node = watches_.extract(found);
}

void PollLoop::check_thread() const {
  const std::thread::id runner = runner_.load();
  check(runner == std::this_thread::get_id() || runner == std::thread::id(),
        "a call outside of the loop's thread");
}

void PollLoop::run_timers() {
  if (timers_.empty()) return;
  const Instant now = clock_.now();
  const TimerId newer = next_timer_;
  auto at = timers_.begin();
  while (at != timers_.end() && at->first.first <= now && !stop_.load()) {
    if (at->first.second >= newer) {  // made in this turn: its turn is the next
      ++at;
      continue;
    }
    auto node = timers_.extract(at);
    due_.erase(node.key().second);
    node.mapped()();
    at = timers_.begin();  // the task may have changed any other
  }
}

void PollLoop::run_posted() {
  std::vector<Task> batch;
  {
    const std::lock_guard lock(mutex_);
    batch.swap(posted_);
  }
  for (std::size_t i = 0; i < batch.size(); ++i) {
    batch[i]();
    if (stop_.load()) {  // what is left stays in front of what came since
      const std::lock_guard lock(mutex_);
      posted_.insert(posted_.begin(),
                     std::make_move_iterator(batch.begin() + static_cast<std::ptrdiff_t>(i) + 1),
                     std::make_move_iterator(batch.end()));
      return;
    }
  }
}

int PollLoop::milliseconds_to_wait() {
  {
    const std::lock_guard lock(mutex_);
    if (!posted_.empty()) return 0;
  }
  if (timers_.empty()) return -1;
  const std::int64_t wait = (timers_.begin()->first.first - clock_.now()).count();
  if (wait <= 0) return 0;
  constexpr std::int64_t kDay = 86'400'000;
  return static_cast<int>(std::min(kDay, wait / 1'000'000 + 1));
}

void PollLoop::wait_for_events() {
  std::array<epoll_event, 64> events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                 milliseconds_to_wait());
  check(count >= 0 || errno == EINTR, "epoll_wait failed");
  for (int i = 0; i < count && !stop_.load(); ++i) {
    const WatchId id = events[static_cast<std::size_t>(i)].data.u64;
    if (id == kWakeId) {
      std::uint64_t times;
      [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &times, sizeof times);
      continue;
    }
    const auto found = watches_.find(id);
    if (found == watches_.end()) continue;  // ended by a callback of this turn
    const auto callback = found->second.on_readable;
    (*callback)();
  }
}

}  // namespace holdfast
