// The life of libzmq in this process: its I/O thread and its inproc names. Whoever runs a process
// makes one and hands it to what dials and listens; tests make as many as they like.
#pragma once

namespace holdfast {

class ZmqContext {
 public:
  ZmqContext();
  // All sockets must be closed. Waits for what they still send, as long as their linger allows.
  ~ZmqContext();
  ZmqContext(const ZmqContext&) = delete;
  ZmqContext& operator=(const ZmqContext&) = delete;

  void* handle() const { return handle_; }

 private:
  void* const handle_;
};

}  // namespace holdfast
