// What a run says of itself when it is replayed: one line for each thing that matters, with the
// time that has passed in the simulation. Nothing is made unless somebody reads it.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <string>

#include "tests/simulation/sim_loop.h"

namespace holdfast::testing {

class Journal {
 public:
  using Write = std::function<void(const std::string& line)>;
  Journal(const SimLoop& loop, Write write)
      : loop_(loop), began_(loop.now()), write_(std::move(write)) {}

  template <typename... Parts>
  void note(fmt::format_string<Parts...> format, Parts&&... parts) {
    if (!write_) return;
    const std::int64_t ms = (loop_.now() - began_).count() / 1'000'000;
    write_(fmt::format("[{}d {:02}:{:02}:{:02}.{:03}] {}", ms / 86'400'000, ms / 3'600'000 % 24,
                       ms / 60'000 % 60, ms / 1'000 % 60, ms % 1'000,
                       fmt::format(format, std::forward<Parts>(parts)...)));
  }

 private:
  const SimLoop& loop_;
  const Instant began_;
  const Write write_;
};

}  // namespace holdfast::testing
