// A node's ear: one ROUTER socket that agents and peers connect to, with CURVE for all and ZAP
// mandatory. Peers are known by the key that the handshake proved, never by what they call
// themselves. Everything that an admitted key may do wrong is bounded here:
//
//   messages of more than two parts, or beyond the limits    the connection is cut
//   unfinished messages, floods, too many connections        ConnectionGuard
//   replies that are not read                                dropped beyond a budget, then cut
//   routing ids of the peer's choice                         the connection is cut
//   connections that libzmq can never free                   the socket is opened anew
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/ports/transport.h"
#include "common/posix/connection_guard.h"
#include "common/posix/curve_key_pair.h"
#include "common/posix/poll_loop.h"
#include "common/posix/transport_limits.h"
#include "common/posix/zap_authenticator.h"
#include "common/posix/zmq_socket.h"

namespace holdfast {

struct ListenerOptions {
  MessageLimits message;
  ConnectionLimits connection;
  // Whole messages that wait in libzmq per connection; then TCP holds the peer back.
  int receive_queue_messages = 8;
  int send_queue_messages = 1000;
  // Replies per connection that are not yet on the socket, in bytes; beyond, they are dropped.
  std::size_t send_queue_bytes = std::size_t{128} << 20;
  // Replies dropped one after the other until the connection is cut.
  unsigned drops_until_cut = 256;
  // A connection must be through with its handshake by then.
  Duration handshake = std::chrono::seconds(5);
  std::size_t socket_buffer_bytes = kSocketBufferBytes;
  // Stuck connections (ConnectionGuard) until the socket is opened anew, which ends all.
  std::size_t stuck_until_reopen = 16;
};

// What went through a listener since it was made.
struct ListenerCounters {
  std::uint64_t messages_received = 0, messages_sent = 0;
  std::uint64_t bytes_received = 0, bytes_sent = 0;  // of these, as encrypted
  std::uint64_t replies_dropped = 0;                 // which their peers did not read
  std::uint64_t connections = 0;
  std::uint64_t unheard = 0;  // connections that ended before they had sent a message
  std::map<std::string_view, std::uint64_t> cut;  // connections, by reason
};

// Loop thread only; not destroyed from inside of a call to the handler. Context, loop,
// authenticator and handler must outlive it.
class ZmqListener final : public Responder {
 public:
  // `keys` are the node's own.
  ZmqListener(ZmqContext& context, PollLoop& loop, const ZapAuthenticator& authenticator,
              CurveKeyPair keys, MessageHandler& handler, ListenerOptions options = {});
  // Says goodbye to nobody: the handler is not called.
  ~ZmqListener() override;
  ZmqListener(const ZmqListener&) = delete;
  ZmqListener& operator=(const ZmqListener&) = delete;

  // Accepts connections at "tcp://ADDRESS:PORT" from now on; port 0 or * lets the system choose.
  // kInvalidArgument for what is no such endpoint, kConflict if it is taken or a bind has been
  // made, kUnavailable if the authenticator does not run: without it any key would be let in.
  Status bind(const std::string& endpoint);
  // Where it listens, with the real port. Empty before bind().
  const std::string& endpoint() const { return endpoint_; }

  void reply(const Peer& peer, Message message) override;
  void disconnect(const Peer& peer) override;

  // Not for a moment while it opens its socket anew, or for long if it cannot.
  bool listening() const { return socket_.has_value(); }
  const ListenerCounters& counters() const { return counters_; }
  // For status and tests.
  std::size_t connections() const { return guard_ ? guard_->connections() : 0; }
  std::uint64_t times_reopened() const { return times_reopened_; }

 private:
  struct Conversation {
    Peer peer;
    std::string routing_id;
    std::shared_ptr<std::atomic<std::size_t>> unsent =
        std::make_shared<std::atomic<std::size_t>>(0);
    unsigned drops = 0;
    bool ended = false;  // nothing more is delivered or sent
  };
  struct Incoming;

  Status open(const std::string& endpoint);
  Status open_socket(const std::string& endpoint);
  void close();
  void reopen();
  void drain();
  void drain_soon();
  bool receive(Incoming& incoming);
  void deliver(Incoming incoming);
  Conversation* conversation_of(const Incoming& incoming);
  void on_ended(ConnectionNumber connection, bool heard);
  void finish_ended();
  void end(ConnectionNumber connection);
  void refuse(ConnectionNumber connection, std::string_view reason);
  void send(Conversation& to, Message message);

  ZmqContext& context_;
  PollLoop& loop_;
  const ZapAuthenticator& authenticator_;
  const CurveKeyPair keys_;
  MessageHandler& handler_;
  const ListenerOptions options_;

  std::string endpoint_;
  std::optional<ZmqSocket> socket_;
  std::unique_ptr<ConnectionGuard> guard_;
  WatchId watch_ = 0;
  bool drain_is_posted_ = false;
  std::unordered_map<ConnectionNumber, Conversation> conversations_;
  std::unordered_map<std::string, ConnectionNumber> by_routing_id_;
  std::vector<ConnectionNumber> leaving_;  // ended; told to the handler once the socket is empty
  std::uint64_t times_reopened_ = 0;
  ListenerCounters counters_;
  std::shared_ptr<ZmqListener*> alive_;  // for tasks that may run when it is gone
};

}  // namespace holdfast
