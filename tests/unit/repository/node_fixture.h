// A node on simulated ports, and what its tests say to it: requests and their replies.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "repository/folder_shelf.h"
#include "repository/node.h"
#include "tests/unit/repository/enrolled_repository.h"
#include "tests/unit/repository/node_ports.h"

namespace holdfast::repository {

class NodeTest : public ::testing::Test {
 protected:
  NodeTest();
  ~NodeTest() override;

  // Ends the node without a word, as kill -9 does, and starts another over the same files; the
  // index is lost, and rebuilt from the segments.
  void restart();
  // A connection with this key.
  Peer connect(const CurveKey& key);
  Peer connect(const TestAgent& agent) { return connect(agent.curve); }

  // Sends, lets everything run that is due, and gives the reply. Fails the test if there is none.
  wire::ReplyProto ask(const Peer& peer, wire::RequestProto request, SharedBytes body = {});
  // Sends only; the id to look for in replies().
  std::uint64_t send(const Peer& peer, wire::RequestProto request, SharedBytes body = {});
  bool answered(std::uint64_t id) const { return responder.replies.contains(id); }
  // The answer to a request, once it is there.
  wire::ReplyProto reply_to(std::uint64_t id) const;
  void run();  // the executor's work and the loop's tasks, until nothing is left
  // The embedded owner puts the first charter.
  void create_repository();

  // Shorter ways to say the common things. The code of the reply, "ok" if it is no error.
  std::string put(const Peer& peer, const SharedBytes& frame);
  std::string commit(const Peer& peer, const format::SignedManifest& manifest);
  bool present(const ObjectId& id);
  std::vector<ManifestId> listed(const Peer& peer);
  // A frame with one list object over one data object, put by `agent`: a root to commit.
  TestObject put_tree(const TestAgent& agent, const std::string& content);
  wire::RequestProto request() const;
  wire::RequestProto commit_request(const format::SignedManifest& manifest) const;
  wire::RequestProto charter_request(const format::SignedCharter& charter) const;

  TestFiles files;
  ManualClock clock;
  ManualLoop loop{clock};
  ManualExecutor executor;
  testing::SeededRandom random{testing::seed()};
  RecordingResponder responder;
  TestInvitations invitations;
  RecordingLog log;
  EnrolledRepository repository{random};
  NodeOptions options;
  std::unique_ptr<FolderShelf> shelf;
  std::unique_ptr<Node> node;
  Peer embedder;

 private:
  void start_node();
  std::uint64_t next_connection_ = 1;
  std::uint64_t next_request_ = 1;
};

// "ok", or the name of the code.
std::string outcome_of(const wire::ReplyProto& reply);

}  // namespace holdfast::repository
