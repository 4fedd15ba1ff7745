#include "agent/posix/scan_thread.h"

#include <pthread.h>

#include <utility>

namespace holdfast::agent {

ScanThread::ScanThread(SourceTree& tree, ScanQueueLimits limits) : tree_(tree), limits_(limits) {
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "holdfast-scan");
}

ScanThread::~ScanThread() {
  cancel();
  thread_.join();
}

void ScanThread::run() {
  Status scanned = tree_.scan([this](Entry&& entry) { return push(std::move(entry)); },
                              [this](ScanProblem&& problem) {
                                const std::lock_guard lock(mutex_);
                                problems_.push_back(std::move(problem));
                              });
  if (scanned) hand_over();
  const std::lock_guard lock(mutex_);
  if (!scanned) failure_ = std::move(scanned).error();
  ended_ = true;
  changed_.notify_all();
}

bool ScanThread::push(Entry&& entry) {
  batch_.push_back(std::move(entry));
  return batch_.size() < limits_.batch_entries || hand_over();
}

// Waits for room. False once nobody wants any more.
bool ScanThread::hand_over() {
  if (batch_.empty()) return true;
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return cancelled_ || queued_ < limits_.queued_entries; });
  if (cancelled_) return false;
  queued_ += batch_.size();
  queue_.push_back(std::exchange(batch_, {}));
  batch_.reserve(limits_.batch_entries);
  changed_.notify_all();
  return true;
}

Result<std::vector<Entry>> ScanThread::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return cancelled_ || ended_ || !queue_.empty(); });
  if (cancelled_) return Error(Code::kInterrupted, "the scan was stopped");
  if (queue_.empty()) {
    if (failure_) return *failure_;
    return std::vector<Entry>();
  }
  std::vector<Entry> batch = std::move(queue_.front());
  queue_.pop_front();
  queued_ -= batch.size();
  changed_.notify_all();
  return batch;
}

std::vector<ScanProblem> ScanThread::take_problems() {
  const std::lock_guard lock(mutex_);
  return std::exchange(problems_, {});
}

void ScanThread::cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  changed_.notify_all();
}

}  // namespace holdfast::agent
