// Who may connect: answers the questions libzmq asks through ZAP (ZeroMQ RFC 27) for every CURVE
// handshake of its context, before any message of the peer is delivered. What an admitted key may
// then do is decided for each message, not here.
//
// An admitted key also has a budget of handshakes. Each costs the node five Curve25519 operations,
// and each connection may claim a routing id of its own choice; neither must be free of charge.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>

#include "common/ports/transport.h"
#include "common/posix/poll_loop.h"
#include "common/posix/zmq_socket.h"

namespace holdfast {

struct HandshakeRate {
  unsigned burst = 64;                               // at once, per key
  Duration refill = std::chrono::milliseconds(250);  // for one more
};

// How many handshakes ended how. Those that CURVE itself refuses never come here.
struct HandshakeCounters {
  std::uint64_t admitted = 0;
  std::uint64_t not_admitted = 0;  // of a key that nobody enrolled or invited
  std::uint64_t too_many = 0;      // of a key whose budget is spent
  std::uint64_t malformed = 0;
};

// Loop thread only. The context and the loop must outlive it.
class ZapAuthenticator {
 public:
  using Admits = std::function<bool(const CurveKey&)>;
  ZapAuthenticator(ZmqContext& context, PollLoop& loop, Admits admits, HandshakeRate rate = {});
  ~ZapAuthenticator() { stop(); }
  ZapAuthenticator(const ZapAuthenticator&) = delete;
  ZapAuthenticator& operator=(const ZapAuthenticator&) = delete;

  // kConflict if the context has one already.
  Status start();
  // Every later handshake of the context fails.
  void stop();
  bool running() const { return socket_.has_value(); }
  const ZmqContext& context() const { return context_; }
  const HandshakeCounters& counters() const { return counters_; }

 private:
  struct Budget {
    double left;
    Instant counted_at;
  };
  struct Verdict {
    const char* status;
    const char* text;
  };

  void answer_all();
  void answer(const std::vector<ZmqMessage>& request);
  Verdict judge(const std::vector<ZmqMessage>& request);
  bool spend(const CurveKey& key);

  ZmqContext& context_;
  PollLoop& loop_;
  const Admits admits_;
  const HandshakeRate rate_;
  std::optional<ZmqSocket> socket_;
  WatchId watch_ = 0;
  HandshakeCounters counters_;
  std::map<CurveKey, Budget> budgets_;  // of admitted keys only, so no more than the charter has
};

}  // namespace holdfast
