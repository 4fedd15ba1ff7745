// A node: takes the requests of agents, lets through what their keys may do, and answers for each
// repository that it hosts. A state machine behind ports; the shell is
// repository/posix/node_host.h.
//
// Who may do what (docs/protocol.md has the table) is decided for every single message from the
// newest charter of the repository it names. Nothing is remembered of a connection but the answers
// that it waits for.
//
// Life: construct -> start -> (on_message | on_disconnect)* -> stop -> destroy. Loop thread only.
// Must be destroyed only when the executor has no work of it any more; the store's files are then
// closed. Destroying it without stop() is what a crash is.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/ports/random.h"
#include "repository/hosted_repository.h"
#include "repository/invitations.h"

namespace holdfast::repository {

struct NodeOptions {
  NodeId id;
  std::string program = "holdfast";  // name and version, for status
  // Frames' bytes that one agent may have unanswered.
  std::uint64_t window_bytes = std::uint64_t{32} << 20;
  // Whether the all-zero key is the process around this node, which may do everything. Never set
  // where messages come from a network: a zero key can be "proven" by anybody.
  bool embedded = false;
  RepositoryLimits limits;
};

// All outlive the node.
struct NodePorts {
  EventLoop& loop;
  Executor& executor;
  const Clock& clock;
  Random& random;
  Responder& responder;
  RepositoryShelf& shelf;
  Invitations& invitations;
  EventLog& log;
};

class Node final : public MessageHandler {
 public:
  Node(NodeOptions options, NodePorts ports);
  ~Node() override;

  // Opens all repositories of the shelf. One that cannot be opened is logged and answered for with
  // its error, so that it does not keep the others down. Fails if the shelf cannot be read.
  Status start();
  // Takes no more writes, makes durable what is not, then calls `done` from the loop.
  void stop(std::function<void(Status)> done);

  void on_message(const Peer& peer, Message message) override;
  void on_disconnect(const Peer& peer) override;

  // Whether a connection of this key may be made at all: an agent of any charter here, or invited.
  bool admits(const CurveKey& key);
  std::uint64_t incarnation() const { return incarnation_.number; }
  std::size_t repositories() const { return hosted_.size(); }
  // Costs a look-up for each snapshot, though at most once a second where there are many.
  NodeFigures figures();

 private:
  void receive(const Asker& asker, HostedRepository& repository, wire::RequestProto& request,
               SharedBytes body, const Answer& answer);
  void receive_about_absent(const Asker& asker, const RepositoryId& id, wire::RequestProto& request,
                            const Answer& answer);
  void receive_hello(const Asker& asker, HostedRepository* repository,
                     const wire::HelloRequest& request, const Answer& answer);
  void receive_ping(const Answer& answer);
  void receive_status(HostedRepository& repository, const Answer& answer);
  // PutCharter for a repository that has no charter here.
  void receive_first_charter(const Asker& asker, const RepositoryId& id,
                             const wire::PutCharterRequest& request, const Answer& answer);

  Result<Asker> identify(const Peer& peer, const HostedRepository* repository);
  Status allow(const Asker& asker, const RepositoryId& id, const HostedRepository* repository,
               const wire::RequestProto& request) const;
  HostedRepository* find(const RepositoryId& id);
  Result<HostedRepository*> host(const RepositoryId& id, OpenedStore opened);
  void draw_incarnation();

  const NodeOptions options_;
  const NodePorts ports_;
  Incarnation incarnation_;
  const Instant started_at_;
  bool stopping_ = false;
  RequestCounters requests_;
  std::map<RepositoryId, std::unique_ptr<HostedRepository>> hosted_;
  std::map<RepositoryId, Error> unopened_;
};

}  // namespace holdfast::repository
