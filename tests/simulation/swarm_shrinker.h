// From a seed that fails to as few faults and operations as fail in the same way.
#pragma once

#include "tests/simulation/swarm_run.h"

namespace holdfast::testing {

struct ShrunkPlan {
  SwarmPlan plan;
  Violation violation;
};

// Leaves out faults and operations one after the other, and keeps what still breaks the same
// invariant when it is `run`. nullopt if the plan does not fail at all. `say` is told of each step.
std::optional<ShrunkPlan> shrink_plan(const SwarmPlan& plan,
                                      const std::function<SwarmOutcome(const SwarmPlan&)>& run,
                                      const std::function<void(const std::string&)>& say = {});

}  // namespace holdfast::testing
