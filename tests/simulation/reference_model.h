// What must be true of a cluster, told apart from how it is done: which snapshots there are and
// what they hold, who said that it has them, and whom faults have harmed since.
//
// The fault atlas lives here too: a fault that destroys what is durable is only let through while
// every snapshot that some node has keeps a good copy elsewhere, and no more than W-1 nodes are
// doubtful at a time, so that "acknowledged is never lost" stays something that can be checked.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/format/manifest.h"
#include "tests/simulation/agent_runs.h"

namespace holdfast::testing {

struct Violation {
  std::string invariant;  // a short name that stays the same whatever the run
  std::string detail;
};

// What was checked how often, and the first that did not hold.
class Verdict {
 public:
  void require(bool holds, const std::string& invariant, const std::function<std::string()>& why);
  void violated(const std::string& invariant, std::string detail);
  const std::optional<Violation>& violation() const { return violation_; }
  const std::map<std::string, std::uint64_t>& checks() const { return checks_; }

 private:
  std::map<std::string, std::uint64_t> checks_;
  std::optional<Violation> violation_;
};

struct KnownSnapshot {
  format::SignedManifest manifest;
  std::shared_ptr<const Files> contents;
  bool acknowledged = false;   // a backup reported success with it
  std::set<std::size_t> acks;  // nodes that said it is committed, honest or not
  std::set<std::size_t> good;  // nodes that have it and were not harmed since
};

class ReferenceModel {
 public:
  ReferenceModel(std::size_t nodes, std::uint32_t write_quorum)
      : write_quorum_(write_quorum), nodes_(nodes) {}

  std::uint32_t write_quorum() const { return write_quorum_; }
  std::size_t node_count() const { return nodes_.size(); }

  // Snapshots.
  bool knows(const ManifestId& id) const { return snapshots_.contains(id); }
  KnownSnapshot* find(const ManifestId& id);
  const std::map<ManifestId, KnownSnapshot>& snapshots() const { return snapshots_; }
  void add(format::SignedManifest manifest, std::shared_ptr<const Files> contents);
  // A node said that it has committed it.
  void acknowledge(const ManifestId& id, std::size_t node);
  // A node that is not doubtful lists it as complete.
  void claim(const ManifestId& id, std::size_t node);
  // Acknowledged ones, in the order in which they were made.
  std::vector<const KnownSnapshot*> acknowledged() const;

  // What list objects refer to, as frames said that went over the network.
  void learn(const ObjectId& list, std::span<const ObjectId> refs);
  const std::unordered_map<ObjectId, std::vector<ObjectId>>& lists() const { return lists_; }

  // The atlas. Whether this node may lose all or part of what it has.
  bool may_lose(std::size_t node) const;
  // Whether it may become doubtful: damaged without knowing, or a liar.
  bool may_doubt(std::size_t node) const;
  void lose(std::size_t node);
  void doubt(std::size_t node);
  // It is whole again as far as it says so: its disk was replaced, or it has read all of it.
  void trust(std::size_t node);
  bool doubtful(std::size_t node) const { return nodes_[node].doubtful; }
  // Damage was done that a verification may report, until the disk is replaced.
  bool scarred(std::size_t node) const { return nodes_[node].scarred; }
  void scar(std::size_t node);
  void heal_scars(std::size_t node) { nodes_[node].scarred = nodes_[node].torn = false; }
  // A crash kept later ones of the bytes that nobody had synced and lost earlier ones: what is left
  // of them is of no use to anybody, and a verification may say so.
  void tear(std::size_t node) { nodes_[node].torn = true; }
  bool torn(std::size_t node) const { return nodes_[node].torn; }
  // Changes with every harm.
  std::uint64_t harms(std::size_t node) const { return nodes_[node].harms; }
  std::uint64_t losses() const { return losses_; }  // of all nodes: wiped, rolled back, liars

 private:
  struct NodeTruth {
    bool doubtful = false, scarred = false, torn = false;
    std::uint64_t harms = 0;
  };
  std::uint32_t write_quorum_;
  std::vector<NodeTruth> nodes_;
  std::uint64_t losses_ = 0;
  std::map<ManifestId, KnownSnapshot> snapshots_;
  std::vector<ManifestId> order_;
  std::unordered_map<ObjectId, std::vector<ObjectId>> lists_;
};

}  // namespace holdfast::testing
