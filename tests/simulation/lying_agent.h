// An enrolled agent that lies, and a stranger: what they send to every node in one go. What must
// come of it is nothing: the checkers look at the replies, the model at everybody else's snapshots.
#pragma once

#include <string>

#include "tests/simulation/cluster.h"
#include "tests/simulation/wire_checker.h"

namespace holdfast::testing {

class LyingAgent {
 public:
  // `agent` is enrolled; `wire` is told what nobody may accept.
  LyingAgent(Cluster& cluster, WireChecker& wire, ClusterAgent& agent, Random& random);
  // Sends one kind of attack, drawn; returns what it was.
  std::string attack();

 private:
  std::uint64_t send(wire::RequestProto request, SharedBytes body = {});
  // The same with what must be refused.
  void forge(wire::RequestProto request, SharedBytes body = {});
  void flood();
  void send_garbage();
  ObjectId put_object();
  void put_forged_frames();
  void commit_forged_manifests();
  void commit_two_of_one_number();
  void ask_for_content();
  // Of an object with random bytes; `id` is what it claims to be.
  Bytes frame(const std::vector<ObjectId>& refs, const ObjectId& id);
  format::SignedManifest manifest(std::uint64_t sequence, const ObjectId& root);

  Cluster& cluster_;
  WireChecker& wire_;
  ClusterAgent& agent_;
  Random& random_;
  std::vector<std::unique_ptr<Dialer>> dialers_;
  std::vector<std::unique_ptr<Channel>> channels_;
  std::uint64_t next_id_;
  format::RunKeys run_;
  format::FrameCounter counter_;
};

}  // namespace holdfast::testing
