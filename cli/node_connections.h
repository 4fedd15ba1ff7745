// This process's links to nodes, whichever way each is reached: over the network, or a data folder
// opened in this process.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/node_link.h"
#include "cli/output.h"
#include "cli/workplace.h"
#include "common/posix/zmq_dialer.h"
#include "repository/posix/node_host.h"

namespace holdfast::cli {

// Loop thread only. The links live as long as this does.
class NodeConnections {
 public:
  // `lock_wait`: for another process that uses a data folder.
  NodeConnections(Workplace& work, EmbeddedLog& log, Output& output, Duration lock_wait)
      : work_(work), log_(log), output_(output), lock_wait_(lock_wait) {}
  ~NodeConnections();
  NodeConnections(const NodeConnections&) = delete;
  NodeConnections& operator=(const NodeConnections&) = delete;

  // Opens the data folder in this process, if it is not yet, and returns what a charter says of it.
  Result<format::CharterNode> embed(repository::DataFolder folder);
  // Begins to connect; an address that cannot work makes a link that is down. A "dir:" node is
  // embedded first if it is not yet.
  agent::NodeLink& connect(const format::CharterNode& node, const RepositoryId& repository,
                           const CurveKeyPair& keys);

  std::vector<agent::NodeLink*> links() const;
  // Ends a link, which is gone afterwards. Not from a callback of one.
  void disconnect(agent::NodeLink& link);
  // Runs the loop until no link is connecting any more, or `grace` after one is ready.
  void settle(Duration grace);
  // Why no link is ready, node by node.
  std::string reasons() const;
  // Ends the embedded nodes, whose bytes are then durable.
  Status stop();

 private:
  const repository::NodeHost* host_at(const std::string& endpoint) const;
  Result<Dialer*> dialer_for(const format::CharterNode& node, const CurveKeyPair& keys);

  Workplace& work_;
  EmbeddedLog& log_;
  Output& output_;
  const Duration lock_wait_;
  std::vector<std::unique_ptr<repository::NodeHost>> hosts_;
  std::vector<std::unique_ptr<Dialer>> dialers_;
  std::vector<std::unique_ptr<agent::NodeLink>> links_;
};

// One request and its answer; the loop runs meanwhile.
Result<agent::NodeLink::Reply> ask(Workplace& work, agent::NodeLink& link,
                                   wire::RequestProto request);

}  // namespace holdfast::cli
