#include "common/posix/zmq_dialer.h"

#include <algorithm>

#include "common/posix/tcp_endpoint.h"
#include "common/posix/zmq_channel.h"
#include "common/posix/zmq_socket.h"

namespace holdfast {
namespace {

int milliseconds(Duration duration) {
  using Milliseconds = std::chrono::duration<int, std::milli>;
  return std::max(1, std::chrono::duration_cast<Milliseconds>(duration).count());
}

Duration lengthened(Duration duration, Random& random) {
  const auto most = static_cast<std::uint64_t>(duration.count()) + 1;
  return duration + Duration(static_cast<std::int64_t>(random.below(most)));
}

}  // namespace

ZmqDialer::ZmqDialer(ZmqContext& context, PollLoop& loop, Random& random, CurveKeyPair keys,
                     DialerOptions options)
    : context_(context), loop_(loop), random_(random), keys_(std::move(keys)), options_(options) {}

Result<std::unique_ptr<Channel>> ZmqDialer::dial(const NodeAddress& address, Receive receive) {
  HOLDFAST_TRY(check_endpoint_to_dial(address.endpoint));
  HOLDFAST_ASSIGN(ZmqSocket socket, ZmqSocket::open(context_, ZMQ_DEALER));
  set_tcp_options(socket, options_.socket_buffer_bytes);
  socket.set(ZMQ_IPV6, 1);  // and IPv4
  socket.set(ZMQ_CURVE_SERVERKEY, address.server_key);
  socket.set(ZMQ_CURVE_PUBLICKEY, keys_.public_key);
  socket.set(ZMQ_CURVE_SECRETKEY, keys_.secret_key.view());
  // Queue only for a connection that is through with its handshake. It also gives every connection
  // a queue of its own: one that is full when its connection breaks would abort the next one
  // (libzmq issues 3596 and 3937). ZMQ_HEARTBEAT_IVL, the other half of that defect, stays unset.
  socket.set(ZMQ_IMMEDIATE, 1);
  socket.set(ZMQ_LINGER, milliseconds(options_.linger));
  const Duration first = lengthened(options_.reconnect_first, random_);
  const Duration last = lengthened(options_.reconnect_last, random_);
  socket.set(ZMQ_RECONNECT_IVL, milliseconds(first));
  socket.set(ZMQ_RECONNECT_IVL_MAX, milliseconds(last));
  socket.set(ZMQ_CONNECT_TIMEOUT, milliseconds(options_.connect));
  socket.set(ZMQ_HANDSHAKE_IVL, milliseconds(options_.handshake));
  const std::size_t largest = std::max(options_.message.head_bytes, options_.message.body_bytes);
  socket.set(ZMQ_MAXMSGSIZE, static_cast<std::int64_t>(largest + curve_wire_bytes(0)));
  socket.set(ZMQ_SNDHWM, options_.send_queue_messages);
  socket.set(ZMQ_RCVHWM, options_.receive_queue_messages);
  ZmqChannel::Settings settings{address.endpoint, options_.message, options_.connection, first,
                                last};
  HOLDFAST_ASSIGN(auto channel, ZmqChannel::connect(context_, loop_, std::move(socket),
                                                    std::move(settings), std::move(receive)));
  return std::unique_ptr<Channel>(std::move(channel));
}

}  // namespace holdfast
