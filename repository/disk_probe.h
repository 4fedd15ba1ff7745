// Whether the disk still answers: every so often something small is written and synced, and how
// that goes decides whether the node may say that it is alive. A disk that hangs hangs whoever
// waits for it, so the probe runs on an executor and the loop only looks at the time.
//
// A disk that answers with an error in time is unwell, and said to be, but the node is alive: it
// refuses writes and goes on reading, which starting it again would not better. Only no answer in
// time is no sign of life.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "common/base/result.h"
#include "common/ports/executor.h"

namespace holdfast::repository {

struct DiskSpace {
  std::uint64_t free = 0, total = 0;  // bytes
};

struct DiskProbeOptions {
  Duration interval = std::chrono::seconds(10);  // between an answer and the next probe, or less
  Duration limit = std::chrono::seconds(30);     // for an answer
};

// So that a watchdog which ends the process after `patience` hears of every probe that is answered
// within half of it, and of nothing else: a disk or a loop that hangs longer is a reason to end.
DiskProbeOptions probe_for_watchdog(Duration patience);

// Loop thread only. May be destroyed while a probe is under way; what the action uses may not.
class DiskProbe {
 public:
  // Writes, syncs and measures. Runs on the executor, one at a time.
  using Action = std::function<Result<DiskSpace>()>;
  struct Hooks {
    // There was an answer within the limit.
    std::function<void()> alive;
    // It is unwell, for this reason; nullopt: it is well again.
    std::function<void(const std::optional<Error>&)> changed;
  };
  // An executor of its own: behind a sync that takes long a probe would seem to hang. The clock is
  // also asked by the executor.
  struct Ports {
    EventLoop& loop;
    Executor& executor;
    const Clock& clock;
  };

  DiskProbe(Ports ports, DiskProbeOptions options, Action action, Hooks hooks);
  ~DiskProbe();
  DiskProbe(const DiskProbe&) = delete;
  DiskProbe& operator=(const DiskProbe&) = delete;

  // The first at once.
  void start();

  // Why it is unwell: what the last probe said, or kTimedOut. Well before the first answer.
  const std::optional<Error>& trouble() const { return trouble_; }
  // As of the last probe that succeeded.
  const std::optional<DiskSpace>& space() const { return space_; }
  // How long the last probe took that ended.
  const std::optional<Duration>& took() const { return took_; }

 private:
  void tick();
  void probe();
  void finish(Result<DiskSpace> outcome, Duration took);
  void become(std::optional<Error> trouble);

  const Ports ports_;
  const DiskProbeOptions options_;
  const Action action_;
  const Hooks hooks_;
  TimerId timer_ = 0;
  bool running_ = false;  // a probe
  Instant begun_at_;
  std::optional<Error> trouble_;
  std::optional<DiskSpace> space_;
  std::optional<Duration> took_;
  std::shared_ptr<DiskProbe*> alive_;
};

}  // namespace holdfast::repository
