// Time that passes only when a test says so, and a wall clock that may be wrong by any amount.
#pragma once

#include "common/base/check.h"
#include "common/ports/clock.h"

namespace holdfast::simulation {

class SimClock final : public Clock {
 public:
  // 2026-01-01T00:00:00Z.
  explicit SimClock(UnixTime wall = {1767225600ll * 1000000000}) : wall_(wall) {}

  Instant now() const override { return now_; }
  UnixTime wall() const override { return wall_; }

  void advance(Duration by) {
    check(by.count() >= 0, "the monotonic clock goes back");
    now_ = now_ + by;
    wall_.nanoseconds += by.count();
  }
  // As an operator or a broken clock does; the monotonic clock does not notice.
  void set_wall(UnixTime to) { wall_ = to; }

 private:
  Instant now_{1};
  UnixTime wall_;
};

}  // namespace holdfast::simulation
