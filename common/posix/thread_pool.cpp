#include "common/posix/thread_pool.h"

#include <pthread.h>
#include <signal.h>

namespace holdfast {

ThreadPool::ThreadPool(unsigned threads, std::string name) {
  check(threads >= 1, "a ThreadPool without threads");
  name.resize(std::min<std::size_t>(name.size(), 15));
  // A new thread inherits the mask of the one that makes it.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  threads_.reserve(threads);
  for (unsigned i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { run(); });
    pthread_setname_np(threads_.back().native_handle(), name.c_str());
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::submit(Task work) {
  check(static_cast<bool>(work), "an empty Task was submitted");
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
  }
  changed_.notify_one();
}

void ThreadPool::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    // A piece of work that still runs may submit more, so an empty queue alone is not the end.
    changed_.wait(lock, [this] { return !queue_.empty() || (stopping_ && running_ == 0); });
    if (queue_.empty()) return;
    Task work = std::move(queue_.front());
    queue_.pop_front();
    ++running_;
    lock.unlock();
    work();
    lock.lock();
    if (--running_ == 0 && stopping_ && queue_.empty()) changed_.notify_all();
  }
}

}  // namespace holdfast
