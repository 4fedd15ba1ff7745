// One connection of ZmqDialer to one node.
#pragma once

#include <memory>

#include "common/ports/transport.h"
#include "common/posix/connection_guard.h"
#include "common/posix/poll_loop.h"
#include "common/posix/transport_limits.h"
#include "common/posix/zmq_socket.h"

namespace holdfast {

// Loop thread only; may be destroyed from inside of `receive`.
class ZmqChannel final : public Channel {
 public:
  // `socket` is a DEALER with all its options, not connected yet.
  static Result<std::unique_ptr<ZmqChannel>> connect(ZmqContext& context, PollLoop& loop,
                                                     ZmqSocket socket, const std::string& endpoint,
                                                     MessageLimits message, ConnectionLimits limits,
                                                     Dialer::Receive receive);
  ~ZmqChannel() override;
  ZmqChannel(const ZmqChannel&) = delete;
  ZmqChannel& operator=(const ZmqChannel&) = delete;

  void send(Message message) override;

 private:
  struct Life {
    ZmqChannel* channel;
  };

  ZmqChannel(PollLoop& loop, ZmqSocket socket, MessageLimits message, Dialer::Receive receive);
  void drain();
  void drain_soon();
  bool receive(std::optional<Message>& message);

  PollLoop& loop_;
  ZmqSocket socket_;
  const MessageLimits limits_;
  std::shared_ptr<const Dialer::Receive> receive_;
  std::unique_ptr<ConnectionGuard> guard_;
  WatchId watch_ = 0;
  bool drain_is_posted_ = false;
  std::shared_ptr<Life> life_;  // what tasks hold that may run when the channel is gone
};

}  // namespace holdfast
