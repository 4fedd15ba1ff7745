// One part of a ZeroMQ message. Bytes go in and out without being copied: what is sent keeps its
// owner alive until libzmq has written it, what was received stays in libzmq's memory.
#pragma once

#include <zmq.h>

#include "common/base/bytes.h"

namespace holdfast {

class ZmqMessage {
 public:
  ZmqMessage() { ::zmq_msg_init(&message_); }
  // `bytes` may be let go of on another thread.
  explicit ZmqMessage(SharedBytes bytes);
  ~ZmqMessage() { ::zmq_msg_close(&message_); }
  ZmqMessage(ZmqMessage&& other) noexcept : ZmqMessage() {
    ::zmq_msg_move(&message_, &other.message_);
  }
  ZmqMessage& operator=(ZmqMessage&& other) noexcept {
    if (this != &other) ::zmq_msg_move(&message_, &other.message_);
    return *this;
  }

  zmq_msg_t* handle() { return &message_; }
  ByteView view() const {
    auto* message = const_cast<zmq_msg_t*>(&message_);  // libzmq's getters take no const
    return {static_cast<const Byte*>(::zmq_msg_data(message)), ::zmq_msg_size(message)};
  }
  bool more() const { return ::zmq_msg_more(&message_) != 0; }
  // The bytes, owned by what is returned.
  SharedBytes share() &&;

 private:
  zmq_msg_t message_;
};

// What a part of `size` bytes takes on a connection with CURVE, in bytes: a ZMTP 3 frame header (2,
// or 9 for long frames) and a MESSAGE command: 8 of name, 8 of nonce, 16 of MAC, 1 of flags
// (RFC 23 and 26 of ZeroMQ).
constexpr std::uint64_t curve_wire_bytes(std::uint64_t size) {
  const std::uint64_t command = size + 33;
  return command + (command > 255 ? 9 : 2);
}

}  // namespace holdfast
