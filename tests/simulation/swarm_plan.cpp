#include "tests/simulation/swarm_plan.h"

#include <fmt/format.h>

#include <array>

#include "common/format/charter.h"
#include "tests/testing/seeded_random.h"

namespace holdfast::testing {
namespace {

struct FaultTraits {
  std::string_view name;
  std::uint64_t every;  // events between two, where it is on at a middling rate
};

constexpr std::array<FaultTraits, kFaultCount> kTraits = {{
    {"loss", 1},
    {"repetition", 1},
    {"delay", 1},
    {"slow-link", 2'000},
    {"partition", 2'000},
    {"one-way-partition", 2'000},
    {"flapping", 3'000},
    {"crash", 800},
    {"torn-write", 800},
    {"bit-rot", 2'500},
    {"misdirected-read", 3'000},
    {"misdirected-write", 3'500},
    {"io-error", 1'000},
    {"disk-full", 2'000},
    {"failed-sync", 1'200},
    {"disk-emptied", 4'000},
    {"disk-rolled-back", 3'000},
    {"index-lost", 2'000},
    {"pause", 1'200},
    {"restart", 1'500},
    {"clock-jump", 2'000},
    {"agent-killed", 1'500},
    {"catalog-lost", 2'500},
    {"catalog-stale", 2'500},
    {"lying-agent", 1},
    {"lying-node", 3'500},
}};

// By default a majority; sometimes anything that a charter allows.
std::uint32_t draw_quorum(std::size_t nodes, Random& random) {
  if (random.below(3) != 0) return format::default_write_quorum(nodes);
  return static_cast<std::uint32_t>(1 + random.below(nodes));
}

}  // namespace

std::string_view name_of(Fault fault) { return kTraits[static_cast<std::size_t>(fault)].name; }

Result<std::set<Fault>> parse_faults(std::string_view names) {
  std::set<Fault> faults;
  while (!names.empty()) {
    const auto end = std::min(names.find(','), names.size());
    const std::string_view name = names.substr(0, end);
    names.remove_prefix(std::min(end + 1, names.size()));
    std::size_t i = 0;
    while (i < kFaultCount && kTraits[i].name != name) ++i;
    if (i == kFaultCount)
      return Error(Code::kInvalidArgument, fmt::format("{}: there is no such fault", name));
    faults.insert(static_cast<Fault>(i));
  }
  return faults;
}

std::string to_text(const std::set<Fault>& faults) {
  std::string text;
  for (const Fault fault : faults)
    text += fmt::format("{}{}", text.empty() ? "" : ",", name_of(fault));
  return text;
}

void SwarmPlan::keep_only(const std::set<Fault>& kept) {
  std::erase_if(faults, [&](const auto& fault) { return !kept.contains(fault.first); });
  if (!has(Fault::kLoss)) network.lost = 0;
  if (!has(Fault::kRepetition)) network.repeated = 0;
  if (!has(Fault::kDelay)) network.delayed = 0;
}

std::set<Fault> SwarmPlan::fault_set() const {
  std::set<Fault> all;
  for (const auto& [fault, every] : faults) all.insert(fault);
  return all;
}

std::string SwarmPlan::describe() const {
  return fmt::format("{} nodes, W {}, {} agents, faults: {}", nodes, write_quorum, agents,
                     faults.empty() ? "none" : to_text(fault_set()));
}

SwarmPlan draw_plan(std::uint64_t seed) {
  SeededRandom random(seed ^ 0x7377'6172'6D00'0001);
  SwarmPlan plan;
  plan.seed = seed;
  constexpr std::array<std::size_t, 10> kNodes = {1, 2, 2, 3, 3, 3, 3, 4, 5, 5};
  plan.nodes = kNodes[random.below(kNodes.size())];
  plan.write_quorum = draw_quorum(plan.nodes, random);
  plan.agents = 1 + random.below(3);
  // One seed in twenty meets nothing, so that what is wrong without any fault shows as such.
  const std::uint64_t density = random.below(20);
  for (std::size_t i = 0; i < kFaultCount; ++i) {
    const bool on = density != 0 && random.below(20) < 3 + density / 2;
    const std::uint64_t pace = 1 + random.below(8);  // 4 is middling
    if (on)
      plan.faults[static_cast<Fault>(i)] = std::max<std::uint64_t>(1, kTraits[i].every * pace / 4);
  }
  plan.network = {static_cast<unsigned>(1 + random.below(60)),
                  static_cast<unsigned>(1 + random.below(60)),
                  static_cast<unsigned>(1 + random.below(300)),
                  std::chrono::milliseconds(1 + random.below(1'500)),
                  std::chrono::microseconds(100 + random.below(20'000))};
  plan.keep_only(plan.fault_set());
  plan.least_time = std::chrono::hours(24 * (8 + static_cast<int>(random.below(12))));
  return plan;
}

}  // namespace holdfast::testing
