// The monitor of a socket tells the descriptor of each connection. That descriptor belongs to
// libzmq's thread, which may close it and see the number reused at any time; so every use of it
// first compares SO_COOKIE, which is never reused, with the one seen when the connection opened.
// What remains of the race (the number is reused between the comparison and the call) can at worst
// read the figures of, or end, another connection, which its owner then opens again.
#include "common/posix/connection_guard.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "common/base/endian.h"

namespace holdfast {
namespace {

constexpr int kConnecting =
    ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CONNECT_DELAYED | ZMQ_EVENT_CONNECT_RETRIED;
constexpr int kEvents = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | kConnecting;

// TCP_ESTABLISHED, which <linux/tcp.h> leaves to a header that excludes it.
constexpr std::uint8_t kEstablished = 1;

// One row for the process, since numbers are promised never to be reused in it.
std::uint64_t next_number() {
  static std::atomic<std::uint64_t> next = 1;
  return next.fetch_add(1);
}

// 0 if `fd` is not a socket (any more).
std::uint64_t cookie_of(int fd) {
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  return ::getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

std::optional<tcp_info> info_of(int fd) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  return info;
}

}  // namespace

Result<std::unique_ptr<ConnectionGuard>> ConnectionGuard::watch(ZmqContext& context, PollLoop& loop,
                                                                ZmqSocket& watched,
                                                                ConnectionLimits limits,
                                                                ConnectionEvents events) {
  const std::string endpoint = "inproc://holdfast-connections-" + std::to_string(next_number());
  if (::zmq_socket_monitor(watched.handle(), endpoint.c_str(), kEvents) != 0)
    return error_from_errno(errno, "cannot watch the connections of a socket");
  HOLDFAST_ASSIGN(ZmqSocket monitor, ZmqSocket::open(context, ZMQ_PAIR));
  // Without a limit: libzmq's I/O thread would block on a full queue, and every socket with it. An
  // event is small and the loop reads them first.
  monitor.set(ZMQ_RCVHWM, 0);
  monitor.set(ZMQ_LINGER, 0);
  if (::zmq_connect(monitor.handle(), endpoint.c_str()) != 0)
    return error_from_errno(errno, "cannot watch the connections of a socket");
  return std::unique_ptr<ConnectionGuard>(
      new ConnectionGuard(loop, watched, std::move(monitor), limits, std::move(events)));
}

ConnectionGuard::ConnectionGuard(PollLoop& loop, ZmqSocket& watched, ZmqSocket monitor,
                                 ConnectionLimits limits, ConnectionEvents events)
    : loop_(loop), watched_(watched), limits_(limits), events_(std::move(events)) {
  monitor_.emplace(std::move(monitor));
  watch_ = loop_.watch(monitor_->descriptor(), [this] { read_events(); });
  read_events();
}

ConnectionGuard::~ConnectionGuard() {
  if (timer_runs_) loop_.cancel(timer_);
  loop_.unwatch(watch_);
  ::zmq_socket_monitor(watched_.handle(), nullptr, 0);
  monitor_.reset();
}

void ConnectionGuard::read_events() {
  ZmqMessage event, endpoint;
  while (monitor_->receive(event)) {
    check(event.view().size() == 6 && event.more(), "a monitor event of another shape");
    check(monitor_->receive(endpoint), "a monitor event without its endpoint");
    const auto kind = load_le<std::uint16_t>(event.view().data());
    const auto fd = static_cast<int>(load_le<std::uint32_t>(event.view().data() + 2));
    if (kind == ZMQ_EVENT_DISCONNECTED)
      on_closed(fd);
    else if (kind == ZMQ_EVENT_ACCEPTED || kind == ZMQ_EVENT_CONNECTED)
      on_open(fd);
    if ((kind & kConnecting) != 0) events_.connecting();
  }
}

void ConnectionGuard::on_open(int fd) {
  on_closed(fd);  // its end went by without an event
  const ConnectionNumber number = next_number();
  connections_.emplace(number, Connection{fd, cookie_of(fd)});
  by_fd_[fd] = number;
  events_.opened();
  make_room();
  schedule();
}

void ConnectionGuard::on_closed(int fd) {
  const auto found = by_fd_.find(fd);
  if (found == by_fd_.end()) return;
  const ConnectionNumber number = found->second;
  by_fd_.erase(found);
  const auto connection = connections_.extract(number);
  events_.ended(number, connection.mapped().proven);
}

void ConnectionGuard::make_room() {
  const auto open = std::count_if(connections_.begin(), connections_.end(),
                                  [](const auto& entry) { return !entry.second.cut; });
  if (static_cast<std::size_t>(open) <= limits_.connections) return;
  auto victim = std::find_if(connections_.begin(), connections_.end(), [](const auto& entry) {
    return !entry.second.cut && !entry.second.proven;
  });
  check(victim != connections_.end(), "the newest connection is proven already");
  cut(victim->first, "too many connections");
}

std::optional<ConnectionNumber> ConnectionGuard::find(int fd) {
  // The event of its opening was written before its first message; it may not have been read yet.
  if (!by_fd_.contains(fd)) read_events();
  const auto found = by_fd_.find(fd);
  if (found == by_fd_.end()) return std::nullopt;
  return found->second;
}

void ConnectionGuard::took(ConnectionNumber number, std::uint64_t wire_bytes) {
  const auto found = connections_.find(number);
  if (found == connections_.end()) return;
  found->second.proven = true;
  found->second.taken += wire_bytes;
}

void ConnectionGuard::cut(ConnectionNumber number, std::string_view reason) {
  const auto found = connections_.find(number);
  if (found == connections_.end() || found->second.cut) return;
  Connection& connection = found->second;
  connection.cut = true;
  spdlog::debug("connection {} is cut: {}", number, reason);
  events_.cut(reason);
  if (cookie_of(connection.fd) == connection.cookie) ::shutdown(connection.fd, SHUT_RDWR);
}

void ConnectionGuard::schedule() {
  if (timer_runs_ || connections_.empty()) return;
  timer_runs_ = true;
  timer_ = loop_.after(limits_.interval, [this] {
    timer_runs_ = false;
    count();
    schedule();
  });
}

void ConnectionGuard::count() {
  read_events();
  std::vector<int> gone;
  unread_ = 0;
  stuck_ = 0;
  for (auto& [number, connection] : connections_) {
    if (cookie_of(connection.fd) != connection.cookie) {
      gone.push_back(connection.fd);  // closed without an event, as libzmq does on some paths
      continue;
    }
    count_one(number, connection);
    unread_ += connection.unread();
    if (connection.ending_since > limits_.stuck_after) ++stuck_;
  }
  for (const int fd : gone) on_closed(fd);
  if (unread_ > limits_.total_unread_bytes) enforce_total();
}

void ConnectionGuard::count_one(ConnectionNumber number, Connection& connection) {
  const std::optional<tcp_info> info = info_of(connection.fd);
  if (!info) return;
  connection.received = std::max(connection.received, std::uint64_t{info->tcpi_bytes_received});
  // Credit is not saved up: what was counted too generously before gives no room later.
  connection.taken = std::min(connection.taken, connection.received);
  const bool ending = connection.cut || info->tcpi_state != kEstablished;
  connection.ending_since = ending ? connection.ending_since + 1 : 0;
  if (connection.unread() > limits_.unread_bytes) cut(number, "it holds too many unread bytes");
}

void ConnectionGuard::enforce_total() {
  std::uint64_t left = unread_;
  std::vector<std::pair<ConnectionNumber, const Connection*>> worst;
  for (const auto& [number, connection] : connections_) {
    if (connection.cut)
      left -= connection.unread();  // on its way out
    else
      worst.emplace_back(number, &connection);
  }
  std::sort(worst.begin(), worst.end(), [](const auto& a, const auto& b) {
    if (a.second->proven != b.second->proven) return !a.second->proven;
    return a.second->unread() > b.second->unread();
  });
  for (const auto& [number, connection] : worst) {
    if (left <= limits_.total_unread_bytes) break;
    left -= connection->unread();
    cut(number, "all connections together hold too many unread bytes");
  }
}

}  // namespace holdfast
