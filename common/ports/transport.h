// Messages between an agent and a node. A channel promises little, so that cores work over
// anything: a message arrives whole or not at all, and may be lost, repeated or overtaken. Who sent
// it is known and cannot be forged.
#pragma once

#include <array>
#include <compare>
#include <functional>
#include <memory>
#include <string>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace holdfast {

using CurveKey = std::array<Byte, 32>;  // a public key of libzmq's CURVE (Curve25519)

// A small structured part (a wire.proto envelope) and, for frames, a large opaque one.
struct Message {
  Bytes head;
  SharedBytes body;
};

// An agent's side of its connection to one node. Loop thread only.
class Channel {
 public:
  virtual ~Channel() = default;  // closes; nothing is delivered afterwards
  // Never blocks. Drops the message when the node cannot be reached or its queue is full: the
  // sender's timeout covers both.
  virtual void send(Message message) = 0;
};

struct NodeAddress {
  std::string endpoint;   // "tcp://HOST:PORT" or "dir:/ABSOLUTE/PATH" for an embedded node
  CurveKey server_key{};  // unused for "dir:"
  friend bool operator==(const NodeAddress&, const NodeAddress&) = default;
};

class Dialer {
 public:
  using Receive = std::function<void(Message)>;
  virtual ~Dialer() = default;
  // Starts connecting and keeps trying in the background; fails only for an address that can never
  // work. `receive` is called on the loop thread.
  virtual Result<std::unique_ptr<Channel>> dial(const NodeAddress& address, Receive receive) = 0;
};

// A node's side: one agent or peer as it is connected now.
struct Peer {
  std::uint64_t connection = 0;  // never reused within a process
  CurveKey key{};  // proven by the handshake; all zero: the process that embeds the node
  friend auto operator<=>(const Peer&, const Peer&) = default;
};

class Responder {
 public:
  virtual ~Responder() = default;
  // Never blocks; drops what a peer that left or does not read cannot take.
  virtual void reply(const Peer& peer, Message message) = 0;
  // Ends the connection of a peer that broke the protocol.
  virtual void disconnect(const Peer& peer) = 0;
};

class MessageHandler {
 public:
  virtual ~MessageHandler() = default;
  virtual void on_message(const Peer& peer, Message message) = 0;
  virtual void on_disconnect(const Peer& peer) = 0;
};

}  // namespace holdfast
