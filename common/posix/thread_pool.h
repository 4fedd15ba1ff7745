// An Executor of a fixed number of threads and one queue. Work starts in the order of submission.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/ports/executor.h"

namespace holdfast {

class ThreadPool final : public Executor {
 public:
  // `threads` is at least 1. `name` (up to 15 bytes are kept) is what top(1) shows. The threads
  // block all signals, so that a signal is taken by the thread that expects it.
  explicit ThreadPool(unsigned threads, std::string name = "holdfast-work");
  // Drains: runs what was submitted, and what that submits in turn, to its end.
  ~ThreadPool() override;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // While the destructor runs, only from work of this pool.
  void submit(Task work) override;
  unsigned concurrency() const override { return static_cast<unsigned>(threads_.size()); }

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> queue_;  // guarded by mutex_, as the two below
  unsigned running_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace holdfast
