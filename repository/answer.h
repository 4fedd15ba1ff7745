// The way back to who asked: one request's reply, given at once or once something is durable.
#pragma once

#include <span>

#include "common/base/digest.h"
#include "common/ports/transport.h"
#include "common/wire/message.h"
#include "repository/node_figures.h"

namespace holdfast::repository {

// Drawn at every start, and again when acknowledged bytes that were not durable had to be given up.
// What a node said in another incarnation and was not durable is void.
struct Incarnation {
  std::uint64_t number = 0;
};

// A small value. Exactly one of its functions is called, once. What it is made of outlives
// it. Loop thread only.
class Answer {
 public:
  Answer(Responder& responder, const Incarnation& incarnation, RequestCounters& counters,
         const Peer& peer, std::uint64_t request)
      : responder_(&responder),
        incarnation_(&incarnation),
        counters_(&counters),
        peer_(peer),
        request_(request) {}

  const Peer& peer() const { return peer_; }
  // `reply` has its `what` set; id and incarnation are put in here.
  void succeed(wire::ReplyProto reply, SharedBytes body = {}) const;
  // Of `missing` as many ids go with it as an error may have.
  void fail(const Error& error, std::span<const ObjectId> missing = {}) const;

 private:
  void send(wire::ReplyProto reply, SharedBytes body) const;

  Responder* responder_;
  const Incarnation* incarnation_;
  RequestCounters* counters_;
  Peer peer_;
  std::uint64_t request_;
};

}  // namespace holdfast::repository
