// Reading: the ROUTER gives [routing id][head] or [routing id][head][body]. A routing id that is
// new is tied to the TCP connection its message came from (ZMQ_SRCFD) and to the key in the
// message's User-Id, which only the authenticator sets. From then on the id stands for the
// connection until the guard says that it has ended; only then, and when all that it sent before is
// read, does the handler hear of the end.
//
// The socket's descriptor is edge-triggered: every reading goes on until the socket is empty, or
// posts its continuation, and every sending posts a reading.
#include "common/posix/zmq_listener.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>

#include "common/base/text.h"
#include "common/posix/descriptor_limit.h"
#include "common/posix/tcp_endpoint.h"

namespace holdfast {
namespace {

// The header of libzmq 4.3.4 has these among its drafts, the library has them always (documented in
// zmq_setsockopt(3) and zmq_msg_gets(3)).
constexpr int kZapEnforceDomain = 93;
constexpr const char* kUserId = "User-Id";

constexpr int kMessagesPerTurn = 64;  // then timers and tasks have their turn
constexpr std::size_t kAutomaticIdSize = 5;
constexpr Duration kBindRetry = std::chrono::milliseconds(10);
// For the store's files, the log and the node's own dialling.
constexpr std::size_t kDescriptorsForOthers = 512;

bool chosen_by_the_peer(std::string_view routing_id) {
  // libzmq's own are a zero byte and a 32-bit counter.
  return routing_id.size() != kAutomaticIdSize || routing_id[0] != '\0';
}

std::optional<CurveKey> proven_key(ZmqMessage& part) {
  const char* text = ::zmq_msg_gets(part.handle(), kUserId);
  if (text == nullptr) return std::nullopt;
  const auto bytes = hex_decode(text);
  CurveKey key;
  if (!bytes || bytes->size() != key.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), key.begin());
  return key;
}

// Bytes that are counted as unsent until the last owner lets go of them.
class Counted {
 public:
  Counted(SharedBytes bytes, std::shared_ptr<std::atomic<std::size_t>> unsent)
      : bytes_(std::move(bytes)), unsent_(std::move(unsent)) {
    *unsent_ += bytes_.size();
  }
  ~Counted() { *unsent_ -= bytes_.size(); }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ByteView view() const { return bytes_; }

 private:
  const SharedBytes bytes_;
  const std::shared_ptr<std::atomic<std::size_t>> unsent_;
};

SharedBytes counted(SharedBytes bytes, const std::shared_ptr<std::atomic<std::size_t>>& unsent) {
  auto owner = std::make_shared<const Counted>(std::move(bytes), unsent);
  const ByteView view = owner->view();
  return {view, std::move(owner)};
}

}  // namespace

struct ZmqListener::Incoming {
  std::string routing_id;
  ZmqMessage head, body;
  std::size_t parts = 0;
  std::uint64_t wire_bytes = 0;
};

ZmqListener::ZmqListener(ZmqContext& context, PollLoop& loop, const ZapAuthenticator& authenticator,
                         CurveKeyPair keys, MessageHandler& handler, ListenerOptions options)
    : context_(context),
      loop_(loop),
      authenticator_(authenticator),
      keys_(std::move(keys)),
      handler_(handler),
      options_(options),
      alive_(std::make_shared<ZmqListener*>(this)) {
  check(&authenticator.context() == &context, "an authenticator of another ZeroMQ context");
}

ZmqListener::~ZmqListener() {
  *alive_ = nullptr;
  close();
}

Status ZmqListener::bind(const std::string& endpoint) {
  if (socket_) return Error(Code::kConflict, "already listening at " + endpoint_);
  HOLDFAST_TRY(check_endpoint_to_listen(endpoint));
  if (!authenticator_.running())
    return Error(Code::kUnavailable,
                 "cannot listen at " + endpoint +
                     ": the authenticator does not run, any key would be let in");
  HOLDFAST_TRY(open(endpoint));
  endpoint_ = socket_->last_endpoint();
  return {};
}

Status ZmqListener::open(const std::string& endpoint) {
  Status opened = open_socket(endpoint);
  if (!opened) close();
  return opened;
}

Status ZmqListener::open_socket(const std::string& endpoint) {
  HOLDFAST_ASSIGN(ZmqSocket socket, ZmqSocket::open(context_, ZMQ_ROUTER));
  socket_.emplace(std::move(socket));
  set_tcp_options(*socket_, options_.socket_buffer_bytes);
  socket_->set(ZMQ_IPV6, listens_with_ipv6(endpoint) ? 1 : 0);
  socket_->set(ZMQ_CURVE_SERVER, 1);
  socket_->set(ZMQ_CURVE_SECRETKEY, keys_.secret_key.view());
  socket_->set(ZMQ_ZAP_DOMAIN, as_bytes("holdfast"));
  socket_->set(kZapEnforceDomain, 1);  // without a handler nobody is let in
  socket_->set(ZMQ_ROUTER_MANDATORY, 1);
  // A second connection with the routing id of a first takes it over. Otherwise it would be left
  // unread for ever, with all that it sends up to the queue's limit.
  socket_->set(ZMQ_ROUTER_HANDOVER, 1);
  const std::size_t largest = std::max(options_.message.head_bytes, options_.message.body_bytes);
  socket_->set(ZMQ_MAXMSGSIZE, static_cast<std::int64_t>(largest + curve_wire_bytes(0)));
  socket_->set(ZMQ_RCVHWM, options_.receive_queue_messages);
  socket_->set(ZMQ_SNDHWM, options_.send_queue_messages);
  socket_->set(ZMQ_LINGER, 100);
  socket_->set(ZMQ_BACKLOG, 1024);  // a fleet that starts at the full hour
  using Milliseconds = std::chrono::duration<int, std::milli>;
  socket_->set(ZMQ_HANDSHAKE_IVL,
               std::chrono::duration_cast<Milliseconds>(options_.handshake).count());

  // At its descriptor limit libzmq would spin on accept(): stay well below.
  ConnectionLimits limits = options_.connection;
  const std::size_t descriptors = descriptor_limit();
  const std::size_t room = descriptors > 2 * kDescriptorsForOthers
                               ? descriptors - kDescriptorsForOthers
                               : descriptors / 2;
  limits.connections = std::min(limits.connections, std::max<std::size_t>(room, 1));
  ConnectionEvents events;
  events.opened = [this] { ++counters_.connections; };
  events.ended = [this](ConnectionNumber number, bool heard) { on_ended(number, heard); };
  events.cut = [this](std::string_view reason) { ++counters_.cut[reason]; };
  HOLDFAST_ASSIGN(guard_,
                  ConnectionGuard::watch(context_, loop_, *socket_, limits, std::move(events)));
  if (::zmq_bind(socket_->handle(), endpoint.c_str()) != 0) {
    const std::string what = "cannot listen at " + endpoint;
    const int refused = errno;
    if (refused == EADDRINUSE) return Error(Code::kConflict, what + ": the address is in use");
    if (refused == EINVAL || refused == EADDRNOTAVAIL || refused == ENODEV)
      return Error(Code::kInvalidArgument, what + ": " + ::zmq_strerror(refused));
    return error_from_errno(refused, what);
  }
  watch_ = loop_.watch(socket_->descriptor(), [this] { drain(); });
  drain_soon();
  return {};
}

void ZmqListener::close() {
  if (watch_ != 0) loop_.unwatch(std::exchange(watch_, 0));
  guard_.reset();
  socket_.reset();
  conversations_.clear();
  by_routing_id_.clear();
  leaving_.clear();
}

// The old socket gives its address back some time after it is closed.
void ZmqListener::reopen() {
  if (socket_) {
    spdlog::warn("{} connections are stuck: listening anew at {}", guard_->stuck(), endpoint_);
    ++times_reopened_;
    std::vector<Peer> gone;
    gone.reserve(conversations_.size());
    for (const auto& [number, conversation] : conversations_) gone.push_back(conversation.peer);
    std::sort(gone.begin(), gone.end());
    close();
    for (const Peer& peer : gone) handler_.on_disconnect(peer);
  }
  if (open(endpoint_)) return;
  loop_.after(kBindRetry, [alive = alive_] {
    if (*alive != nullptr && !(*alive)->socket_) (*alive)->reopen();
  });
}

void ZmqListener::drain_soon() {
  if (std::exchange(drain_is_posted_, true)) return;
  loop_.post([alive = alive_] {
    if (*alive == nullptr) return;
    (*alive)->drain_is_posted_ = false;
    (*alive)->drain();
  });
}

void ZmqListener::drain() {
  for (int i = 0; i < kMessagesPerTurn && socket_; ++i) {
    Incoming incoming;
    if (!receive(incoming)) {
      finish_ended();
      if (guard_->stuck() >= options_.stuck_until_reopen) reopen();
      return;
    }
    deliver(std::move(incoming));
  }
  drain_soon();
}

bool ZmqListener::receive(Incoming& incoming) {
  ZmqMessage part;
  if (!socket_->receive(part)) return false;
  incoming.routing_id = as_text(part.view());
  for (bool more = part.more(); more;) {
    check(socket_->receive(part), "a part of a message is missing");
    more = part.more();
    incoming.wire_bytes += curve_wire_bytes(part.view().size());
    if (++incoming.parts == 1)
      incoming.head = std::move(part);
    else if (incoming.parts == 2)
      incoming.body = std::move(part);
  }
  return true;
}

void ZmqListener::deliver(Incoming incoming) {
  ++counters_.messages_received;
  counters_.bytes_received += incoming.wire_bytes;
  Conversation* conversation = conversation_of(incoming);
  if (conversation == nullptr) return;
  const Peer peer = conversation->peer;
  guard_->took(peer.connection, incoming.wire_bytes);
  if (conversation->ended) return;
  if (incoming.parts > 2) return refuse(peer.connection, "a message of more than two parts");
  if (incoming.head.view().size() > options_.message.head_bytes)
    return refuse(peer.connection, "a head beyond its limit");
  if (incoming.body.view().size() > options_.message.body_bytes)
    return refuse(peer.connection, "a body beyond its limit");
  const ByteView head = incoming.head.view();
  Message message{Bytes(head.begin(), head.end()), {}};
  if (incoming.parts == 2) message.body = std::move(incoming.body).share();
  handler_.on_message(peer, std::move(message));
}

ZmqListener::Conversation* ZmqListener::conversation_of(const Incoming& incoming) {
  if (const auto known = by_routing_id_.find(incoming.routing_id); known != by_routing_id_.end())
    return &conversations_.at(known->second);
  auto& head = const_cast<ZmqMessage&>(incoming.head);
  const auto connection = guard_->find(::zmq_msg_get(head.handle(), ZMQ_SRCFD));
  if (!connection) return nullptr;  // its last message, after its end
  const std::optional<CurveKey> key = proven_key(head);
  if (!key || chosen_by_the_peer(incoming.routing_id)) {
    guard_->took(*connection, incoming.wire_bytes);
    guard_->cut(*connection, key ? "a routing id of its own choice" : "no proven key");
    return nullptr;
  }
  if (conversations_.contains(*connection)) {
    // Two routing ids over one descriptor: it was reused so fast that a last message of its earlier
    // connection was taken for the first of this one. Starting afresh is the only clean way.
    refuse(*connection, "its descriptor was reused");
    return nullptr;
  }
  Conversation& made = conversations_[*connection];
  made.peer = {*connection, *key};
  made.routing_id = incoming.routing_id;
  by_routing_id_[incoming.routing_id] = *connection;
  return &made;
}

void ZmqListener::on_ended(ConnectionNumber connection, bool heard) {
  if (!heard) ++counters_.unheard;
  if (!conversations_.contains(connection)) return;
  leaving_.push_back(connection);
  drain_soon();
}

void ZmqListener::finish_ended() {
  for (const ConnectionNumber connection : std::exchange(leaving_, {})) end(connection);
}

void ZmqListener::end(ConnectionNumber connection) {
  const auto found = conversations_.find(connection);
  if (found == conversations_.end()) return;
  const Peer peer = found->second.peer;
  by_routing_id_.erase(found->second.routing_id);
  conversations_.erase(found);
  handler_.on_disconnect(peer);
}

void ZmqListener::refuse(ConnectionNumber connection, std::string_view reason) {
  const auto found = conversations_.find(connection);
  if (found == conversations_.end() || found->second.ended) return;
  found->second.ended = true;
  guard_->cut(connection, reason);
}

void ZmqListener::disconnect(const Peer& peer) { refuse(peer.connection, "the node ends it"); }

void ZmqListener::reply(const Peer& peer, Message message) {
  const auto found = conversations_.find(peer.connection);
  if (found == conversations_.end() || found->second.ended) return;
  send(found->second, std::move(message));
}

void ZmqListener::send(Conversation& to, Message message) {
  const std::size_t size = message.head.size() + message.body.size();
  int error = EAGAIN;
  bool taken = *to.unsent + size <= options_.send_queue_bytes || *to.unsent == 0;
  if (taken) {
    const SharedBytes id(Buffer::copy_of(as_bytes(to.routing_id)));
    // Once the id is taken the other parts are: a ROUTER accepts or refuses a message as a whole.
    taken = socket_->send(ZmqMessage(id), true, &error);
    drain_soon();
  }
  if (!taken) {
    ++counters_.replies_dropped;
    if (error == EAGAIN && ++to.drops >= options_.drops_until_cut)
      refuse(to.peer.connection, "it does not read its replies");
    return;
  }
  to.drops = 0;
  const bool has_body = !message.body.empty();
  ++counters_.messages_sent;
  counters_.bytes_sent += curve_wire_bytes(message.head.size()) +
                          (has_body ? curve_wire_bytes(message.body.size()) : 0);
  auto head = std::make_shared<const Bytes>(std::move(message.head));
  const ByteView view(*head);
  check(socket_->send(ZmqMessage(counted({view, std::move(head)}, to.unsent)), has_body) &&
            (!has_body ||
             socket_->send(ZmqMessage(counted(std::move(message.body), to.unsent)), false)),
        "a ROUTER refused the rest of a message");
}

}  // namespace holdfast
