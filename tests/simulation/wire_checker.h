// Watches every message as it is sent and holds both sides to what they promise: no commit before W
// nodes have prepared, no nonce used twice, nothing but what a role allows in a reply, and no more
// unanswered requests of a connection than a node lets wait.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>

#include "tests/simulation/cluster.h"
#include "tests/simulation/journal.h"
#include "tests/simulation/reference_model.h"

namespace holdfast::testing {

class WireChecker final : public NetworkWatcher {
 public:
  // What a node has to answer for, after the event in which it said so.
  struct Said {
    std::size_t node;
    std::vector<ObjectId> lists;  // that it stored now
    bool committed = false;       // a manifest, or it found damage: all of it is looked at again
  };

  WireChecker(Cluster& cluster, ReferenceModel& model, Verdict& verdict);
  ~WireChecker() override { cluster_.network.watch(nullptr); }

  // What the backup of this agent that runs now began with; null: it has none.
  void backup_begins(const AgentId& agent, std::shared_ptr<const Files> contents);
  void backup_ends(const AgentId& agent) { running_.erase(agent); }
  // Who must not be held to anything: an enrolled agent that lies.
  void distrust(const AgentId& agent) { liars_.insert(agent); }
  bool distrusts(const AgentId& agent) const { return liars_.contains(agent); }
  bool distrusts_any() const { return !liars_.empty(); }
  // An honest node answers the request with this id with an error, whoever sends it.
  void expect_refusal(std::uint64_t id) { forged_.insert(id); }
  // Whether a repair has asked this node to take it whatever its number.
  bool was_copied(std::size_t node, const ManifestId& id) const {
    return copied_.contains({node, id});
  }
  // A node's process ended: nothing is unanswered any more.
  void process_ended(std::size_t node);
  // Notes every message from now on; null: none.
  void trace_to(Journal* journal) { journal_ = journal; }

  // Of all that were sent so far, in bytes.
  std::size_t largest_frame() const { return largest_frame_; }

  std::deque<Said> take_said() { return std::exchange(said_, {}); }

  void on_request(const std::string& node, const Peer& from, const Message& message) override;
  void on_arrival(const std::string& node, const Peer& from) override;
  void on_reply(const std::string& node, const Peer& to, const Message& message) override;

 private:
  struct Pending {
    wire::RequestProto::WhatCase what;
    std::optional<ManifestId> manifest;
    std::optional<ObjectId> root;
    std::vector<ObjectId> lists;
  };
  const ClusterAgent* agent_of(const Peer& peer) const;
  std::size_t index_of(const std::string& node) const;
  void watch_frame(const ClusterAgent& agent, const SharedBytes& body, Pending& pending);
  void watch_commit(const ClusterAgent& agent, const std::string& node,
                    const wire::CommitRequest& request, Pending& pending);
  void note(const std::string& node, const Peer& peer, std::uint64_t id, std::string_view what);
  void check_reply_role(const Peer& to, const wire::ReplyProto& reply, const Message& message);

  Cluster& cluster_;
  ReferenceModel& model_;
  Verdict& verdict_;
  std::map<AgentId, std::shared_ptr<const Files>> running_;
  std::set<AgentId> liars_;
  std::set<std::uint64_t> forged_;
  std::set<std::pair<std::size_t, ManifestId>> copied_;
  Journal* journal_ = nullptr;
  std::size_t largest_frame_ = 0;
  std::map<std::pair<std::uint64_t, std::uint64_t>, Pending> pending_;  // by connection and id
  std::map<std::pair<std::size_t, std::uint64_t>, std::size_t> unanswered_;
  std::map<ObjectId, std::set<std::size_t>> prepared_;  // by root
  // Which frame each number of a run went to: a run's number is its nonce.
  std::map<std::pair<format::RunEnvelope, std::uint64_t>, FrameId> nonces_;
  std::deque<Said> said_;
};

}  // namespace holdfast::testing
