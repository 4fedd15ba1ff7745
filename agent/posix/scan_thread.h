// A scan on a thread of its own, as the stream that a backup pulls: it runs ahead as far as its
// queue reaches, also while the backup does not pull yet.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "agent/entry_stream.h"

namespace holdfast::agent {

struct ScanQueueLimits {
  std::size_t batch_entries = 256;
  // Scanned and not yet pulled, about 400 bytes each. Reached while a passphrase is stretched.
  std::size_t queued_entries = 64 * 1024;
};

class ScanThread final : public EntryStream {
 public:
  // Begins to scan. `tree` outlives it.
  explicit ScanThread(SourceTree& tree, ScanQueueLimits limits = {});
  // cancel(), and waits for the thread.
  ~ScanThread() override;
  ScanThread(const ScanThread&) = delete;
  ScanThread& operator=(const ScanThread&) = delete;

  Result<std::vector<Entry>> next() override;
  std::vector<ScanProblem> take_problems() override;
  // Ends the scan; next() fails with kInterrupted from now on. From any thread.
  void cancel();

 private:
  void run();
  bool push(Entry&& entry);
  bool hand_over();

  SourceTree& tree_;
  const ScanQueueLimits limits_;
  std::vector<Entry> batch_;  // of the scanning thread

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::vector<Entry>> queue_;  // guarded by mutex_, as all below
  std::size_t queued_ = 0;                // entries
  std::vector<ScanProblem> problems_;
  std::optional<Error> failure_;
  bool ended_ = false, cancelled_ = false;

  std::thread thread_;
};

}  // namespace holdfast::agent
