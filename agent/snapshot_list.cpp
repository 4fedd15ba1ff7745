// Pages are parsed, verified and opened on the executor by one Reading, which goes there and back,
// so that nothing is shared. A manifest that several nodes list in the same bytes is verified once.
#include "agent/snapshot_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

namespace holdfast::agent {
namespace {

// More pages than any repository has: a node that never ends is cut off.
constexpr std::size_t kMostPages = 100'000;
constexpr std::size_t kMostWarningsOfAKind = 100;

}  // namespace

UnixTime Snapshot::received() const {
  return std::min_element(copies.begin(), copies.end(),
                          [](const auto& a, const auto& b) { return a.received < b.received; })
      ->received;
}

const SnapshotCopy* Snapshot::copy_on(std::size_t node) const {
  for (const SnapshotCopy& copy : copies)
    if (copy.node == node) return &copy;
  return nullptr;
}

bool SnapshotList::is_reachable(std::size_t node) const {
  return std::none_of(unreachable.begin(), unreachable.end(),
                      [&](const Unreachable& gone) { return gone.node == node; });
}

// What was read so far. On one thread at a time.
class SnapshotListing::Reading {
 public:
  Reading(format::Charter charter, const crypto::SecretKey* private_key,
          std::vector<std::string> nodes)
      : charter_(std::move(charter)) {
    if (private_key != nullptr) private_key_ = private_key->clone();
    list_.nodes = std::move(nodes);
  }

  void read(const Page& page) {
    for (const wire::ManifestEntryProto& entry : page.reply.manifests()) read(page.node, entry);
  }

  SnapshotList finish(std::vector<SnapshotList::Unreachable> unreachable) {
    list_.unreachable = std::move(unreachable);
    for (auto& [id, snapshot] : snapshots_) list_.snapshots.push_back(std::move(snapshot));
    sort();
    find_forks();
    find_withheld();
    return std::move(list_);
  }

 private:
  using Kind = SnapshotWarning::Kind;

  // A node that missed a snapshot gets it after later ones: it was there at the latest when the
  // next one of its agent was.
  void sort() {
    std::map<AgentId, std::multimap<std::uint64_t, const Snapshot*>> chains;
    for (const Snapshot& snapshot : list_.snapshots) {
      const format::Manifest& manifest = snapshot.manifest.manifest;
      chains[manifest.agent].emplace(manifest.sequence, &snapshot);
    }
    std::unordered_map<ManifestId, UnixTime> there;
    for (const auto& [agent, chain] : chains) {
      std::optional<UnixTime> earliest;
      for (auto at = chain.rbegin(); at != chain.rend(); ++at) {
        const UnixTime received = at->second->received();
        earliest = earliest ? std::min(*earliest, received) : received;
        there.emplace(at->second->id(), *earliest);
      }
    }
    const auto key = [&](const Snapshot& snapshot) {
      const format::Manifest& manifest = snapshot.manifest.manifest;
      return std::tuple(there.at(snapshot.id()), manifest.sequence, manifest.claimed_time,
                        snapshot.id());
    };
    std::ranges::sort(list_.snapshots, {}, key);
  }

  void warn(Kind kind, std::string message) {
    if (++warned_[kind] <= kMostWarningsOfAKind)
      list_.warnings.push_back({kind, std::move(message)});
  }

  void read(std::size_t node, const wire::ManifestEntryProto& entry) {
    const std::string& name = list_.nodes[node];
    const auto bytes = as_bytes(entry.manifest());
    auto parsed = format::parse_manifest(bytes);
    if (!parsed) {
      const bool newer = parsed.error().code() == Code::kUnsupportedVersion;
      return warn(newer ? Kind::kUnreadable : Kind::kForged,
                  fmt::format("node {} lists a manifest that cannot be read: {}", name,
                              parsed.error().message()));
    }
    const auto known = snapshots_.find(parsed->id);
    const bool same = known != snapshots_.end() && known->second.manifest.bytes == parsed->bytes;
    if (!same) {
      if (const Status good = verify(*parsed); !good)
        return warn(Kind::kForged,
                    fmt::format("node {} lists snapshot {}, which does not verify: {}", name,
                                parsed->id.short_hex(), good.error().message()));
    }
    Snapshot& snapshot = known != snapshots_.end() ? known->second : add(std::move(*parsed));
    if (snapshot.copy_on(node) == nullptr)
      snapshot.copies.push_back({node, {entry.received_ns()}, entry.complete()});
    std::ranges::sort(snapshot.copies, {}, &SnapshotCopy::node);
  }

  Status verify(const format::SignedManifest& manifest) const {
    if (manifest.manifest.repository != charter_.repository())
      return Error(Code::kForged, "it belongs to another repository");
    const format::CharterAgent* agent = charter_.agent(manifest.manifest.agent);
    if (agent == nullptr) return Error(Code::kForged, "the charter does not know its agent");
    return format::verify_manifest(manifest, agent->verify_key);
  }

  Snapshot& add(format::SignedManifest manifest) {
    Snapshot& snapshot = snapshots_[manifest.id];
    snapshot.manifest = std::move(manifest);
    if (!private_key_) return snapshot;
    auto detail = format::open_detail(snapshot.manifest.manifest, *private_key_);
    if (detail)
      snapshot.detail = std::move(*detail);
    else
      warn(Kind::kUnreadable, fmt::format("the detail of snapshot {} does not open: {}",
                                          snapshot.id().short_hex(), detail.error().message()));
    return snapshot;
  }

  std::string agent_name(const AgentId& id) const {
    const format::CharterAgent* agent = charter_.agent(id);
    return agent == nullptr ? id.short_hex() : agent->name;
  }

  void find_forks() {
    for (const Snapshot& snapshot : list_.snapshots)
      by_agent_[snapshot.manifest.manifest.agent].emplace(snapshot.manifest.manifest.sequence,
                                                          &snapshot);
    for (const auto& [agent, chain] : by_agent_) {
      for (auto at = chain.begin(), next = std::next(at); next != chain.end(); at = next++) {
        if (next->first == at->first) {
          warn(Kind::kFork,
               fmt::format("agent {} has two snapshots with the sequence number {}: {} and {}; its "
                           "key is used twice, or by somebody else",
                           agent_name(agent), at->first, at->second->id().short_hex(),
                           next->second->id().short_hex()));
        } else if (next->first == at->first + 1 &&
                   next->second->manifest.manifest.previous != at->second->id() &&
                   chain.count(at->first) == 1) {
          warn(Kind::kFork, fmt::format("snapshot {} of agent {} does not follow {}, which has the "
                                        "sequence number before",
                                        next->second->id().short_hex(), agent_name(agent),
                                        at->second->id().short_hex()));
        }
      }
    }
  }

  // A node that lists a later snapshot of an agent than one that it lacks has lost or withholds
  // that one; one that ends earlier than others lags or withholds.
  void find_withheld() {
    for (std::size_t node = 0; node < list_.nodes.size(); ++node) {
      if (!list_.is_reachable(node)) continue;
      for (const auto& [agent, chain] : by_agent_) {
        std::size_t lacking = 0;
        const Snapshot* newest = nullptr;
        for (const auto& [sequence, snapshot] : chain)
          if (snapshot->copy_on(node) == nullptr) ++lacking, newest = snapshot;
        if (lacking == 0) continue;
        warn(Kind::kWithheld,
             fmt::format("node {} does not list {} of agent {}'s snapshots that others list, the "
                         "newest of them {}: it lags behind, was rolled back or withholds them",
                         list_.nodes[node], lacking, agent_name(agent), newest->id().short_hex()));
      }
    }
  }

  const format::Charter charter_;
  std::optional<crypto::SecretKey> private_key_;
  std::map<ManifestId, Snapshot> snapshots_;
  std::map<AgentId, std::multimap<std::uint64_t, const Snapshot*>> by_agent_;
  std::map<Kind, std::size_t> warned_;
  SnapshotList list_;
};

SnapshotListing::SnapshotListing(std::vector<NodeLink*> links, format::Charter charter,
                                 const crypto::SecretKey* private_key, EventLoop& loop,
                                 Executor& executor)
    : links_(std::move(links)), loop_(loop), executor_(executor), pages_read_(links_.size(), 0) {
  std::vector<std::string> names;
  names.reserve(links_.size());
  for (const NodeLink* link : links_) names.push_back(link->name());
  reading_ = std::make_shared<Reading>(std::move(charter), private_key, std::move(names));
}

void SnapshotListing::start(Done done) {
  done_ = std::move(done);
  open_nodes_ = links_.size();
  for (std::size_t node = 0; node < links_.size(); ++node) ask(node, "");
  if (links_.empty()) read_pages();
}

void SnapshotListing::ask(std::size_t node, const std::string& after) {
  wire::RequestProto request;
  request.mutable_list_manifests()->set_after(after);
  links_[node]->call(std::move(request), {}, [this, alive = alive_, node](auto reply) {
    if (*alive) take_page(node, std::move(reply));
  });
}

void SnapshotListing::take_page(std::size_t node, Result<NodeLink::Reply> reply) {
  if (reply && reply->proto.list_manifests().more() &&
      (reply->proto.list_manifests().manifests().empty() || ++pages_read_[node] >= kMostPages))
    reply = Error(Code::kProtocol, "its list of snapshots does not end");
  if (!reply) {
    unreachable_.push_back({node, reply.error()});
    --open_nodes_;
  } else {
    wire::ListManifestsReply& page = *reply->proto.mutable_list_manifests();
    if (page.more()) {
      const auto& last = page.manifests(page.manifests_size() - 1).manifest();
      const auto parsed = format::parse_manifest(as_bytes(last));
      // What does not parse cannot be gone on behind.
      if (parsed)
        ask(node, parsed->id.str());
      else
        unreachable_.push_back({node, parsed.error()});
      if (!parsed) --open_nodes_;
    } else {
      --open_nodes_;
    }
    pages_.push_back({node, std::move(page)});
  }
  read_pages();
}

void SnapshotListing::read_pages() {
  if (busy_) return;
  const bool last = open_nodes_ == 0;
  if (pages_.empty() && !last) return;
  busy_ = true;
  executor_.submit([this, alive = alive_, &loop = loop_, last, reading = std::move(reading_),
                    pages = std::exchange(pages_, {}), unreachable = unreachable_]() mutable {
    for (const Page& page : pages) reading->read(page);
    auto list = std::make_shared<SnapshotList>();
    if (last) *list = reading->finish(std::move(unreachable));
    loop.post([this, alive, last, list, reading = std::move(reading)]() mutable {
      if (!*alive) return;
      busy_ = false;
      reading_ = std::move(reading);
      if (last)
        std::exchange(done_, nullptr)(std::move(*list));
      else
        read_pages();
    });
  });
}

}  // namespace holdfast::agent
