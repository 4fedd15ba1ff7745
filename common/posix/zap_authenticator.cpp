#include "common/posix/zap_authenticator.h"

#include <algorithm>
#include <cerrno>

#include "common/base/text.h"

namespace holdfast {
namespace {

constexpr const char* kEndpoint = "inproc://zeromq.zap.01";

// The frames of a request, by their place (RFC 27).
enum Frame { kVersion, kRequestId, kDomain, kAddress, kRoutingId, kMechanism, kKey, kFrames };

ZmqMessage text_part(std::string_view text) {
  return ZmqMessage(SharedBytes(Buffer::copy_of(as_bytes(text))));
}

}  // namespace

ZapAuthenticator::ZapAuthenticator(ZmqContext& context, PollLoop& loop, Admits admits,
                                   HandshakeRate rate)
    : context_(context), loop_(loop), admits_(std::move(admits)), rate_(rate) {}

Status ZapAuthenticator::start() {
  check(!running(), "a ZapAuthenticator started twice");
  HOLDFAST_ASSIGN(ZmqSocket socket, ZmqSocket::open(context_, ZMQ_REP));
  socket.set(ZMQ_LINGER, 0);
  if (::zmq_bind(socket.handle(), kEndpoint) != 0) {
    if (errno == EADDRINUSE)
      return Error(Code::kConflict, "this ZeroMQ context has an authenticator already");
    return error_from_errno(errno, "cannot start the authenticator of connections");
  }
  socket_.emplace(std::move(socket));
  watch_ = loop_.watch(socket_->descriptor(), [this] { answer_all(); });
  loop_.post([] {});  // wakes a loop that waits already
  answer_all();
  return {};
}

void ZapAuthenticator::stop() {
  if (!running()) return;
  loop_.unwatch(watch_);
  socket_.reset();
}

void ZapAuthenticator::answer_all() {
  ZmqMessage part;
  while (running() && socket_->receive(part)) {
    std::vector<ZmqMessage> request;
    bool more = true;
    for (;;) {
      more = part.more();
      if (request.size() <= kFrames) request.push_back(std::move(part));
      if (!more) break;
      check(socket_->receive(part), "a part of a message is missing");
    }
    answer(request);
  }
}

void ZapAuthenticator::answer(const std::vector<ZmqMessage>& request) {
  const Verdict verdict = judge(request);
  const bool admitted = verdict.status[0] == '2';
  const auto id = request.size() > kRequestId ? as_text(request[kRequestId].view()) : "";
  const bool sent =
      socket_->send(text_part("1.0"), true) && socket_->send(text_part(id), true) &&
      socket_->send(text_part(verdict.status), true) &&
      socket_->send(text_part(verdict.text), true) &&
      socket_->send(text_part(admitted ? hex_encode(request[kKey].view()) : ""), true) &&
      socket_->send(ZmqMessage(), false);
  check(sent, "an answer to libzmq itself was refused");
}

ZapAuthenticator::Verdict ZapAuthenticator::judge(const std::vector<ZmqMessage>& request) {
  if (request.size() != kFrames || as_text(request[kVersion].view()) != "1.0") {
    ++counters_.malformed;
    return {"500", "Internal error"};
  }
  CurveKey key;
  const ByteView claimed = request[kKey].view();
  if (as_text(request[kMechanism].view()) != "CURVE" || claimed.size() != key.size()) {
    ++counters_.malformed;
    return {"400", "CURVE only"};
  }
  std::copy(claimed.begin(), claimed.end(), key.begin());
  if (!admits_(key)) {
    ++counters_.not_admitted;
    return {"400", "Not admitted"};
  }
  // Not 300, "try later": libzmq would then keep the connection until its handshake times out.
  if (!spend(key)) {
    ++counters_.too_many;
    return {"400", "Too many connections"};
  }
  ++counters_.admitted;
  return {"200", "OK"};
}

bool ZapAuthenticator::spend(const CurveKey& key) {
  const Instant now = loop_.clock().now();
  Budget& budget = budgets_.try_emplace(key, Budget{double(rate_.burst), now}).first->second;
  const double refilled = double((now - budget.counted_at).count()) / double(rate_.refill.count());
  budget = {std::min(double(rate_.burst), budget.left + refilled), now};
  if (budget.left < 1) return false;
  budget.left -= 1;
  return true;
}

}  // namespace holdfast
