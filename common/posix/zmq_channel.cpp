#include "common/posix/zmq_channel.h"

#include <cerrno>

namespace holdfast {
namespace {

constexpr int kMessagesPerTurn = 64;  // then timers and tasks have their turn

}  // namespace

Result<std::unique_ptr<ZmqChannel>> ZmqChannel::connect(
    ZmqContext& context, PollLoop& loop, ZmqSocket socket, const std::string& endpoint,
    MessageLimits message, ConnectionLimits limits, Dialer::Receive receive) {
  std::unique_ptr<ZmqChannel> channel(
      new ZmqChannel(loop, std::move(socket), message, std::move(receive)));
  HOLDFAST_ASSIGN(channel->guard_, ConnectionGuard::watch(context, loop, channel->socket_, limits,
                                                          [](ConnectionNumber) {}));
  if (::zmq_connect(channel->socket_.handle(), endpoint.c_str()) != 0) {
    if (errno == EMFILE) return error_from_errno(errno, "cannot dial " + endpoint);
    return Error(Code::kInvalidArgument, "cannot dial " + endpoint + ": " + ::zmq_strerror(errno));
  }
  channel->watch_ =
      loop.watch(channel->socket_.descriptor(), [raw = channel.get()] { raw->drain(); });
  channel->drain_soon();
  return channel;
}

ZmqChannel::ZmqChannel(PollLoop& loop, ZmqSocket socket, MessageLimits message,
                       Dialer::Receive receive)
    : loop_(loop),
      socket_(std::move(socket)),
      limits_(message),
      receive_(std::make_shared<const Dialer::Receive>(std::move(receive))),
      life_(std::make_shared<Life>(Life{this})) {}

ZmqChannel::~ZmqChannel() {
  life_->channel = nullptr;
  if (watch_ != 0) loop_.unwatch(watch_);
  guard_.reset();
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
  if (parts > 2 || view.size() > limits_.head_bytes || body.view().size() > limits_.body_bytes) {
    if (connection) guard_->cut(*connection, "a message beyond what a node may send");
    return true;
  }
  message.emplace(Message{Bytes(view.begin(), view.end()), {}});
  if (parts == 2) message->body = std::move(body).share();
  return true;
}

}  // namespace holdfast
