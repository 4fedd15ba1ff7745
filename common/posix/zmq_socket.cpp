#include "common/posix/zmq_socket.h"

#include <array>
#include <cerrno>
#include <fstream>

#include "common/posix/descriptor_limit.h"

namespace holdfast {
namespace {

// More than the threads of a context, a socket, its monitor, a listening descriptor and the lookup
// of an address take together, which is about ten.
constexpr std::size_t kSpareDescriptors = 16;

std::size_t system_limit(const char* path) {
  std::size_t limit = 0;
  std::ifstream(path) >> limit;
  return limit;
}

}  // namespace

Result<ZmqSocket> ZmqSocket::open(ZmqContext& context, int type) {
  // Where libzmq finds none, to start its threads or to resolve an address, it ends the process.
  HOLDFAST_TRY_OR(require_descriptors(kSpareDescriptors), "cannot open a ZeroMQ socket");
  void* handle = ::zmq_socket(context.handle(), type);
  if (handle == nullptr) return error_from_errno(errno, "cannot open a ZeroMQ socket");
  return ZmqSocket(handle);
}

void ZmqSocket::close() {
  if (handle_ != nullptr) check(::zmq_close(std::exchange(handle_, nullptr)) == 0, "zmq_close");
}

void ZmqSocket::set(int option, int value) {
  check(::zmq_setsockopt(handle_, option, &value, sizeof value) == 0, "a ZeroMQ option is refused");
}

void ZmqSocket::set(int option, std::int64_t value) {
  check(::zmq_setsockopt(handle_, option, &value, sizeof value) == 0, "a ZeroMQ option is refused");
}

void ZmqSocket::set(int option, ByteView value) {
  check(::zmq_setsockopt(handle_, option, value.data(), value.size()) == 0,
        "a ZeroMQ option is refused");
}

int ZmqSocket::descriptor() const {
  int fd = -1;
  std::size_t size = sizeof fd;
  check(::zmq_getsockopt(handle_, ZMQ_FD, &fd, &size) == 0, "a ZeroMQ socket without descriptor");
  return fd;
}

std::string ZmqSocket::last_endpoint() const {
  std::array<char, 512> text{};
  std::size_t size = text.size();
  check(::zmq_getsockopt(handle_, ZMQ_LAST_ENDPOINT, text.data(), &size) == 0, "ZMQ_LAST_ENDPOINT");
  return text.data();
}

bool ZmqSocket::receive(ZmqMessage& part) {
  for (;;) {
    if (::zmq_msg_recv(part.handle(), handle_, ZMQ_DONTWAIT) >= 0) return true;
    if (errno == EINTR) continue;
    check(errno == EAGAIN, "zmq_msg_recv failed");
    return false;
  }
}

bool ZmqSocket::send(ZmqMessage part, bool more, int* error) {
  const int flags = ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0);
  for (;;) {
    if (::zmq_msg_send(part.handle(), handle_, flags) >= 0) return true;  // libzmq owns it now
    if (errno == EINTR) continue;
    check(errno == EAGAIN || errno == EHOSTUNREACH, "zmq_msg_send failed");
    if (error != nullptr) *error = errno;
    return false;
  }
}

void set_tcp_options(ZmqSocket& socket, std::size_t buffer_bytes) {
  socket.set(ZMQ_TCP_KEEPALIVE, 1);
  socket.set(ZMQ_TCP_KEEPALIVE_IDLE, 60);
  socket.set(ZMQ_TCP_KEEPALIVE_INTVL, 15);
  socket.set(ZMQ_TCP_KEEPALIVE_CNT, 4);
  const int bytes = static_cast<int>(buffer_bytes);
  if (buffer_bytes == 0) return;
  if (buffer_bytes <= system_limit("/proc/sys/net/core/rmem_max")) socket.set(ZMQ_RCVBUF, bytes);
  if (buffer_bytes <= system_limit("/proc/sys/net/core/wmem_max")) socket.set(ZMQ_SNDBUF, bytes);
}

}  // namespace holdfast
