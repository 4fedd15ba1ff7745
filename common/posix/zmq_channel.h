// One connection of ZmqDialer to one node.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/ports/transport.h"
#include "common/posix/connection_guard.h"
#include "common/posix/poll_loop.h"
#include "common/posix/transport_limits.h"
#include "common/posix/zmq_socket.h"

namespace holdfast {

// Loop thread only; may be destroyed from inside of `receive`.
class ZmqChannel final : public Channel {
 public:
  struct Settings {
    std::string endpoint;
    MessageLimits message;
    ConnectionLimits connection;
    // libzmq connects again by itself, but gives an address up for good after bytes that are no
    // ZMTP and after an answer "not admitted". Then it is dialled anew after the first of these,
    // doubled up to the last.
    Duration redial_first;
    Duration redial_last;
  };
  // `socket` is a DEALER with all its options, not connected yet.
  static Result<std::unique_ptr<ZmqChannel>> connect(ZmqContext& context, PollLoop& loop,
                                                     ZmqSocket socket, Settings settings,
                                                     Dialer::Receive receive);
  ~ZmqChannel() override;
  ZmqChannel(const ZmqChannel&) = delete;
  ZmqChannel& operator=(const ZmqChannel&) = delete;

  void send(Message message) override;

 private:
  struct Life {
    ZmqChannel* channel;
  };

  ZmqChannel(PollLoop& loop, ZmqSocket socket, Settings settings, Dialer::Receive receive);
  void on_ended();
  void redial();
  void drain();
  void drain_soon();
  bool receive(std::optional<Message>& message);

  PollLoop& loop_;
  ZmqSocket socket_;
  const Settings settings_;
  std::shared_ptr<const Dialer::Receive> receive_;
  std::unique_ptr<ConnectionGuard> guard_;
  WatchId watch_ = 0;
  bool drain_is_posted_ = false;
  bool given_up_ = false;  // as far as is known
  bool redial_is_due_ = false;
  TimerId redial_timer_ = 0;
  Duration redial_wait_;
  std::shared_ptr<Life> life_;  // what tasks hold that may run when the channel is gone
};

}  // namespace holdfast
