#include "agent/node_link.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "common/base/planted_bug.h"

namespace holdfast::agent {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(250);
constexpr unsigned kMostDoublings = 5;
constexpr std::string_view kProgram = "holdfast 0.1.0";

// The ids of Hellos; every other request has a larger one.
constexpr std::uint64_t kHelloId = 1;

}  // namespace

NodeLink::NodeLink(format::CharterNode node, const RepositoryId& repository, EventLoop& loop,
                   const Clock& clock, Random& random, LinkPolicy policy)
    : node_(std::move(node)),
      repository_(repository),
      loop_(loop),
      clock_(clock),
      random_(random),
      policy_(policy),
      // Drawn, so that a reply to an earlier process at the same address is nobody's.
      next_id_((random.uint64() >> 2) + kHelloId + 1),
      hello_pause_(policy.first_resend) {}

NodeLink::~NodeLink() {
  *alive_ = false;
  if (timer_) loop_.cancel(*timer_);
}

Status NodeLink::start(Dialer& dialer) {
  started_ = last_heard_ = clock_.now();
  dialer_ = &dialer;
  if (Status dialled = dial(); !dialled) {
    state_ = State::kDown;
    down_reason_ = dialled.error();
    return std::move(dialled).error().with_context(node_.name);
  }
  send_hello();
  return {};
}

Status NodeLink::dial() {
  HOLDFAST_ASSIGN(channel_, dialer_->dial(node_.address, [this](Message message) {
    receive(std::move(message));
  }));
  return {};
}

void NodeLink::call(wire::RequestProto request, SharedBytes body, Done done) {
  if (state_ == State::kDown) {
    loop_.post([done = std::move(done), reason = down_reason_] { done(reason); });
    return;
  }
  const std::uint64_t id = next_id_++;
  request.set_id(id);
  request.set_repository(repository_.str());
  Call& call = calls_[id];
  const Instant now = clock_.now();
  call = {std::move(request), std::move(body), std::move(done), now, now, 0, 0};
  unanswered_bytes_ += call.body.size();
  if (state_ == State::kReady) {
    if (calls_.size() == 1)
      last_heard_ = clock_.now();  // silence counts from when something is due
    transmit(id, call);
  }
  if (!timer_) arm(kTick);
}

void NodeLink::transmit(std::uint64_t id, Call& call) {
  check(id == call.request.id(), "a call filed under another id");
  call.sent = clock_.now();
  call.serial = ++serial_;
  channel_->send(wire::encode(call.request, call.body));
}

void NodeLink::send_hello() {
  wire::RequestProto request;
  request.set_id(kHelloId);
  request.set_repository(repository_.str());
  request.mutable_hello()->set_protocol(wire::kProtocolVersion);
  request.mutable_hello()->set_program(std::string(kProgram));
  channel_->send(wire::encode(request));
  arm(jittered(hello_pause_));
  const Duration most =
      state_ == State::kDown ? policy_.probe_most : std::min<Duration>(kTick, policy_.probe_most);
  hello_pause_ = std::min(2 * hello_pause_, most);
}

void NodeLink::receive(Message message) {
  auto reply = wire::decode_reply(message.head);
  if (!reply) return;  // a node that answers garbage has not answered
  last_heard_ = clock_.now();
  if (reply->id() == kHelloId)
    welcome(*reply);
  else if (state_ == State::kReady)
    answer(std::move(*reply), std::move(message.body));
}

void NodeLink::welcome(const wire::ReplyProto& reply) {
  if (reply.has_error()) {
    // It is there, and refuses: nothing that waits can help.
    if (state_ == State::kConnecting) fail(wire::error_of(reply));
    return;
  }
  if (!reply.has_hello()) return;
  const bool restarted = incarnation_ != reply.incarnation();
  if (state_ == State::kReady && !restarted) return;
  hello_ = reply.hello();
  incarnation_ = reply.incarnation();
  state_ = State::kReady;
  hello_pause_ = policy_.first_resend;
  for (auto& [id, call] : calls_) {
    transmit(id, call);
    call.due_since = call.sent;
  }
  arm(kTick);
  if (changed_) changed_();
}

void NodeLink::answer(wire::ReplyProto reply, SharedBytes body) {
  const std::shared_ptr<bool> alive = alive_;
  if (reply.incarnation() != incarnation_) {
    // Another life of the node than the one that greeted us: greet it, and let everybody know
    // before they hear what it says.
    incarnation_ = reply.incarnation();
    if (changed_) changed_();
    if (!*alive) return;
  }
  const auto found = HOLDFAST_PLANTED("take any reply for the oldest call's") && !calls_.empty()
                         ? calls_.begin()
                         : calls_.find(reply.id());
  if (found == calls_.end()) return;  // answered before: a repeated reply
  Call call = std::move(found->second);
  calls_.erase(found);
  unanswered_bytes_ -= call.body.size();
  highest_answered_ = std::max(highest_answered_, call.serial);
  call.body = {};
  if (!call.done) return;  // a ping
  if (reply.has_error())
    call.done(wire::error_of(reply));
  else
    call.done(Reply{std::move(reply), std::move(body)});
}

void NodeLink::tick() {
  const Instant now = clock_.now();
  if (state_ != State::kReady) {
    if (state_ == State::kConnecting && now - started_ >= policy_.connect_timeout)
      fail(Error(Code::kUnavailable,
                 fmt::format("node {} ({}) does not answer", node_.name, node_.address.endpoint)));
    send_hello();
    return;
  }
  if (calls_.empty()) return;
  using std::chrono::duration_cast, std::chrono::seconds;
  if (now - last_heard_ >= policy_.silence)
    return fail_and_dial(Error(
        Code::kUnavailable,
        fmt::format("node {} ({}) stopped answering {} s ago", node_.name, node_.address.endpoint,
                    duration_cast<seconds>(now - last_heard_).count())));
  for (auto& [id, call] : calls_) {
    if (now - call.due_since >= policy_.answer)
      return fail_and_dial(Error(
          Code::kUnavailable,
          fmt::format("node {} ({}) is there, but has not answered what it was asked {} s ago; its "
                      "disk may hang",
                      node_.name, node_.address.endpoint,
                      duration_cast<seconds>(now - call.due_since).count())));
    const bool overtaken = call.serial < highest_answered_;
    const Duration patience = (overtaken ? policy_.overtaken_resend : policy_.resend) *
                              (1 << std::min(call.resends, kMostDoublings));
    if (now - call.sent < patience || (!overtaken && last_heard_ <= call.sent)) continue;
    ++call.resends;
    transmit(id, call);
  }
  if (now - last_heard_ >= policy_.ping && now - last_ping_ >= policy_.ping) {
    last_ping_ = now;
    wire::RequestProto ping;
    ping.mutable_ping();
    call(std::move(ping), {}, nullptr);
  }
  arm(kTick);
}

void NodeLink::arm(Duration delay) {
  if (timer_) loop_.cancel(*timer_);
  timer_ = loop_.after(delay, [this] {
    timer_.reset();
    tick();
  });
}

void NodeLink::fail(Error reason) {
  state_ = State::kDown;
  down_reason_ = reason;
  hello_pause_ = kTick;
  unanswered_bytes_ = 0;
  const std::shared_ptr<bool> alive = alive_;
  for (auto& [id, call] : std::exchange(calls_, {})) {
    if (call.done) call.done(reason);
    if (!*alive) return;
  }
  if (changed_) changed_();
}

// What waits in the connection is given up with it: it would be sent again beside whatever is sent
// to the node once it is back. Where no other connection is to be had, the old one stays.
void NodeLink::fail_and_dial(Error reason) {
  const std::shared_ptr<bool> alive = alive_;
  fail(std::move(reason));
  if (!*alive) return;
  static_cast<void>(dial());
  send_hello();
}

Duration NodeLink::jittered(Duration delay) {
  // Between half and one and a half of it, so that many agents do not come back at once.
  return delay / 2 + Duration(static_cast<std::int64_t>(
                         random_.below(static_cast<std::uint64_t>(delay.count()) + 1)));
}

}  // namespace holdfast::agent
