// The kernel's random generator, getrandom(2). Stateless; any thread, also after fork().
#pragma once

#include "common/ports/random.h"

namespace holdfast {

class SystemRandom final : public Random {
 public:
  void fill(MutableByteView out) override;
};

}  // namespace holdfast
