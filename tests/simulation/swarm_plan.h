// What one seed does: how large its cluster is, which faults it meets and how often. Each seed
// draws a subset of all faults (swarm testing: Groce et al., ISSTA 2012), since faults that are
// always on hide what only some of them together bring about.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "tests/simulation/sim_network.h"

namespace holdfast::testing {

enum class Fault : std::uint8_t {
  kLoss,
  kRepetition,
  kDelay,
  kSlowLink,
  kPartition,
  kOneWayPartition,
  kFlapping,
  kCrash,
  kTornWrite,
  kBitRot,
  kMisdirectedRead,
  kMisdirectedWrite,
  kIoError,
  kDiskFull,
  kFailedSync,
  kDiskEmptied,
  kDiskRolledBack,
  kIndexLost,
  kPause,
  kRestart,
  kClockJump,
  kAgentKilled,
  kCatalogLost,
  kCatalogStale,
  kLyingAgent,
  kLyingNode,
};
constexpr std::size_t kFaultCount = 26;

std::string_view name_of(Fault fault);
// A list of names with commas; kInvalidArgument names the one that is not a fault.
Result<std::set<Fault>> parse_faults(std::string_view names);
std::string to_text(const std::set<Fault>& faults);

struct SwarmPlan {
  std::uint64_t seed = 0;
  std::size_t nodes = 3;
  std::uint32_t write_quorum = 2;
  std::size_t agents = 1;
  std::map<Fault, std::uint64_t> faults;  // and how many events lie between two, on average
  NetworkFaults network;                  // those that are always there
  // It goes on until both are reached, or until `steps` operations are done.
  std::uint64_t least_events = 20'000;
  Duration least_time = std::chrono::hours(24 * 10);
  std::optional<std::size_t> steps = {};
  std::set<std::size_t> skipped = {};  // operations that are left out, by number

  bool has(Fault fault) const { return faults.contains(fault); }
  // Leaves out every other fault. What remains is drawn as before.
  void keep_only(const std::set<Fault>& kept);
  std::set<Fault> fault_set() const;
  std::string describe() const;
};

SwarmPlan draw_plan(std::uint64_t seed);

}  // namespace holdfast::testing
