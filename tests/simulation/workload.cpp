#include "tests/simulation/workload.h"

#include <algorithm>

#include "tests/simulation/lying_agent.h"

namespace holdfast::testing {
namespace {

// ---- backups

class BackupOperation final : public Operation {
 public:
  BackupOperation(Scene& scene, ClusterAgent& agent, std::size_t* committed)
      : Operation(&agent),
        scene_(scene),
        run_(scene.cluster.begin_backup(agent)),
        committed_(committed) {
    scene.wire.backup_begins(agent.entry.id, run_->contents());
  }
  bool done() const override { return run_->done(); }
  std::size_t excess_bytes(std::size_t largest_frame) const override {
    return run_->excess_bytes(largest_frame);
  }

  void abandon() override { scene_.wire.backup_ends(agent()->entry.id); }
  void conclude() override {
    abandon();
    const auto& result = run_->result();
    if (committed_ != nullptr) *committed_ = result ? result->committed : 0;
    if (!result) {
      scene_.journal.note("backup of {} failed: {}", agent()->name, result.error().message());
      return;
    }
    scene_.journal.note("backup of {} is {} ({}), on {} nodes", agent()->name,
                        result->manifest->id.short_hex(), result->manifest->manifest.sequence,
                        result->committed);
    KnownSnapshot* snapshot = scene_.model.find(result->manifest->id);
    const std::size_t acks = snapshot == nullptr ? 0 : snapshot->acks.size();
    scene_.verdict.require(
        acks >= scene_.model.write_quorum(), "success-takes-W-acknowledgements", [&] {
          return fmt::format("{} reports {} with {} of {} acknowledgements", agent()->name,
                             result->manifest->id.short_hex(), acks, scene_.model.write_quorum());
        });
    if (snapshot == nullptr) return;
    scene_.verdict.require(!snapshot->good.empty(), "acknowledged-is-never-lost", [&] {
      return snapshot->manifest.id.short_hex() + " is acknowledged and no node has it";
    });
    snapshot->acknowledged = true;
  }

 private:
  Scene& scene_;
  std::unique_ptr<BackupRun> run_;
  std::size_t* committed_;
};

std::vector<ClusterAgent*> agents_with(Scene& scene, std::uint32_t role) {
  std::vector<ClusterAgent*> all;
  for (const auto& agent : scene.cluster.agents)
    if (agent->may(role) && !scene.wire.distrusts(agent->entry.id)) all.push_back(agent.get());
  return all;
}

// Null if the one drawn is busy.
ClusterAgent* draw_agent(Scene& scene, std::uint32_t role, Random& random) {
  const auto able = agents_with(scene, role);  // the owner at least
  ClusterAgent* agent = able[random.below(able.size())];
  return agent->busy ? nullptr : agent;
}

std::unique_ptr<Operation> draw_backup(Scene& scene, FaultInjector&, Random& random) {
  ClusterAgent* agent = draw_agent(scene, format::kAppend, random);
  if (agent == nullptr) return nullptr;
  change_source(*agent, random.below(8), random);
  return begin_backup(scene, *agent);
}

// ---- restores

class RestoreOperation final : public Operation {
 public:
  RestoreOperation(Scene& scene, ClusterAgent& agent, const KnownSnapshot& snapshot)
      : Operation(&agent), scene_(scene) {
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < scene.cluster.nodes.size(); ++i) all.push_back(i);
    run_ = scene.cluster.begin_restore(agent, snapshot.manifest, all);
  }
  bool done() const override { return run_->done(); }
  void conclude() override {
    const KnownSnapshot& snapshot = *scene_.model.find(run_->snapshot().id);
    scene_.auditor.compare(run_->files(), snapshot, agent()->name);
    scene_.verdict.require(!run_->outcome() || run_->files().size() == snapshot.contents->size(),
                           "a-restore-says-what-is-missing", [&] {
                             return fmt::format("{} files of {} came and nothing was said",
                                                run_->files().size(), snapshot.contents->size());
                           });
    scene_.journal.note("restore of {} by {}: {}", snapshot.manifest.id.short_hex(), agent()->name,
                        run_->outcome() ? "all" : run_->outcome().error().message());
  }

 private:
  Scene& scene_;
  std::unique_ptr<RestoreRun> run_;
};

std::unique_ptr<Operation> draw_restore(Scene& scene, FaultInjector&, Random& random) {
  ClusterAgent* agent = draw_agent(scene, format::kRead, random);
  const auto all = scene.model.acknowledged();
  if (agent == nullptr || all.empty()) return nullptr;
  // Mostly the newest, sometimes an older point.
  const std::size_t back = random.below(2) == 0 ? 0 : random.below(all.size());
  return std::make_unique<RestoreOperation>(scene, *agent, *all[all.size() - 1 - back]);
}

// ---- listings, with what was seen before

class ListingOperation final : public Operation {
 public:
  ListingOperation(Scene& scene, ClusterAgent& agent)
      : Operation(&agent),
        scene_(scene),
        losses_(scene.model.losses()),
        run_(std::make_unique<ListingRun>(scene.cluster.ports(agent), scene.cluster.dialer(agent),
                                          scene.cluster.charter(), agent.reader)) {}
  bool done() const override { return run_->done(); }
  void conclude() override {
    const agent::SnapshotList& list = run_->list();
    for (const agent::Snapshot& snapshot : list.snapshots)
      scene_.verdict.require(scene_.model.knows(snapshot.id()) ||
                                 scene_.wire.distrusts(snapshot.manifest.manifest.agent),
                             "nothing-listed-that-was-not-committed",
                             [&] { return snapshot.id().short_hex() + " is listed to a reader"; });
    const auto warnings = agent()->heads.compare(list);
    check_rollback(list, warnings);
    agent()->heads.advance(list);
    scene_.journal.note("{} lists {} snapshots, {} nodes unreachable, {} warnings", agent()->name,
                        list.snapshots.size(), list.unreachable.size(),
                        list.warnings.size() + warnings.size());
  }

 private:
  using Kind = agent::SnapshotWarning::Kind;
  // Said exactly where nobody lists what was seen, nor anything later.
  void check_rollback(const agent::SnapshotList& list,
                      const std::vector<agent::SnapshotWarning>& warnings) {
    if (list.unreachable.size() == list.nodes.size()) return;
    bool missing = false;
    for (const auto& [who, head] : agent()->heads.heads()) {
      std::uint64_t newest = 0;
      for (const agent::Snapshot& snapshot : list.snapshots)
        if (snapshot.manifest.manifest.agent == who)
          newest = std::max(newest, snapshot.manifest.manifest.sequence);
      missing = missing || newest < head.sequence;
    }
    const bool warned = std::any_of(warnings.begin(), warnings.end(), [](const auto& warning) {
      return warning.kind == Kind::kRollback;
    });
    scene_.verdict.require(missing == warned, "a-rollback-is-noticed", [&] {
      return agent()->name + (missing ? " is not warned of a rollback" : " is warned in vain");
    });
    const bool all_answer = list.unreachable.empty() && losses_ == 0;
    for (const agent::SnapshotWarning& warning : list.warnings)
      scene_.verdict.require(
          !(all_answer && scene_.model.losses() == 0 && warning.kind == Kind::kForged),
          "no-false-alarm", [&] { return "without any lie: " + warning.message; });
  }

  Scene& scene_;
  std::uint64_t losses_;
  std::unique_ptr<ListingRun> run_;
};

std::unique_ptr<Operation> draw_listing(Scene& scene, FaultInjector&, Random& random) {
  ClusterAgent* agent = draw_agent(scene, format::kRead, random);
  if (agent == nullptr) return nullptr;
  return std::make_unique<ListingOperation>(scene, *agent);
}

// ---- verifications

class VerifyOperation final : public Operation {
 public:
  VerifyOperation(Scene& scene, ClusterAgent& agent, bool read_data)
      : Operation(&agent), scene_(scene) {
    for (std::size_t i = 0; i < scene.cluster.nodes.size(); ++i)
      before_.push_back({scene.model.harms(i), scene.cluster.nodes[i]->disk().faults()});
    run_ = std::make_unique<VerifyRun>(scene.cluster.ports(agent), scene.cluster.dialer(agent),
                                       scene.cluster.charter(), agent.reader, read_data);
  }
  bool done() const override { return run_->done(); }
  void conclude() override {
    for (std::size_t i = 0; i < before_.size(); ++i) judge(i, run_->result().nodes[i]);
  }

 private:
  struct Before {
    std::uint64_t harms, faults;
  };

  void judge(std::size_t i, const agent::NodeVerdict& said) {
    ClusterNode& node = *scene_.cluster.nodes[i];
    const bool steady = scene_.model.harms(i) == before_[i].harms &&
                        node.disk().faults() == before_[i].faults && !node.lies() &&
                        !node.disk().misdirects();
    scene_.journal.note("verification of {}: {}", node.name(), describe(said));
    if (!steady || !said.done || said.failure) return;
    // What was not harmed is not called damaged. What a lying agent put there has no content.
    const bool poisoned = scene_.wire.distrusts_any();
    if (!scene_.model.scarred(i) && !scene_.model.torn(i))
      scene_.verdict.require(
          said.problems.empty() && (said.finding_count == 0 || poisoned), "no-false-alarm",
          [&] { return node.name() + " is whole, and it says: " + describe(said); });
    if (!run_->reads_data()) return;
    // It has read all of its bytes: what it lists from now on is there.
    scene_.model.trust(i);
    scene_.auditor.suspect(i);
    if (said.is_clean()) expect_clean(i);
  }

  // Zero false "clean": snapshots that the node calls complete are restored from it alone; of a
  // disk that was never damaged, one.
  void expect_clean(std::size_t i) {
    std::size_t most = scene_.model.scarred(i) ? 10 : 1;
    for (const auto& [id, snapshot] : scene_.model.snapshots()) {
      if (most == 0) return;
      if (!scene_.auditor.lists(i, id)) continue;
      --most;
      const Status restored = scene_.auditor.restore(i, snapshot);
      scene_.verdict.require(restored.has_value(), "no-false-clean", [&] {
        return fmt::format("{} is called clean, and does not give {}: {}",
                           scene_.cluster.nodes[i]->name(), id.short_hex(),
                           restored.error().message());
      });
    }
  }

  static std::string describe(const agent::NodeVerdict& said) {
    if (said.failure) return "failed: " + said.failure->message();
    if (said.is_clean()) return "clean";
    if (!said.problems.empty()) return said.problems.front();
    return fmt::format("{} findings{}, {} incomplete", said.finding_count,
                       said.findings.empty() ? "" : " (" + said.findings.front().problem + ")",
                       said.incomplete.size());
  }

  Scene& scene_;
  std::vector<Before> before_;
  std::unique_ptr<VerifyRun> run_;
};

std::unique_ptr<Operation> draw_verification(Scene& scene, FaultInjector&, Random& random) {
  ClusterAgent* agent = draw_agent(scene, format::kRead, random);
  if (agent == nullptr) return nullptr;
  return std::make_unique<VerifyOperation>(scene, *agent, random.below(3) != 0);
}

// ---- repairs

class RepairOperation final : public Operation {
 public:
  RepairOperation(Scene& scene, ClusterAgent& agent)
      : Operation(&agent), scene_(scene), run_(scene.cluster.begin_repair(agent)) {}
  bool done() const override { return run_->done(); }
  std::size_t excess_bytes(std::size_t largest_frame) const override {
    return run_->excess_bytes(largest_frame);
  }
  void conclude() override {
    for (const auto& [i, report] : run_->reports()) {
      for (const auto& failure : report.failed)
        scene_.journal.note("{} gets no {}: {}", scene_.cluster.nodes[i]->name(),
                            failure.snapshot.short_hex(), failure.reason.message());
      scene_.journal.note("repair of {} by {}: {} snapshots, {} failed{}",
                          scene_.cluster.nodes[i]->name(), agent()->name, report.completed.size(),
                          report.failed.size(),
                          report.ended ? ", ended: " + report.ended->message() : std::string());
    }
  }

 private:
  Scene& scene_;
  std::unique_ptr<RepairRun> run_;
};

std::unique_ptr<Operation> draw_repair(Scene& scene, FaultInjector&, Random& random) {
  ClusterAgent* agent = draw_agent(scene, format::kRead, random);
  return agent == nullptr ? nullptr : std::make_unique<RepairOperation>(scene, *agent);
}

// ---- status

class StatusOperation final : public Operation {
 public:
  StatusOperation(Scene& scene, ClusterAgent& agent)
      : Operation(&agent),
        scene_(scene),
        run_(scene.cluster.ports(agent), scene.cluster.dialer(agent), scene.cluster.charter().nodes,
             scene.cluster.repository, [](std::size_t) {
               wire::RequestProto request;
               request.mutable_status();
               return std::optional(std::move(request));
             }) {}
  bool done() const override { return run_.done(); }
  void conclude() override {
    for (const auto& [i, reply] : run_.replies()) {
      if (!reply || scene_.cluster.nodes[i]->lies()) continue;
      const wire::StatusReply& status = reply->proto.status();
      scene_.verdict.require(status.complete_snapshots() <= status.snapshots(), "status-adds-up",
                             [&] { return scene_.cluster.nodes[i]->name(); });
    }
  }

 private:
  Scene& scene_;
  CallRun run_;
};

std::unique_ptr<Operation> draw_status(Scene& scene, FaultInjector&, Random& random) {
  ClusterAgent* agent = draw_agent(scene, format::kAppend, random);
  if (agent == nullptr) return nullptr;
  return std::make_unique<StatusOperation>(scene, *agent);
}

// ---- charters

class CharterOperation final : public Operation {
 public:
  explicit CharterOperation(Scene& scene)
      : Operation(scene.cluster.agents.front().get()),
        scene_(scene),
        run_(scene.cluster.begin_charters()) {}
  bool done() const override { return run_->done(); }
  void conclude() override {
    scene_.journal.note("{} nodes have charter {}", run_->up_to_date(),
                        scene_.cluster.charter().version);
  }

 private:
  Scene& scene_;
  std::unique_ptr<CharterRun> run_;
};

std::unique_ptr<Operation> draw_charters(Scene& scene, FaultInjector&, Random&) {
  return scene.cluster.agents.front()->busy ? nullptr : begin_charters(scene);
}

constexpr std::size_t kMostAgents = 5;

std::unique_ptr<Operation> draw_new_agent(Scene& scene, FaultInjector&, Random& random) {
  if (scene.cluster.agents.size() >= kMostAgents || scene.cluster.agents.front()->busy)
    return nullptr;
  const std::uint32_t roles =
      random.below(2) == 0 ? format::kAppend : format::kAppend | format::kRead;
  scene.cluster.add_agent("agent" + std::to_string(scene.cluster.agents.size()), roles);
  return begin_charters(scene);
}

// ---- what an operator does on a node itself

// Until the node runs again, or for `most`: a fault may take it down in the moment it is up.
class WaitOperation final : public Operation {
 public:
  WaitOperation(Scene& scene, std::size_t node, Duration most)
      : Operation(nullptr), scene_(scene), node_(node) {
    timer_ = scene.cluster.loop.after(most, [this] { over_ = true; });
  }
  ~WaitOperation() override { scene_.cluster.loop.cancel(timer_); }
  bool done() const override { return over_ || scene_.cluster.nodes[node_]->running(); }

 private:
  Scene& scene_;
  std::size_t node_;
  TimerId timer_;
  bool over_ = false;
};

// As `holdfast-node reindex`, which is run while the node is down.
std::unique_ptr<Operation> draw_reindex(Scene& scene, FaultInjector& faults, Random& random) {
  const std::size_t i = random.below(scene.cluster.nodes.size());
  if (!scene.cluster.nodes[i]->running()) return nullptr;
  scene.cluster.nodes[i]->kill();
  scene.cluster.nodes[i]->lose_index();
  constexpr Duration kMost = std::chrono::minutes(10);
  faults.restart_later(i, kMost);
  return std::make_unique<WaitOperation>(scene, i, kMost);
}

// ---- lies

class AttackOperation final : public Operation {
 public:
  AttackOperation(Scene& scene, ClusterAgent& agent, Random& random)
      : Operation(&agent), liar_(scene.cluster, scene.wire, agent, random) {
    scene.journal.note("{} attacks: {}", agent.name, liar_.attack());
    // Long enough for all of it to arrive and be answered.
    timer_ = agent.machine.after(std::chrono::seconds(20), [this] { done_ = true; });
  }
  bool done() const override { return done_; }
  ~AttackOperation() override { agent()->machine.cancel(timer_); }

 private:
  LyingAgent liar_;
  TimerId timer_;
  bool done_ = false;
};

std::unique_ptr<Operation> draw_attack(Scene& scene, FaultInjector& faults, Random& random) {
  for (const auto& agent : scene.cluster.agents) {
    if (!scene.wire.distrusts(agent->entry.id) || agent->busy) continue;
    faults.count(Fault::kLyingAgent);
    return std::make_unique<AttackOperation>(scene, *agent, random);
  }
  return nullptr;
}

}  // namespace

const std::vector<OperationKind>& operation_kinds() {
  static const std::vector<OperationKind> kinds = {
      {"backup", 12, draw_backup},         {"restore", 4, draw_restore},
      {"list", 2, draw_listing},           {"verify", 2, draw_verification},
      {"status", 1, draw_status},          {"bring charters", 2, draw_charters},
      {"add an agent", 1, draw_new_agent}, {"reindex", 1, draw_reindex},
      {"attack", 3, draw_attack},          {"repair", 2, draw_repair},
  };
  return kinds;
}

std::unique_ptr<Operation> begin_backup(Scene& scene, ClusterAgent& agent, std::size_t* committed) {
  return std::make_unique<BackupOperation>(scene, agent, committed);
}

std::unique_ptr<Operation> begin_charters(Scene& scene) {
  return std::make_unique<CharterOperation>(scene);
}

std::unique_ptr<Operation> begin_verification(Scene& scene, bool read_data) {
  return std::make_unique<VerifyOperation>(scene, *scene.cluster.agents.front(), read_data);
}

std::unique_ptr<Operation> begin_repair(Scene& scene) {
  return std::make_unique<RepairOperation>(scene, *scene.cluster.agents.front());
}

void change_source(ClusterAgent& agent, std::size_t files, Random& random) {
  for (std::size_t i = 0; i < files; ++i) {
    const std::string path =
        "data/" + std::to_string(random.below(4)) + "/" + std::to_string(random.below(12));
    if (random.below(8) == 0 && agent.source.contents().contains(path)) {
      agent.source.remove(path);
      continue;
    }
    Bytes content(random.below(random.below(4) == 0 ? 20'000 : 3'000));
    random.fill(content);
    agent.source.put(path, std::move(content));
  }
}

}  // namespace holdfast::testing
