// An agent whose node lies. The first byte is what the agent does:
//   0 fetch all objects   1 list snapshots   2 verify   3 back up   4 restore
// the next one who else is there, by bits:
//   1 an honest node   2 a backup needs both nodes   4 the agent has no catalog of the snapshot
// and the rest says, for each request that reaches the liar, what becomes of its answer: a message
// of Protocol Buffers, so that a fuzzer that knows these changes one lie and leaves the others as
// they are. Each field is a lie, the number its LieKind plus one. Behind the last it is silent.
//
// Whatever it says, what the agent is doing ends, in memory that the lies pay for; what it hands
// out is what was once stored; and an honest node beside suffices to come by everything, is never
// blamed, and has what it is said to have.
#include <algorithm>
#include <cstdio>

#include "tests/fuzz/allocation_budget.h"
#include "tests/fuzz/fuzzed_agent.h"
#include "tests/fuzz/promises.h"
#include "tests/fuzz/targets.h"

namespace holdfast::fuzz {
namespace {

constexpr std::size_t kLiarAt = 0, kHonestAt = 1;  // among the nodes

struct Company {
  bool honest, both_needed, remembers;
};

class FetchRun final : public testing::Run {
 public:
  explicit FetchRun(AgentAmongLiars& nodes) : Run(nodes.ports(), nodes.dialer()) {
    const FuzzedSnapshot& good = fuzzed_snapshot();
    connect(nodes.charter().nodes, good.keys.id, {});
    fetcher_ = std::make_unique<agent::ObjectFetcher>(links(), good.reader, ports_.loop,
                                                      ports_.clock, ports_.executor);
    fetcher_->on_damage([](std::size_t node, const ObjectId&, const Error&) {
      check(node == kLiarAt, "an honest node is blamed");
    });
    std::vector<ObjectId> ids;
    for (const auto& [id, payload] : good.objects) ids.push_back(id);
    fetcher_->fetch(
        ids,
        [this](const format::OpenedFrame&, auto wanted) {
          for (const format::OpenedObject* object : wanted) take(*object);
        },
        [this](std::vector<agent::ObjectFetcher::Missing> missing) {
          check(!done_, "a fetch that ends twice");
          missing_ = std::move(missing);
          done_ = true;
        });
  }

  void check_outcome(const Company& company) const {
    check(came_.size() + missing_.size() == fuzzed_snapshot().objects.size(),
          "an object that neither came nor is missing");
    for (const auto& [id, reason] : missing_) {
      check(!came_.contains(id), "an object that came and is missing");
      check_error(reason, {Code::kUnavailable, Code::kNotFound, Code::kCorrupt});
      if (company.honest) std::fprintf(stderr, "%s\n", reason.message().c_str());
    }
    check(!company.honest || missing_.empty(), "missing, though an honest node has it");
  }

 private:
  void take(const format::OpenedObject& object) {
    const auto found = fuzzed_snapshot().objects.find(object.id);
    check(found != fuzzed_snapshot().objects.end() &&
              std::ranges::equal(object.payload, found->second),
          "a wrong object was handed out");
    check(came_.insert(object.id).second, "an object was handed out twice");
  }
  std::set<ObjectId> came_;
  std::vector<agent::ObjectFetcher::Missing> missing_;
  std::unique_ptr<agent::ObjectFetcher> fetcher_;
};

void fetch(AgentAmongLiars& nodes, const Company& company) {
  FetchRun run(nodes);
  nodes.finish(run);
  run.check_outcome(company);
}

void check_list(const AgentAmongLiars& nodes, const agent::SnapshotList& list,
                const Company& company) {
  const FuzzedSnapshot& good = fuzzed_snapshot();
  for (const agent::Snapshot& snapshot : list.snapshots) {
    check(snapshot.manifest.manifest.repository == good.keys.id &&
              format::verify_manifest(snapshot.manifest, good.keys.agent.verify_key()).has_value(),
          "a snapshot is listed that nobody signed");
    check(snapshot.id() == good.manifest.id || nodes.has_forged_manifest(),
          "a snapshot that the agent never made");
  }
  for (const auto& gone : list.unreachable)
    check(gone.node == kLiarAt, "an honest node is taken for unreachable");
  const bool is_listed = std::ranges::any_of(list.snapshots, [&](const agent::Snapshot& snapshot) {
    const auto* const copy = snapshot.copy_on(kHonestAt);
    return snapshot.id() == good.manifest.id && copy != nullptr && copy->complete;
  });
  check(!company.honest || is_listed, "a snapshot is hidden that an honest node lists");
}

void list(AgentAmongLiars& nodes, const Company& company) {
  testing::ListingRun run(nodes.ports(), nodes.dialer(), nodes.charter(), fuzzed_snapshot().reader);
  nodes.finish(run);
  check_list(nodes, run.list(), company);
}

void verify(AgentAmongLiars& nodes, const Company& company) {
  testing::VerifyRun run(nodes.ports(), nodes.dialer(), nodes.charter(), fuzzed_snapshot().reader,
                         true);
  nodes.finish(run);
  const agent::VerifyResult& result = run.result();
  for (const agent::NodeVerdict& verdict : result.nodes) {
    check(verdict.findings.size() <= agent::kMostFindings &&
              verdict.findings.size() <= verdict.finding_count,
          "findings beyond their number");
    check(!verdict.failure || !verdict.failure->message().empty(), "a failure without words");
  }
  // A manifest with a good signature and a root that nobody has is missing on every node.
  if (!company.honest || nodes.has_forged_manifest()) return;
  check(result.nodes[kHonestAt].is_clean(), "an honest node is blamed");
  check(result.finding_count == 0, "lost, though an honest node has it");
  check(result.snapshots == 1, "a snapshot that was not looked at");
}

void back_up(AgentAmongLiars& nodes, const Company& company) {
  nodes.set_write_quorum(company.honest && company.both_needed ? 2 : 1);
  if (company.remembers) nodes.remember_snapshot();
  testing::MemorySource source = fuzzed_snapshot().source;
  source.put("home/letter", Bytes(700, 'b'));
  source.put("home/new", Bytes(10, 'c'));
  testing::BackupRun run(nodes.ports(), nodes.dialer(), nodes.charter(), *fuzzed_snapshot().writer,
                         source);
  nodes.finish(run);
  const auto& report = run.result();
  if (!succeeded(report, {Code::kUnavailable})) {
    check(!company.honest || company.both_needed, "no backup, though an honest node suffices");
    return;
  }
  check(report->manifest.has_value() &&
            format::parse_manifest(report->manifest->bytes).has_value() &&
            report->committed >= nodes.charter().write_quorum,
        "a backup of nothing, or by too few");
  if (!company.honest) return;
  const bool is_said_to = report->nodes[kHonestAt].committed;
  check(is_said_to == nodes.honest_node_lists(report->manifest->id),
        "an honest node has not what it is said to have");
  check(is_said_to || !company.both_needed, "a quorum without its nodes");
}

void restore(AgentAmongLiars& nodes, const Company& company) {
  testing::RestoreRun run(nodes.ports(), nodes.dialer(), nodes.charter().nodes,
                          fuzzed_snapshot().reader, fuzzed_snapshot().manifest);
  nodes.finish(run);
  const auto& stored = fuzzed_snapshot().source.contents();
  for (const auto& [path, content] : run.files()) {
    const auto found = stored.find(path);
    check(found != stored.end() && found->second == content, "a wrong file was given out");
  }
  check(!company.honest || (run.outcome().has_value() && run.files().size() == stored.size()),
        "not restored, though an honest node has it");
}

}  // namespace

void agent(ByteView input) {
  const Input parts(input);
  const Byte bits = parts.rest.empty() ? Byte{0} : parts.rest[0];
  const Company company{(bits & 1) != 0, (bits & 2) != 0, (bits & 4) == 0};
  static_cast<void>(fuzzed_snapshot());
  AgentAmongLiars nodes(parts.rest.subspan(std::min<std::size_t>(1, parts.rest.size())),
                        company.honest);
  constexpr std::array kWhat{fetch, list, verify, back_up, restore};
  const std::uint64_t before = allocated_bytes();
  kWhat[parts.mode % kWhat.size()](nodes, company);
  check(allocated_bytes() - before < (std::uint64_t{64} << 20) + 64 * nodes.lied_bytes(),
        "lies cost more memory than they take themselves");
}

}  // namespace holdfast::fuzz
