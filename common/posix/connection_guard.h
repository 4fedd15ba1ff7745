// Bounds what the TCP connections of one ZeroMQ socket can cost. libzmq's own limits count whole
// messages, so a peer that never finishes a message (part after part, each within MAXMSGSIZE) grows
// the process without end. The guard counts bytes instead: what the kernel received on a connection
// (TCP_INFO) less what its reader took of it as whole messages is what the connection holds of
// libzmq's memory. Whoever holds too much is cut off at the socket, and libzmq lets go of it all.
//
// It also bounds how many connections there are: beyond the limit the oldest one that has not sent
// a message yet goes, so that a flood of strangers pushes out strangers.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <unordered_map>

#include "common/posix/poll_loop.h"
#include "common/posix/zmq_socket.h"

namespace holdfast {

using ConnectionNumber = std::uint64_t;  // never reused within a process

struct ConnectionLimits {
  std::size_t connections = 1024;
  // Held of one connection: more than the largest message and the socket's buffer.
  std::uint64_t unread_bytes = std::uint64_t{128} << 20;
  // Held of all connections: beyond, those that never sent a message go first, then the largest.
  std::uint64_t total_unread_bytes = std::uint64_t{384} << 20;
  // Between two counts. A peer on a fast link adds about 50 MB in this time to the limits above.
  Duration interval = std::chrono::milliseconds(50);
  // A connection that is cut, or that its peer closed, and that libzmq still holds after so many
  // counts is stuck: it stopped reading it for good.
  unsigned stuck_after = 40;
};

// What the guard tells; called on the loop's thread, not by the destructor.
struct ConnectionEvents {
  std::function<void()> opened = [] {};
  // Once for each connection that is gone; `heard`: it has sent a whole message.
  std::function<void(ConnectionNumber, bool heard)> ended = [](ConnectionNumber, bool) {};
  // For sockets that connect: libzmq is trying, or will, or has just done so.
  std::function<void()> connecting = [] {};
  // A connection is ended for this reason, a literal.
  std::function<void(std::string_view)> cut = [](std::string_view) {};
};

// Loop thread only.
class ConnectionGuard {
 public:
  // Before `watched` binds or connects; it, the context and the loop outlive the guard.
  static Result<std::unique_ptr<ConnectionGuard>> watch(ZmqContext& context, PollLoop& loop,
                                                        ZmqSocket& watched, ConnectionLimits limits,
                                                        ConnectionEvents events);
  ~ConnectionGuard();
  ConnectionGuard(const ConnectionGuard&) = delete;
  ConnectionGuard& operator=(const ConnectionGuard&) = delete;

  // The connection that a message with this ZMQ_SRCFD came from; nullopt if it is gone.
  std::optional<ConnectionNumber> find(int fd);
  // A whole message of `wire_bytes` was taken from the connection.
  void took(ConnectionNumber connection, std::uint64_t wire_bytes);
  // Ends the connection at the socket, for a reason that is a literal; what libzmq still has queued
  // of it may yet be delivered.
  void cut(ConnectionNumber connection, std::string_view reason);

  std::size_t connections() const { return connections_.size(); }
  std::size_t stuck() const { return stuck_; }

 private:
  struct Connection {
    int fd;
    std::uint64_t cookie;  // the kernel's own number of the socket: descriptors are reused
    std::uint64_t received = 0;
    std::uint64_t taken = 0;
    bool proven = false;  // has sent a whole message
    bool cut = false;
    unsigned ending_since = 0;  // counts in which it was closed and still there
    std::uint64_t unread() const { return received - taken; }
  };

  ConnectionGuard(PollLoop& loop, ZmqSocket& watched, ZmqSocket monitor, ConnectionLimits limits,
                  ConnectionEvents events);
  void read_events();
  void on_open(int fd);
  void on_closed(int fd);
  void make_room();
  void count();
  void count_one(ConnectionNumber number, Connection& connection);
  void enforce_total();
  void schedule();

  PollLoop& loop_;
  ZmqSocket& watched_;
  std::optional<ZmqSocket> monitor_;
  const ConnectionLimits limits_;
  const ConnectionEvents events_;
  WatchId watch_ = 0;
  TimerId timer_ = 0;
  bool timer_runs_ = false;
  std::map<ConnectionNumber, Connection> connections_;  // oldest first
  std::unordered_map<int, ConnectionNumber> by_fd_;
  std::uint64_t unread_ = 0;
  std::size_t stuck_ = 0;
};

}  // namespace holdfast
