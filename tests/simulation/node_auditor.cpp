#include "tests/simulation/node_auditor.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::testing {
namespace {

// The way to one node that needs no network.
class DirectDialer final : public Dialer {
 public:
  DirectDialer(ClusterNode& node, SimLoop& loop) : node_(node), loop_(loop) {}

  Result<std::unique_ptr<Channel>> dial(const NodeAddress&, Receive receive) override {
    return std::unique_ptr<Channel>(std::make_unique<DirectChannel>(*this, std::move(receive)));
  }

 private:
  class DirectChannel final : public Channel {
   public:
    DirectChannel(DirectDialer& dialer, Receive receive)
        : dialer_(dialer), receive_(std::make_shared<Receive>(std::move(receive))) {}
    void send(Message message) override {
      auto reply = dialer_.node_.ask(std::move(message));
      if (!reply) return;
      dialer_.loop_.post([to = std::weak_ptr(receive_), reply = *std::move(reply)]() mutable {
        if (const auto receive = to.lock()) (*receive)(std::move(reply));
      });
    }

   private:
    DirectDialer& dialer_;
    std::shared_ptr<Receive> receive_;
  };

  ClusterNode& node_;
  SimLoop& loop_;
};

}  // namespace

std::optional<wire::ReplyProto> NodeAuditor::ask(std::size_t node, wire::RequestProto request) {
  request.set_id(next_id_++);
  request.set_repository(cluster_.repository.str());
  const auto reply = cluster_.nodes[node]->ask(wire::encode(request));
  if (!reply) return std::nullopt;
  auto decoded = wire::decode_reply(reply->head);
  check(decoded.has_value(), "a node answers who embeds it with a reply");
  return *std::move(decoded);
}

Status NodeAuditor::state(std::size_t node) {
  wire::RequestProto request;
  request.mutable_get_charter();
  const auto reply = ask(node, std::move(request));
  if (!reply) return Error(Code::kUnavailable, "it does not run");
  if (reply->has_error()) return wire::error_of(*reply);
  return {};
}

std::vector<bool> NodeAuditor::present(std::size_t node, const std::vector<ObjectId>& ids) {
  std::vector<bool> all;
  for (std::size_t at = 0; at < ids.size(); at += wire::kMaxIdsPerRequest) {
    const std::size_t count = std::min(ids.size() - at, wire::kMaxIdsPerRequest);
    wire::RequestProto request;
    request.mutable_present()->set_ids(wire::join_ids(std::span(ids).subspan(at, count)));
    const auto reply = ask(node, std::move(request));
    const auto bits = reply && !reply->has_error()
                          ? wire::decode_bitmap(reply->present().bitmap(), count)
                          : Result<std::vector<bool>>(std::vector<bool>(count));
    all.insert(all.end(), bits->begin(), bits->end());
  }
  return all;
}

bool NodeAuditor::answers(std::size_t node) const {
  ClusterNode& one = *cluster_.nodes[node];
  return one.running() && !one.machine().paused() && !one.disk().stopped();
}

void NodeAuditor::after_event() {
  for (const WireChecker::Said& said : wire_.take_said()) {
    if (said.committed)
      suspect(said.node);
    else if (answers(said.node) && !suspects_.contains(said.node))
      check_closure(said.node, said.lists);
  }
  for (const auto& [node, recovered] : std::exchange(suspects_, {}))
    if (answers(node)) check_lists(node, recovered);
}

// Of these list objects those that are present have all that they refer to.
void NodeAuditor::check_closure(std::size_t node, const std::vector<ObjectId>& lists) {
  std::vector<ObjectId> ids;
  for (const ObjectId& list : lists) {
    ids.push_back(list);
    const auto& refs = model_.lists().at(list);
    ids.insert(ids.end(), refs.begin(), refs.end());
  }
  if (ids.empty()) return;
  const std::vector<bool> there = present(node, ids);
  std::size_t at = 0;
  for (const ObjectId& list : lists) {
    const std::size_t refs = model_.lists().at(list).size();
    const auto first = there.begin() + static_cast<std::ptrdiff_t>(at);
    const bool whole =
        !*first || std::all_of(first + 1, first + 1 + static_cast<std::ptrdiff_t>(refs),
                               [](bool present) { return present; });
    verdict_.require(whole, "closure", [&] {
      return fmt::format("{} has list object {} but not all that it refers to",
                         cluster_.nodes[node]->name(), list.short_hex());
    });
    at += 1 + refs;
  }
}

void NodeAuditor::check_lists(std::size_t node, bool recovered) {
  const std::string& name = cluster_.nodes[node]->name();
  wire::RequestProto request;
  request.mutable_list_manifests();
  const auto reply = ask(node, std::move(request));
  if (!reply || reply->has_error()) return;  // its repository cannot be opened
  std::vector<ObjectId> lists;
  for (const auto& [list, refs] : model_.lists()) lists.push_back(list);
  check_closure(node, lists);

  std::map<std::pair<AgentId, std::uint64_t>, ManifestId> numbers;
  std::set<ManifestId> complete;
  std::vector<ObjectId> roots;
  for (const auto& entry : reply->list_manifests().manifests()) {
    const auto manifest = format::parse_manifest(as_bytes(entry.manifest()));
    verdict_.require(manifest.has_value(), "listed-manifests-parse",
                     [&] { return name + " lists what is no manifest"; });
    if (!manifest) continue;
    verdict_.require(model_.knows(manifest->id) || wire_.distrusts(manifest->manifest.agent),
                     "nothing-listed-that-was-not-committed",
                     [&] { return fmt::format("{} lists {}", name, manifest->id.short_hex()); });
    const format::Manifest& body = manifest->manifest;
    // But for what a repair brought from a node that could not be seen at the time.
    const bool only_one = wire_.was_copied(node, manifest->id) ||
                          numbers.try_emplace({body.agent, body.sequence}, manifest->id).second;
    verdict_.require(only_one, "a-number-is-given-once", [&] {
      return fmt::format("{} has two snapshots with number {} of agent {}", name, body.sequence,
                         body.agent.short_hex());
    });
    if (!entry.complete()) continue;
    complete.insert(manifest->id);
    roots.push_back(manifest->manifest.root);
    if (recovered) model_.claim(manifest->id, node);
  }
  const std::vector<bool> there = present(node, roots);
  verdict_.require(std::find(there.begin(), there.end(), false) == there.end(),
                   "a-complete-snapshot-has-its-root",
                   [&] { return name + " lists a snapshot as complete without its root"; });
  for (const auto& [id, snapshot] : model_.snapshots())
    verdict_.require(!snapshot.good.contains(node) || complete.contains(id),
                     "acknowledged-is-durable", [&] {
                       return fmt::format("{} said that it has {} and does not list it any more",
                                          name, id.short_hex());
                     });
}

bool NodeAuditor::lists(std::size_t node, const ManifestId& id) {
  if (!answers(node)) return false;
  wire::RequestProto request;
  request.mutable_list_manifests();
  const auto reply = ask(node, std::move(request));
  if (!reply) return false;
  const auto& all = reply->list_manifests().manifests();
  return std::any_of(all.begin(), all.end(), [&](const auto& entry) {
    const auto manifest = format::parse_manifest(as_bytes(entry.manifest()));
    return manifest && manifest->id == id && entry.complete();
  });
}

void NodeAuditor::compare(const Files& given, const KnownSnapshot& snapshot,
                          const std::string& by) {
  for (const auto& [path, content] : given) {
    const auto right = snapshot.contents->find(path);
    verdict_.require(right != snapshot.contents->end() && right->second == content,
                     "never-wrong-bytes", [&] {
                       return fmt::format("{} gives other bytes for {} of snapshot {}", by, path,
                                          snapshot.manifest.id.short_hex());
                     });
  }
}

Status NodeAuditor::restore(std::size_t node, const KnownSnapshot& snapshot) {
  SimLoop loop;
  simulation::SimFileSystem files;
  SeededRandom random(cluster_.loop.steps());
  RestoreRun run({loop, loop, loop, random, files},
                 std::make_unique<DirectDialer>(*cluster_.nodes[node], loop),
                 {cluster_.charter().nodes[node]}, cluster_.agents.front()->reader,
                 snapshot.manifest);
  const bool ended = loop.run_until([&] { return run.done(); });
  verdict_.require(ended, "restores-end", [&] {
    return fmt::format("a restore of {} from {} alone", snapshot.manifest.id.short_hex(),
                       cluster_.nodes[node]->name());
  });
  if (!ended) return Error(Code::kTimedOut, "the restore did not end");
  compare(run.files(), snapshot, cluster_.nodes[node]->name());
  if (!run.outcome()) return run.outcome();
  if (run.files().size() != snapshot.contents->size())
    return Error(Code::kCorrupt, "files are missing though the restore said nothing of it");
  return {};
}

void NodeAuditor::audit_fully(std::size_t node, std::size_t most) {
  if (!answers(node)) return;
  check_lists(node, false);
  std::vector<const KnownSnapshot*> good;
  for (const auto& [id, snapshot] : model_.snapshots())
    if (snapshot.good.contains(node)) good.push_back(&snapshot);
  std::sort(good.begin(), good.end(), [](const auto* a, const auto* b) {
    return a->manifest.manifest.claimed_time > b->manifest.manifest.claimed_time;
  });
  if (good.size() > most) good.resize(most);
  for (const KnownSnapshot* snapshot : good) {
    const Status restored = restore(node, *snapshot);
    verdict_.require(restored.has_value(), "a-listed-snapshot-restores", [&] {
      return fmt::format("{} alone does not give {}: {}", cluster_.nodes[node]->name(),
                         snapshot->manifest.id.short_hex(), restored.error().message());
    });
  }
  suspect(node);
}

}  // namespace holdfast::testing
