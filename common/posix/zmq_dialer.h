// An agent's or a peer's way to its nodes: one DEALER socket for each, so that what is meant for
// one never waits in the queue of another, and none for a node that is not connected.
#pragma once

#include "common/ports/random.h"
#include "common/ports/transport.h"
#include "common/posix/connection_guard.h"
#include "common/posix/curve_key_pair.h"
#include "common/posix/poll_loop.h"
#include "common/posix/transport_limits.h"
#include "common/posix/zmq_context.h"

namespace holdfast {

struct DialerOptions {
  MessageLimits message;
  ConnectionLimits connection;
  // Queued per node; beyond, messages are dropped. Credit in bytes, above, keeps well below.
  int send_queue_messages = 1000;
  int receive_queue_messages = 256;
  // The wait before connecting again: doubled from the first to the second. Both are lengthened by
  // up to as much again, at random for each node, so that a fleet does not return all at once.
  Duration reconnect_first = std::chrono::milliseconds(100);
  Duration reconnect_last = std::chrono::seconds(5);
  Duration connect = std::chrono::seconds(10);
  Duration handshake = std::chrono::seconds(10);
  // How long a closed channel goes on sending what it was given.
  Duration linger = std::chrono::milliseconds(500);
  std::size_t socket_buffer_bytes = kSocketBufferBytes;
};

// Loop thread only; a channel may be destroyed from inside of its `receive`. Context, loop and
// random must outlive it and its channels.
class ZmqDialer final : public Dialer {
 public:
  ZmqDialer(ZmqContext& context, PollLoop& loop, Random& random, CurveKeyPair keys,
            DialerOptions options = {});

  // kInvalidArgument for anything but "tcp://HOST:PORT", kResourceExhausted without descriptors.
  Result<std::unique_ptr<Channel>> dial(const NodeAddress& address, Receive receive) override;

 private:
  ZmqContext& context_;
  PollLoop& loop_;
  Random& random_;
  const CurveKeyPair keys_;
  const DialerOptions options_;
};

}  // namespace holdfast
