// The manifests of one repository on one node, in order of receipt, and the rules of their order
// per agent. What is durable is a prefix of the list; the rest waits for a sync and is neither
// listed nor anybody's head.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "common/format/manifest.h"

namespace holdfast::repository {

struct Snapshot {
  ManifestId id;
  AgentId agent;
  std::uint64_t sequence = 0;
  std::optional<ManifestId> previous;
  ObjectId root;
  UnixTime claimed, received;  // by the agent's clock; by this node's
};

class SnapshotList {
 public:
  // kConflict if the agent has another manifest with this sequence number, or if neighbours in the
  // agent's order are here and none links to it. Gaps are allowed: a node may have missed some.
  Status check_order(const format::SignedManifest& manifest) const;
  // Puts one that is not in the list behind all others, whatever its number.
  void append(const format::SignedManifest& manifest, UnixTime received);

  std::size_t size() const { return all_.size(); }
  // Its place in the list; nullopt if it is not there.
  std::optional<std::size_t> find(const ManifestId& id) const;
  std::span<const Snapshot> durable() const { return std::span(all_).first(durable_); }
  bool is_durable(std::size_t place) const { return place < durable_; }
  // The agent's durable manifest with the highest sequence number; null if there is none. Of
  // several with that number, which came from nodes that could not see each other, all nodes name
  // the same.
  const Snapshot* head(const AgentId& agent) const;

  // The first `count` are on the device.
  void set_durable(std::size_t count);
  // Forgets what is not durable.
  void give_up_the_rest();

 private:
  std::vector<Snapshot> all_;
  std::size_t durable_ = 0;
  std::unordered_map<ManifestId, std::size_t> by_id_;
  std::unordered_map<AgentId, std::multimap<std::uint64_t, std::size_t>> by_agent_;
};

}  // namespace holdfast::repository
