// A node on simulated ports, and what its tests say to it: a repository with one agent for each set
// of roles, frames and manifests that these agents sign, requests and their replies.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "common/format/frame_sealer.h"
#include "common/format/manifest.h"
#include "repository/folder_shelf.h"
#include "repository/node.h"
#include "tests/unit/repository/node_ports.h"

namespace holdfast::repository {

// An agent with all its keys.
struct TestAgent {
  TestAgent(Random& random, std::string its_name, std::uint32_t its_roles);
  format::CharterAgent entry() const;
  AgentId id() const { return format::agent_id(signing.verify_key()); }

  std::string name;
  std::uint32_t roles;
  bool revoked = false;
  crypto::SigningKey signing;
  CurveKey curve{};
};

struct TestObject {
  ObjectId id;
  std::vector<ObjectId> refs;
  std::string payload;
};

// What makes a repository: keys and agents. Each call of charter() gives the next version.
class EnrolledRepository {
 public:
  explicit EnrolledRepository(Random& random);

  RepositoryId id() const { return format::repository_id(admin_.verify_key()); }
  // Signed, with a vault.
  format::SignedCharter charter(std::uint64_t version, std::optional<Sha256> previous) const;
  format::SignedCharter first_charter() const { return charter(1, std::nullopt); }

  TestObject data(std::string payload);
  TestObject list(std::vector<ObjectId> refs, std::string payload);
  SharedBytes frame(const TestAgent& agent, const std::vector<TestObject>& objects);
  // The manifest behind `previous` (the first without one) of the agent.
  format::SignedManifest manifest(const TestAgent& agent, const ObjectId& root,
                                  const format::SignedManifest* previous = nullptr);
  // Any number and any link.
  format::SignedManifest manifest(const TestAgent& agent, const ObjectId& root,
                                  std::uint64_t sequence, std::optional<ManifestId> previous);

  // One of each; `owner` has all roles.
  TestAgent owner, writer, other_writer, reader, admin, powerless, revoked;

 private:
  std::vector<const TestAgent*> agents() const {
    return {&owner, &writer, &other_writer, &reader, &admin, &powerless, &revoked};
  }
  Random& random_;
  crypto::SigningKey admin_;
  crypto::SecretKey id_key_;
  crypto::SecretKey encryption_key_;
};

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
