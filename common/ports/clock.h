// Time as the cores see it. Two clocks that are never mixed: one that only goes forward and
// measures spans, one that says what time people think it is and may jump.
#pragma once

#include <chrono>
#include <cstdint>

namespace holdfast {

using Duration = std::chrono::nanoseconds;

// A point of the monotonic clock; only differences mean anything, only within one process.
struct Instant {
  std::int64_t nanoseconds = 0;
  friend auto operator<=>(const Instant&, const Instant&) = default;
  friend Instant operator+(Instant at, Duration by) { return {at.nanoseconds + by.count()}; }
  friend Duration operator-(Instant a, Instant b) {
    return Duration(a.nanoseconds - b.nanoseconds);
  }
};

// Nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted. Claimed, never trusted for
// safety.
struct UnixTime {
  std::int64_t nanoseconds = 0;
  friend auto operator<=>(const UnixTime&, const UnixTime&) = default;
};

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
  virtual UnixTime wall() const = 0;
};

}  // namespace holdfast
