// Looks into nodes from outside the simulation: asks a node's process directly, past network, lies
// and disk faults, and compares what it says with the reference model. Whole restores run in a time
// of their own, in which nothing else happens.
#pragma once

#include <set>
#include <string>

#include "tests/simulation/cluster.h"
#include "tests/simulation/reference_model.h"
#include "tests/simulation/wire_checker.h"

namespace holdfast::testing {

class NodeAuditor {
 public:
  NodeAuditor(Cluster& cluster, ReferenceModel& model, WireChecker& wire, Verdict& verdict)
      : cluster_(cluster), model_(model), wire_(wire), verdict_(verdict) {}

  // All of this node is compared after the event that runs. `recovered`: it has just opened what is
  // on its disk, so that what it lists as complete is there to stay.
  void suspect(std::size_t node, bool recovered = false) {
    suspects_[node] = suspects_[node] || recovered;
  }
  // What the last event calls for.
  void after_event();
  // Everything a node says, and that what it lists restores: `most` of the snapshots, newest first.
  void audit_fully(std::size_t node, std::size_t most);
  // Whether this node alone gives all that the snapshot holds. Wrong bytes are a violation.
  Status restore(std::size_t node, const KnownSnapshot& snapshot);
  // That these are files of the snapshot, each as it was.
  void compare(const Files& given, const KnownSnapshot& snapshot, const std::string& by);
  // Whether it says that it has this snapshot, complete.
  bool lists(std::size_t node, const ManifestId& id);
  // Of a node that runs: what it answers to GetCharter.
  Status state(std::size_t node);

 private:
  std::optional<wire::ReplyProto> ask(std::size_t node, wire::RequestProto request);
  std::vector<bool> present(std::size_t node, const std::vector<ObjectId>& ids);
  void check_lists(std::size_t node, bool recovered);
  void check_closure(std::size_t node, const std::vector<ObjectId>& lists);
  bool answers(std::size_t node) const;

  Cluster& cluster_;
  ReferenceModel& model_;
  WireChecker& wire_;
  Verdict& verdict_;
  std::map<std::size_t, bool> suspects_;
  std::uint64_t next_id_ = 2;
};

}  // namespace holdfast::testing
