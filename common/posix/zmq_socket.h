// A libzmq socket that closes itself, with the options every socket of this project shares. One
// thread at a time.
#pragma once

#include <string>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/posix/zmq_context.h"
#include "common/posix/zmq_message.h"

namespace holdfast {

class ZmqSocket {
 public:
  // kResourceExhausted if the process or the context has no room for another.
  static Result<ZmqSocket> open(ZmqContext& context, int type);
  ~ZmqSocket() { close(); }
  ZmqSocket(ZmqSocket&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  ZmqSocket& operator=(ZmqSocket&&) = delete;

  void* handle() const { return handle_; }
  // Wrong options and values are mistakes of the program, and abort.
  void set(int option, int value);
  void set(int option, std::int64_t value);
  void set(int option, ByteView value);
  // Readable when the socket may have something to do; see receive() for when to stop asking.
  int descriptor() const;
  std::string last_endpoint() const;

  // False when there is nothing. The descriptor becomes readable again only after this has said
  // false, or a send has run: it is edge-triggered, so read until false, and once more after sends.
  bool receive(ZmqMessage& part);
  // False when the part cannot be taken now; `error` is then errno (EAGAIN, EHOSTUNREACH).
  bool send(ZmqMessage part, bool more, int* error = nullptr);

 private:
  explicit ZmqSocket(void* handle) : handle_(handle) {}
  void close();

  void* handle_ = nullptr;
};

// Both ends' defaults for a TCP connection: keepalive that notices within two
// minutes a peer that vanished, and socket buffers of `buffer_bytes` if the system grants them in
// full (net.core.rmem_max, wmem_max): asking for more than it grants would only switch its own
// tuning off, at a smaller size.
void set_tcp_options(ZmqSocket& socket, std::size_t buffer_bytes);

}  // namespace holdfast
