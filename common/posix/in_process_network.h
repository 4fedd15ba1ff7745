// Messages between an agent and a node embedded in the same process, each on its own loop: passed
// by pointer, otherwise with the semantics of a network. What is sent to a node that is not there,
// or beyond a full queue, is lost; the node's handler hears when a channel closes.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "common/ports/executor.h"
#include "common/ports/transport.h"

namespace holdfast {

namespace in_process {
class Host;
class Link;
}  // namespace in_process

// Any thread. Must outlive its nodes and dialers.
class InProcessNetwork {
 public:
  // Messages on their way per channel and direction; beyond, they are dropped.
  explicit InProcessNetwork(std::size_t queue_messages = 1024) : queue_messages_(queue_messages) {}

 private:
  friend class InProcessNode;
  friend class InProcessDialer;
  const std::size_t queue_messages_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<in_process::Host>> hosts_;
};

// A node's side, at one "dir:" address. Made, used and destroyed on the node's loop (or while that
// does not run); the loop must live until tasks posted before the destruction have run or been
// destroyed. Not destroyed from inside of a call to the handler.
class InProcessNode final : public Responder {
 public:
  // kConflict if the address is taken, kInvalidArgument if it does not begin with "dir:".
  static Result<std::unique_ptr<InProcessNode>> listen(InProcessNetwork& network,
                                                       const std::string& endpoint, EventLoop& loop,
                                                       MessageHandler& handler);
  ~InProcessNode() override;
  InProcessNode(const InProcessNode&) = delete;
  InProcessNode& operator=(const InProcessNode&) = delete;

  void reply(const Peer& peer, Message message) override;
  // The channel's next message arrives over a new connection.
  void disconnect(const Peer& peer) override;

 private:
  InProcessNode(InProcessNetwork& network, std::string endpoint,
                std::shared_ptr<in_process::Host> host);

  InProcessNetwork& network_;
  const std::string endpoint_;
  const std::shared_ptr<in_process::Host> host_;
};

// An agent's side. Agent's loop only.
class InProcessDialer final : public Dialer {
 public:
  InProcessDialer(InProcessNetwork& network, EventLoop& loop) : network_(network), loop_(loop) {}

  // The node may start to listen later. kInvalidArgument for what does not begin with "dir:".
  Result<std::unique_ptr<Channel>> dial(const NodeAddress& address, Receive receive) override;

 private:
  InProcessNetwork& network_;
  EventLoop& loop_;
};

}  // namespace holdfast
