// One seed from its beginning to its end: operations while faults go on, everything checked after
// every event; then the faults stop, and within a bound of simulated time all must be whole.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "tests/simulation/reference_model.h"
#include "tests/simulation/swarm_plan.h"

namespace holdfast::testing {

struct SwarmOutcome {
  std::uint64_t seed = 0;
  std::uint64_t events = 0;
  Duration simulated{0};
  std::uint64_t trace = 0;  // a hash over every event
  std::size_t operations = 0;
  std::uint64_t snapshots = 0, acknowledged = 0;
  std::map<std::string, std::uint64_t> faults;  // by name
  std::map<std::string, std::uint64_t> checks;  // by invariant
  std::optional<Violation> violation;
  std::size_t failed_at = 0;  // the operation during which it was found
};

// `write` is given the lines of the journal; none: nobody reads it.
SwarmOutcome run_swarm(const SwarmPlan& plan,
                       const std::function<void(const std::string&)>& write = {},
                       bool with_messages = false);

}  // namespace holdfast::testing
