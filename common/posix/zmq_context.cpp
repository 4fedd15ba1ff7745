#include "common/posix/zmq_context.h"

#include <zmq.h>

#include <cerrno>

#include "common/base/check.h"

namespace holdfast {

ZmqContext::ZmqContext() : handle_(::zmq_ctx_new()) {
  check(handle_ != nullptr, "no memory or descriptors for a ZeroMQ context");
  check(::zmq_has("curve") == 1, "this libzmq was built without CURVE");
  // One I/O thread keeps two cores busy, and keeps the events of a connection in order.
  ::zmq_ctx_set(handle_, ZMQ_IO_THREADS, 1);
  ::zmq_ctx_set(handle_, ZMQ_MAX_SOCKETS, 1023);
  // Sockets that do not say otherwise drop what is unsent, so that no exit can hang.
  ::zmq_ctx_set(handle_, ZMQ_BLOCKY, 0);
}

ZmqContext::~ZmqContext() {
  while (::zmq_ctx_term(handle_) != 0) check(errno == EINTR, "zmq_ctx_term failed");
}

}  // namespace holdfast
