#include "repository/disk_probe.h"

#include <fmt/format.h>

namespace holdfast::repository {
namespace {

Error no_answer(Duration since) {
  return Error(Code::kTimedOut, fmt::format("the disk does not answer for {:.1f} s",
                                            std::chrono::duration<double>(since).count()));
}

}  // namespace

DiskProbeOptions probe_for_watchdog(Duration patience) { return {patience / 4, patience / 2}; }

DiskProbe::DiskProbe(Ports ports, DiskProbeOptions options, Action action, Hooks hooks)
    : ports_(ports),
      options_(options),
      action_(std::move(action)),
      hooks_(std::move(hooks)),
      alive_(std::make_shared<DiskProbe*>(this)) {}

DiskProbe::~DiskProbe() { ports_.loop.cancel(timer_); }

void DiskProbe::start() { tick(); }

void DiskProbe::tick() {
  if (!running_) {
    probe();
  } else if (const Duration since = ports_.clock.now() - begun_at_; since > options_.limit) {
    become(no_answer(since));
  }
  timer_ = ports_.loop.after(options_.interval, [this] { tick(); });
}

void DiskProbe::probe() {
  running_ = true;
  begun_at_ = ports_.clock.now();
  // The action is copied: this may be gone before it ends.
  ports_.executor.submit([action = action_, loop = &ports_.loop, clock = &ports_.clock,
                          alive = std::weak_ptr(alive_)] {
    const Instant begun = clock->now();
    auto outcome = action();
    const Duration took = clock->now() - begun;
    loop->post([outcome = std::move(outcome), took, alive]() mutable {
      if (const auto self = alive.lock()) (*self)->finish(std::move(outcome), took);
    });
  });
}

void DiskProbe::finish(Result<DiskSpace> outcome, Duration took) {
  running_ = false;
  took_ = took;
  if (outcome) space_ = *outcome;
  const bool in_time = took <= options_.limit;
  if (!in_time)
    become(no_answer(took));
  else
    become(outcome ? std::nullopt : std::optional(outcome.error()));
  if (in_time) hooks_.alive();
}

void DiskProbe::become(std::optional<Error> trouble) {
  const bool same = trouble.has_value() == trouble_.has_value() &&
                    (!trouble || trouble->code() == trouble_->code());
  trouble_ = std::move(trouble);
  if (!same) hooks_.changed(trouble_);
}

}  // namespace holdfast::repository
