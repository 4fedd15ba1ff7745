#include "agent/rate_limit.h"

#include <algorithm>

namespace holdfast::agent {
namespace {

// What was not used for so long is lost. It makes up for timers that are late.
constexpr Duration kDepth = std::chrono::milliseconds(250);

}  // namespace

Instant RateLimit::take(std::uint64_t bytes) {
  const Instant now = clock_.now();
  if (!limits()) return now;
  const Instant turn = std::max(free_at_, now + -kDepth);
  const double seconds = static_cast<double>(bytes) / static_cast<double>(bytes_per_second_);
  free_at_ = turn + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
  return std::max(turn, now);
}

Duration RateLimit::delay() const {
  return limits() ? std::max(free_at_ - clock_.now(), Duration(0)) : Duration(0);
}

}  // namespace holdfast::agent
