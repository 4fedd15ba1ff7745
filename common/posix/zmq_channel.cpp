#include "common/posix/zmq_channel.h"

#include <algorithm>
#include <cerrno>

namespace holdfast {
namespace {

constexpr int kMessagesPerTurn = 64;  // then timers and tasks have their turn

}  // namespace

Result<std::unique_ptr<ZmqChannel>> ZmqChannel::connect(ZmqContext& context, PollLoop& loop,
                                                        ZmqSocket socket, Settings settings,
                                                        Dialer::Receive receive) {
  std::unique_ptr<ZmqChannel> channel(
      new ZmqChannel(loop, std::move(socket), std::move(settings), std::move(receive)));
  ZmqChannel* const raw = channel.get();
  HOLDFAST_ASSIGN(
      channel->guard_,
      ConnectionGuard::watch(context, loop, channel->socket_, channel->settings_.connection,
                             {.ended = [raw](ConnectionNumber, bool) { raw->on_ended(); },
                              .connecting = [raw] { raw->given_up_ = false; }}));
  const std::string& endpoint = channel->settings_.endpoint;
  if (::zmq_connect(channel->socket_.handle(), endpoint.c_str()) != 0) {
    if (errno == EMFILE) return error_from_errno(errno, "cannot dial " + endpoint);
    return Error(Code::kInvalidArgument, "cannot dial " + endpoint + ": " + ::zmq_strerror(errno));
  }
  channel->watch_ = loop.watch(channel->socket_.descriptor(), [raw] { raw->drain(); });
  channel->drain_soon();
  return channel;
}

ZmqChannel::ZmqChannel(PollLoop& loop, ZmqSocket socket, Settings settings, Dialer::Receive receive)
    : loop_(loop),
      socket_(std::move(socket)),
      settings_(std::move(settings)),
      receive_(std::make_shared<const Dialer::Receive>(std::move(receive))),
      redial_wait_(settings_.redial_first),
      life_(std::make_shared<Life>(Life{this})) {}

ZmqChannel::~ZmqChannel() {
  life_->channel = nullptr;
  if (redial_is_due_) loop_.cancel(redial_timer_);
  if (watch_ != 0) loop_.unwatch(watch_);
  guard_.reset();
}

// libzmq says at once when it goes on by itself; if it has not by the time of the timer, it will
// not.
void ZmqChannel::on_ended() {
  given_up_ = true;
  if (std::exchange(redial_is_due_, true)) return;
  redial_timer_ = loop_.after(redial_wait_, [this] {
    redial_is_due_ = false;
    if (given_up_) redial();
  });
}

void ZmqChannel::redial() {
  redial_wait_ = std::min(2 * redial_wait_, settings_.redial_last);
  ::zmq_disconnect(socket_.handle(), settings_.endpoint.c_str());
  check(::zmq_connect(socket_.handle(), settings_.endpoint.c_str()) == 0,
        "an address that was dialled is refused");
  drain_soon();
}

void ZmqChannel::send(Message message) {
  const bool has_body = !message.body.empty();
  auto head = std::make_shared<const Bytes>(std::move(message.head));
  const ByteView view(*head);
  // When the second part is refused libzmq takes the first back: the message is lost as a whole.
  if (socket_.send(ZmqMessage(SharedBytes(view, std::move(head))), has_body) && has_body)
    socket_.send(ZmqMessage(std::move(message.body)), false);
  drain_soon();
}

void ZmqChannel::drain_soon() {
  if (std::exchange(drain_is_posted_, true)) return;
  loop_.post([life = life_] {
    if (life->channel == nullptr) return;
    life->channel->drain_is_posted_ = false;
    life->channel->drain();
  });
}

void ZmqChannel::drain() {
  const auto life = life_;
  const auto receiver = receive_;
  for (int i = 0; i < kMessagesPerTurn; ++i) {
    std::optional<Message> message;
    if (!receive(message)) return;
    if (message) (*receiver)(std::move(*message));
    if (life->channel == nullptr) return;
  }
  drain_soon();
}

// False when nothing is there; a message that breaks the rules is taken and not given.
bool ZmqChannel::receive(std::optional<Message>& message) {
  ZmqMessage part, head, body;
  if (!socket_.receive(part)) return false;
  const auto connection = guard_->find(::zmq_msg_get(part.handle(), ZMQ_SRCFD));
  std::uint64_t wire_bytes = 0;
  std::size_t parts = 0;
  for (;;) {
    const bool more = part.more();
    wire_bytes += curve_wire_bytes(part.view().size());
    if (++parts == 1)
      head = std::move(part);
    else if (parts == 2)
      body = std::move(part);
    if (!more) break;
    check(socket_.receive(part), "a part of a message is missing");
  }
  if (connection) guard_->took(*connection, wire_bytes);
  const ByteView view = head.view();
  if (parts > 2 || view.size() > settings_.message.head_bytes ||
      body.view().size() > settings_.message.body_bytes) {
    if (connection) guard_->cut(*connection, "a message beyond what a node may send");
    return true;
  }
  redial_wait_ = settings_.redial_first;
  message.emplace(Message{Bytes(view.begin(), view.end()), {}});
  if (parts == 2) message->body = std::move(body).share();
  return true;
}

}  // namespace holdfast
