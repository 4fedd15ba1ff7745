#include "tests/simulation/swarm_run.h"

#include <algorithm>

#include "tests/simulation/workload.h"

namespace holdfast::testing {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

// Of one operation, whatever faults it meets; of all that follows when they have stopped.
constexpr Duration kMostOfOperation = hours(12);
constexpr Duration kMostToConverge = hours(2);
constexpr std::size_t kMostOperations = 1'500;
constexpr unsigned kBackupsToConverge = 3;
constexpr std::size_t kRestoresAtTheEnd = 6;  // of each node
constexpr std::size_t kOperationsBetweenAudits = 10;

class SwarmRun {
 public:
  SwarmRun(const SwarmPlan& plan, Journal::Write write, bool with_messages)
      : plan_(plan),
        cluster_(plan.seed, plan.nodes, plan.write_quorum),
        model_(plan.nodes, plan.write_quorum),
        wire_(cluster_, model_, verdict_),
        auditor_(cluster_, model_, wire_, verdict_),
        journal_(cluster_.loop, std::move(write)),
        scene_{cluster_, model_, wire_, auditor_, verdict_, journal_},
        began_(cluster_.loop.now()),
        faults_(scene_, plan, [this](ClusterAgent& agent) { kill(agent); }) {
    if (with_messages) wire_.trace_to(&journal_);
    for (std::size_t i = 1; i < plan.agents; ++i)
      cluster_.add_agent("agent" + std::to_string(i),
                         i % 2 == 1 ? format::kAppend : format::kAppend | format::kRead);
    if (plan.has(Fault::kLyingAgent)) {
      // In a group of its own: within one, agents trust each other.
      ClusterAgent& liar = cluster_.add_agent("liar", format::kAppend, 1);
      wire_.distrust(liar.entry.id);
    }
  }

  SwarmOutcome run() {
    journal_.note("seed {}: {}", plan_.seed, plan_.describe());
    cluster_.network.set_faults({});
    perform(begin_charters(scene_));
    cluster_.network.set_faults(plan_.network);
    for (number_ = 0; !failed() && goes_on(); ++number_)
      if (!plan_.skipped.contains(number_)) perform_drawn();
    if (!failed()) converge();
    return outcome();
  }

 private:
  bool failed() const { return verdict_.violation().has_value(); }
  bool goes_on() const {
    if (plan_.steps) return number_ < *plan_.steps;
    return number_ < kMostOperations && (cluster_.loop.steps() < plan_.least_events ||
                                         cluster_.loop.now() - began_ < plan_.least_time);
  }

  void step() {
    cluster_.loop.step();
    faults_.after_event();
    auditor_.after_event();
    for (const auto& operation : running_)
      if (const std::size_t excess = operation->excess_bytes(wire_.largest_frame()); excess != 0)
        verdict_.violated("an-agent-keeps-to-the-window",
                          fmt::format("{} bytes beyond it are on their way", excess));
  }

  void kill(ClusterAgent& agent) {
    for (auto& operation : running_)
      if (operation->agent() == &agent) {
        journal_.note("{} is killed in the middle of something", agent.name);
        operation->abandon();
      }
    std::erase_if(running_, [&](const auto& operation) { return operation->agent() == &agent; });
  }

  void conclude_those_done() {
    std::vector<std::unique_ptr<Operation>> done;
    for (auto& operation : running_)
      if (operation->done() &&
          (operation->agent() == nullptr || operation->agent()->machine.pending_work() == 0))
        done.push_back(std::move(operation));
    std::erase(running_, nullptr);
    for (const auto& operation : done)
      if (!failed()) operation->conclude();
  }

  // Until all operations that run are done.
  void finish() {
    const Instant end = cluster_.loop.now() + kMostOfOperation;
    while (!failed()) {
      conclude_those_done();
      if (running_.empty() || failed()) return;
      const bool stuck = cluster_.loop.idle() || cluster_.loop.next_due() > end;
      verdict_.require(!stuck, "operations-end", [&] {
        return fmt::format("operation {} is not done after {} h", number_,
                           std::chrono::duration_cast<hours>(kMostOfOperation).count());
      });
      if (!stuck) step();
    }
  }

  void perform(std::unique_ptr<Operation> operation) {
    if (operation) running_.push_back(std::move(operation));
    finish();
  }

  void pass(Duration span) {
    const Instant end = cluster_.loop.now() + span;
    while (!failed() && cluster_.loop.now() < end) {
      if (cluster_.loop.idle() || cluster_.loop.next_due() > end)
        cluster_.loop.skip_to(end);
      else
        step();
    }
  }

  const OperationKind& draw_kind(Random& random) const {
    const auto& kinds = operation_kinds();
    std::uint64_t all = 0;
    for (const OperationKind& kind : kinds) all += kind.weight;
    std::uint64_t at = random.below(all);
    std::size_t i = 0;
    while (at >= kinds[i].weight) at -= kinds[i++].weight;
    return kinds[i];
  }

  // Each operation draws from a stream of its own, so that it stays the same whatever others do.
  void perform_drawn() {
    SeededRandom& random =
        streams_
            .emplace_back(std::make_unique<SeededRandom>(plan_.seed ^ (number_ + 1) * 0x9E3779B9U))
            .
            operator*();
    const std::size_t together = random.below(4) == 0 ? 2 : 1;
    for (std::size_t i = 0; i < together && !failed(); ++i) {
      const OperationKind& kind = draw_kind(random);
      auto operation = kind.begin(scene_, faults_, random);
      if (!operation) continue;
      journal_.note("operation {}: {}{}", number_, kind.name,
                    operation->agent() != nullptr ? " by " + operation->agent()->name : "");
      running_.push_back(std::move(operation));
    }
    finish();
    pass(minutes(random.below(20) == 0 ? random.below(6'000) : random.below(700)));
    if (number_ % kOperationsBetweenAudits == kOperationsBetweenAudits - 1)
      auditor_.audit_fully(random.below(plan_.nodes), 2);
  }

  void converge() {
    journal_.note("the faults stop");
    faults_.end();
    pass(minutes(1));
    const Instant began = cluster_.loop.now();
    if (!failed()) perform(begin_charters(scene_));
    for (const auto& agent : cluster_.agents) {
      if (failed() || wire_.distrusts(agent->entry.id) || !agent->may(format::kAppend)) continue;
      std::size_t committed = 0;
      for (unsigned i = 0; i < kBackupsToConverge && committed < plan_.nodes && !failed(); ++i)
        perform(begin_backup(scene_, *agent, &committed));
      if (!failed())
        verdict_.require(committed == plan_.nodes, "all-nodes-become-whole", [&] {
          return fmt::format(
              "{} backups of {} after the faults stopped, and {} of {} nodes have it",
              kBackupsToConverge, agent->name, committed, plan_.nodes);
        });
    }
    if (failed()) return;
    verdict_.require(cluster_.loop.now() - began < kMostToConverge,
                     "all-nodes-become-whole-in-time", [] { return "it took too long"; });
    perform(begin_verification(scene_, true));
    if (!failed()) perform(begin_repair(scene_));
    if (!failed()) require_all_whole();
    for (std::size_t i = 0; i < plan_.nodes && !failed(); ++i)
      auditor_.audit_fully(i, kRestoresAtTheEnd);
    auditor_.after_event();
    for (const KnownSnapshot* snapshot : model_.acknowledged())
      verdict_.require(!snapshot->good.empty(), "acknowledged-is-never-lost", [&] {
        return snapshot->manifest.id.short_hex() + " was acknowledged, and no node has it";
      });
  }

  // What some node has whole a repair brings to all.
  void require_all_whole() {
    for (const KnownSnapshot* snapshot : model_.acknowledged())
      for (std::size_t i = 0; i < plan_.nodes && !snapshot->good.empty(); ++i)
        verdict_.require(auditor_.lists(i, snapshot->manifest.id), "a-repair-makes-all-whole", [&] {
          return fmt::format("{} has not {} after a repair", cluster_.nodes[i]->name(),
                             snapshot->manifest.id.short_hex());
        });
  }

  SwarmOutcome outcome() const {
    SwarmOutcome outcome;
    outcome.seed = plan_.seed;
    outcome.events = cluster_.loop.steps();
    outcome.simulated = cluster_.loop.now() - began_;
    outcome.trace = cluster_.loop.trace();
    outcome.operations = number_;
    outcome.failed_at = number_;
    outcome.snapshots = model_.snapshots().size();
    outcome.acknowledged = model_.acknowledged().size();
    for (const auto& [fault, count] : faults_.counts())
      outcome.faults[std::string(name_of(fault))] = count;
    outcome.checks = verdict_.checks();
    outcome.violation = verdict_.violation();
    return outcome;
  }

  const SwarmPlan plan_;
  Cluster cluster_;
  ReferenceModel model_;
  Verdict verdict_;
  WireChecker wire_;
  NodeAuditor auditor_;
  Journal journal_;
  Scene scene_;
  const Instant began_;
  std::vector<std::unique_ptr<SeededRandom>> streams_;
  std::vector<std::unique_ptr<Operation>> running_;
  FaultInjector faults_;
  std::size_t number_ = 0;
};

}  // namespace

SwarmOutcome run_swarm(const SwarmPlan& plan, const std::function<void(const std::string&)>& write,
                       bool with_messages) {
  return SwarmRun(plan, write, with_messages).run();
}

}  // namespace holdfast::testing
