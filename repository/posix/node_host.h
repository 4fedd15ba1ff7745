// A node at work in this process: a data folder, a loop on a thread of its own, a pool for what is
// slow, and one of two fronts: a listener for agents on the network, or the embedding process.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/posix/in_process_network.h"
#include "common/posix/zmq_listener.h"
#include "repository/disk_probe.h"
#include "repository/node.h"
#include "repository/posix/data_folder.h"
#include "repository/posix/node_metrics.h"

namespace holdfast::repository {

struct HostOptions {
  std::string program = "holdfast";
  RepositoryLimits limits;
  StoreLimits store;
  ListenerOptions listener;
  // Of a node that serves. Called on its loop:
  //   whenever its disk has answered in time: neither hangs;
  std::function<void()> alive = [] {};
  //   with one line for people, whenever what it says has changed.
  std::function<void(const std::string&)> status = [](const std::string&) {};
  DiskProbeOptions probe;
};

// What to do while another process uses the folder.
struct LockPatience {
  Duration timeout{0};  // then kConflict
  // Called once, with who has it, before the wait begins; false gives up at once.
  std::function<bool(const Error&)> wait;
};

// Any thread, one at a time.
class NodeHost {
 public:
  // Starts to accept agents at the folder's address; that is also written into the folder. The log
  // outlives the host and is called from its loop. kNoRepository, kConflict (the folder or the
  // address is in use), kInvalidArgument (it has no address), and what the devices say.
  static Result<std::unique_ptr<NodeHost>> serve(DataFolder folder, EventLog& log,
                                                 HostOptions options = {});
  // Starts to answer this process at embedded_endpoint(folder.path()) of `network`, which outlives
  // it.
  static Result<std::unique_ptr<NodeHost>> embed(DataFolder folder, InProcessNetwork& network,
                                                 EventLog& log, LockPatience patience = {},
                                                 HostOptions options = {});
  // stop(), if that was not called.
  ~NodeHost();
  NodeHost(const NodeHost&) = delete;
  NodeHost& operator=(const NodeHost&) = delete;

  // Where it answers, with the real port.
  const std::string& endpoint() const { return endpoint_; }
  const NodeId& id() const { return id_; }

  // What a node that serves knows of itself, asked of its loop. kTimedOut if that does not answer
  // in time. Also from several threads at once, all of which are through before stop() is called.
  Result<std::shared_ptr<const HostFigures>> figures(Duration patience);

  // Takes no more writes, makes durable what is not, ends and lets go of the folder. Blocks. The
  // error says that bytes which were not acknowledged as durable are lost.
  Status stop();

 private:
  struct State;
  explicit NodeHost(std::unique_ptr<State> state);

  const std::string endpoint_;
  const NodeId id_;
  std::unique_ptr<State> state_;  // null once stopped
};

// "dir:" and the absolute path.
std::string embedded_endpoint(const std::string& path);

}  // namespace holdfast::repository
