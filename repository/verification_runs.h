// Verifications as readers ask for them: a run advances only while it is asked about, a bounded
// piece each time, and its result is kept so that a lost reply can be asked for again.
//
// A store goes through its segments with one cursor, so the runs of a repository take turns: one is
// active, others answer with what they have (nothing yet) until it is done or was not asked about
// for kTurn. A run that lost its turn begins anew when it gets the next.
#pragma once

#include <list>
#include <optional>

#include "common/ports/clock.h"
#include "common/ports/transport.h"
#include "common/wire/message.h"
#include "repository/store/store.h"

namespace holdfast::repository {

// Loop thread only.
class VerificationRuns {
 public:
  static constexpr std::size_t kMaxRuns = 8;  // kept; then the least recently asked about goes
  static constexpr Duration kSlice = std::chrono::milliseconds(50);  // of work per request
  static constexpr unsigned kMaxStepsPerSlice = 64;                  // where the clock stands still
  static constexpr Duration kTurn = std::chrono::seconds(30);
  // Ids and sentences kept of one run.
  static constexpr std::size_t kMaxDamaged = wire::kMaxDamagedPerReply;
  static constexpr std::size_t kMaxProblems = wire::kMaxProblemsPerReply;
  static constexpr std::size_t kMaxProblemSize = 512;  // bytes

  struct Key {
    CurveKey asker{};
    std::uint64_t run = 0;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  // Of a run so far; `damaged` and `problems` hold all that was found.
  struct Report {
    VerifyProgress figures;
    std::uint64_t steps = 0;
  };

  VerificationRuns(Store& store, const Clock& clock) : store_(store), clock_(clock) {}

  // Advances the run, which begins now if its key is new. The report is valid until the next call.
  // kInvalidArgument if a run is asked about with another depth than it began with; what the store
  // says, after which the run is forgotten.
  Result<const Report*> advance(const Key& key, const VerifyDepth& depth,
                                const Store::AgentKeys& keys);

  // Objects that were newly found to be damaged, by all runs.
  std::uint64_t damage_found() const { return damage_found_; }

 private:
  struct Run {
    Key key;
    VerifyDepth depth;
    Report report;
    Instant asked_at;
  };
  Run& find_or_begin(const Key& key, const VerifyDepth& depth);
  bool takes_turn(const Run& run);
  Status step(Run& run, const Store::AgentKeys& keys);

  Store& store_;
  const Clock& clock_;
  std::list<Run> runs_;          // most recently asked about first
  const Run* active_ = nullptr;  // whose cursor the store has
  std::uint64_t damage_found_ = 0;
};

}  // namespace holdfast::repository
