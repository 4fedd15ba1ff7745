// A node on a simulated disk, with a small repository on it: what hostile requests and hostile
// segments meet. Everything runs within a call, and time stands still unless it is moved.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "repository/folder_shelf.h"
#include "repository/node.h"
#include "repository/store/memory_index.h"
#include "tests/simulation/sim_file_system.h"
#include "tests/unit/repository/enrolled_repository.h"
#include "tests/unit/repository/node_ports.h"

namespace holdfast::fuzz {

// What lies in a node's folder, by path.
using NodeFiles = std::vector<std::pair<std::string, Bytes>>;

// The folder of a node that holds a repository of this charter, and what `fill` puts into its store
// before all is made durable.
NodeFiles found_repository(const format::SignedCharter& charter, repository::ObjectIndex& index,
                           const std::function<void(repository::Store&)>& fill);

// The same in every run: a repository, its charter, and a snapshot of the writer's: two chunks in a
// frame, a list over them in another. What a node has of it, as files; and the same node's index.
struct FuzzedRepository {
  FuzzedRepository();
  // The keys of who may have signed something.
  const repository::TestAgent* agent(const AgentId& id) const;

  testing::SeededRandom random{1};
  repository::EnrolledRepository enrolled{random};
  repository::TestObject first, second, root;
  SharedBytes data_frame, list_frame;
  format::SignedManifest manifest;
  NodeFiles files;
  std::string segment;  // path of the only one
  repository::MemoryIndex index;
};
FuzzedRepository& fuzzed_repository();

class FuzzedNode {
 public:
  struct Reply {
    wire::ReplyProto proto;
    SharedBytes body;
  };
  // These files on its disk; not started yet.
  explicit FuzzedNode(const NodeFiles& files = fuzzed_repository().files);
  ~FuzzedNode();

  // Starts, or ends without a word and starts again over the same disk, with the index of this
  // content.
  void start(const repository::MemoryIndex& index = {});
  // Sends and lets everything run. At most one reply comes back: it is held against the protocol.
  std::vector<Reply> send(const Peer& peer, Message message);
  // Of the owner. The one reply.
  Reply ask(wire::RequestProto request, SharedBytes body = {});
  // All findings of a verification of every signature; none if all is well.
  std::vector<std::string> verify();

  simulation::SimFileSystem& disk() { return disk_; }
  NodeFiles files();
  void pass(Duration time) { loop_.advance(time); }
  bool hosts() const { return node_->repositories() == 1; }

 private:
  class Replies;
  void run();

  simulation::SimFileSystem disk_;
  repository::ManualClock clock_;
  repository::ManualLoop loop_{clock_};
  repository::ManualExecutor executor_;
  testing::SeededRandom random_{2};
  repository::TestInvitations invitations_;
  repository::RecordingLog log_;
  std::unique_ptr<Replies> replies_;
  repository::MemoryIndex index_;
  std::unique_ptr<repository::FolderShelf> shelf_;
  std::unique_ptr<repository::Node> node_;
  std::uint64_t next_request_ = 1;
  std::uint64_t next_run_ = 1;

 public:
  repository::TestInvitations& invitations() { return invitations_; }
};

}  // namespace holdfast::fuzz
