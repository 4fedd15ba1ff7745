// CLOCK_MONOTONIC and CLOCK_REALTIME. Stateless; any thread.
#pragma once

#include "common/ports/clock.h"

namespace holdfast {

class SystemClock final : public Clock {
 public:
  Instant now() const override;
  UnixTime wall() const override;
};

}  // namespace holdfast
