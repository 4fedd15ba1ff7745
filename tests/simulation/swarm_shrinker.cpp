// Greedy: what was once left out stays out. Operations behind the failure go first, since they cost
// nothing to find; then faults, of which there are few; then operations, in halves before one by
// one.
#include "tests/simulation/swarm_shrinker.h"

#include <fmt/format.h>

namespace holdfast::testing {
namespace {

class Shrinker {
 public:
  Shrinker(SwarmPlan plan, Violation violation,
           const std::function<SwarmOutcome(const SwarmPlan&)>& run,
           const std::function<void(const std::string&)>& say)
      : best_{std::move(plan), std::move(violation)}, run_(run), say_(say) {}

  bool try_plan(const SwarmPlan& plan) {
    const SwarmOutcome outcome = run_(plan);
    if (!outcome.violation || outcome.violation->invariant != best_.violation.invariant)
      return false;
    best_ = {plan, *outcome.violation};
    if (!best_.plan.steps || outcome.failed_at + 1 < *best_.plan.steps)
      best_.plan.steps = outcome.failed_at + 1;
    if (say_)
      say_(fmt::format("still fails with {} faults and {} operations", best_.plan.faults.size(),
                       *best_.plan.steps - best_.plan.skipped.size()));
    return true;
  }

  void drop_faults() {
    for (const Fault fault : best_.plan.fault_set()) {
      std::set<Fault> kept = best_.plan.fault_set();
      kept.erase(fault);
      SwarmPlan plan = best_.plan;
      plan.keep_only(kept);
      try_plan(plan);
    }
  }

  void drop_operations() {
    for (std::size_t length = *best_.plan.steps / 2; length > 0; length /= 2)
      for (std::size_t from = 0; from < *best_.plan.steps; from += length) {
        SwarmPlan plan = best_.plan;
        for (std::size_t i = from; i < std::min(from + length, *plan.steps); ++i)
          plan.skipped.insert(i);
        if (plan.skipped.size() != best_.plan.skipped.size()) try_plan(plan);
      }
    std::erase_if(best_.plan.skipped, [&](std::size_t i) { return i >= *best_.plan.steps; });
  }

  const ShrunkPlan& best() const { return best_; }

 private:
  ShrunkPlan best_;
  const std::function<SwarmOutcome(const SwarmPlan&)>& run_;
  const std::function<void(const std::string&)>& say_;
};

}  // namespace

std::optional<ShrunkPlan> shrink_plan(const SwarmPlan& plan,
                                      const std::function<SwarmOutcome(const SwarmPlan&)>& run,
                                      const std::function<void(const std::string&)>& say) {
  const SwarmOutcome first = run(plan);
  if (!first.violation) return std::nullopt;
  SwarmPlan shorter = plan;
  shorter.steps = first.failed_at + 1;
  Shrinker shrinker(plan, *first.violation, run, say);
  if (!shrinker.try_plan(shorter)) return ShrunkPlan{plan, *first.violation};
  shrinker.drop_faults();
  shrinker.drop_operations();
  shrinker.drop_faults();
  return shrinker.best();
}

}  // namespace holdfast::testing
