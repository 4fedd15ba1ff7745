// How fast bytes may go, over everybody who asks the same limit: a token bucket. Its depth is what
// may go in a quarter of a second, and in any case one piece, however large: a frame is not cut, so
// that the one behind it waits for as long as this one would have taken.
//
// It only says when; whoever asks does the waiting, before anything is sent, so that no time limit
// of a request runs meanwhile.
#pragma once

#include <cstdint>

#include "common/ports/clock.h"

namespace holdfast::agent {

class RateLimit {
 public:
  // 0: no limit, and everything goes at once. `clock` outlives it.
  RateLimit(const Clock& clock, std::uint64_t bytes_per_second)
      : clock_(clock), bytes_per_second_(bytes_per_second), free_at_(clock.now()) {}

  bool limits() const { return bytes_per_second_ != 0; }
  // Takes the next turn for so many bytes: when they may go, not before now. Turns come in the
  // order of asking.
  Instant take(std::uint64_t bytes);
  // How long until a turn taken now would come.
  Duration delay() const;

 private:
  const Clock& clock_;
  const std::uint64_t bytes_per_second_;
  Instant free_at_;  // when all that was taken would have gone
};

}  // namespace holdfast::agent
