// Peers that do not follow the rules: a DEALER driven by hand, for what an enrolled key can do, and
// bare TCP connections, for what a stranger can do.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <vector>

#include "common/base/endian.h"
#include "common/posix/zmq_socket.h"
#include "tests/unit/common/posix/forked_attacker.h"

namespace holdfast {

class RawDealer {
 public:
  // `before_connect` may set options.
  template <typename Setup>
  RawDealer(ZmqContext& context, const Target& target, Setup before_connect)
      : socket_(ZmqSocket::open(context, ZMQ_DEALER).value()),
        monitor_(ZmqSocket::open(context, ZMQ_PAIR).value()) {
    socket_.set(ZMQ_CURVE_SERVERKEY, target.server_key);
    socket_.set(ZMQ_CURVE_PUBLICKEY, target.public_key);
    socket_.set(ZMQ_CURVE_SECRETKEY, target.secret_key);
    socket_.set(ZMQ_LINGER, 0);
    socket_.set(ZMQ_RECONNECT_IVL, 20);
    before_connect(socket_);
    static int next = 0;
    const std::string events = "inproc://events-" + std::to_string(next++);
    check(::zmq_socket_monitor(socket_.handle(), events.c_str(),
                               ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED) == 0,
          "zmq_socket_monitor");
    check(::zmq_connect(monitor_.handle(), events.c_str()) == 0, "zmq_connect");
    const std::string endpoint = "tcp://127.0.0.1:" + std::to_string(target.port);
    check(::zmq_connect(socket_.handle(), endpoint.c_str()) == 0, "zmq_connect");
  }
  RawDealer(ZmqContext& context, const Target& target)
      : RawDealer(context, target, [](ZmqSocket&) {}) {}
  ~RawDealer() { ::zmq_socket_monitor(socket_.handle(), nullptr, 0); }

  // Waits for room as long as needed; reports each connection that was lost meanwhile.
  void send(SharedBytes part, bool more, const Reporter& report) {
    while (!socket_.send(ZmqMessage(part), more)) {
      wait(ZMQ_POLLOUT, 50);
      report_losses(report);
    }
    if (++sent_ % 256 == 0) report_losses(report);
  }
  bool try_send(SharedBytes part, bool more) {
    return socket_.send(ZmqMessage(std::move(part)), more);
  }
  // True if the socket can be written, or read, within the time.
  bool wait(short events, long milliseconds) {
    zmq_pollitem_t item{socket_.handle(), 0, events, 0};
    return ::zmq_poll(&item, 1, milliseconds) == 1;
  }
  bool receive(ZmqMessage& part) { return socket_.receive(part); }
  // Waits until the next event, ZMQ_EVENT_HANDSHAKE_SUCCEEDED or ZMQ_EVENT_DISCONNECTED; 0 if none
  // comes within the time.
  int event(long milliseconds = 60'000) {
    zmq_pollitem_t item{monitor_.handle(), 0, ZMQ_POLLIN, 0};
    if (::zmq_poll(&item, 1, milliseconds) != 1) return 0;
    ZmqMessage event, endpoint;
    check(monitor_.receive(event) && monitor_.receive(endpoint), "a monitor event");
    return load_le<std::uint16_t>(event.view().data());
  }
  void await(int wanted) {
    while (event() != wanted) {
    }
  }
  void report_losses(const Reporter& report) {
    while (const int kind = event(0))
      if (kind == ZMQ_EVENT_DISCONNECTED) report('D');
  }

 private:
  ZmqSocket socket_;
  ZmqSocket monitor_;
  unsigned sent_ = 0;
};

inline sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

inline Descriptor connect_raw(int port) {
  Descriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(port);
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return Descriptor();
  return fd;
}

inline Descriptor listen_raw(int port) {
  Descriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const sockaddr_in address = loopback(port);
  // Whoever had the port before gives it back a moment after it was closed.
  while (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
  }
  check(::listen(fd.get(), 16) == 0, "listen");
  return fd;
}

inline Descriptor accept_raw(const Descriptor& listener) {
  return Descriptor(::accept(listener.get(), nullptr, nullptr));
}

inline bool send_raw(const Descriptor& fd, ByteView bytes) {
  return ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(bytes.size());
}

// Reads until the other side ends the connection; false if nothing comes for so long.
inline bool ended_by_peer(const Descriptor& fd, int milliseconds = 60'000) {
  for (;;) {
    pollfd waiting{fd.get(), POLLIN, 0};
    if (::poll(&waiting, 1, milliseconds) != 1) return false;
    char sink[4096];
    if (::recv(fd.get(), sink, sizeof sink, 0) <= 0) return true;
  }
}

// The first 64 bytes of a ZMTP 3.1 connection with CURVE, as a client (RFC 23).
inline Bytes zmtp_greeting() {
  Bytes greeting(64, Byte{0});
  greeting[0] = 0xFF;
  greeting[9] = 0x7F;
  greeting[10] = 3;
  greeting[11] = 1;
  std::memcpy(greeting.data() + 12, "CURVE", 5);
  return greeting;
}

inline SharedBytes zeros(std::size_t size) {
  Buffer buffer(size);
  std::memset(buffer.data(), 0, size);
  return SharedBytes(std::move(buffer));
}

}  // namespace holdfast
