// An agent's side in tests: one channel on a loop, and what was received over it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/ports/transport.h"
#include "tests/unit/common/posix/loop_thread.h"
#include "tests/unit/common/posix/recording_handler.h"

namespace holdfast {

class Caller {
 public:
  struct Received {
    std::vector<std::string> heads;
    std::vector<SharedBytes> bodies;
  };

  // Dials; aborts if the address is refused.
  Caller(LoopThread& thread, Dialer& dialer, const NodeAddress& address) : thread_(thread) {
    thread_.run([&] {
      auto dialled = dialer.dial(address, [this](Message message) {
        received.change([&](Received& all) {
          all.heads.push_back(to_string(message.head));
          all.bodies.push_back(message.body);
        });
      });
      check(dialled.has_value(), "dial was refused");
      channel_ = std::move(dialled).value();
    });
  }
  ~Caller() { hang_up(); }

  void hang_up() {
    thread_.run([&] { channel_.reset(); });
  }
  void send(std::string_view head, std::string_view body = {}) {
    thread_.run([&] { channel_->send(message_of(head, body)); });
  }
  // The same, from a task of the loop.
  void send_on_loop(std::string_view head) { channel_->send(message_of(head)); }
  // Hangs up, from a task of the loop.
  void close_on_loop() { channel_.reset(); }
  // Sends `head` again and again, as a core with a timeout does, until something comes back.
  bool connect(std::string head = "hello") {
    const std::size_t before = received.get().heads.size();
    stop_ = false;
    thread_.run([&] { say(head); });
    const bool answered =
        received.wait([&](const Received& all) { return all.heads.size() > before; });
    thread_.run([&] {
      stop_ = true;
      thread_.loop().cancel(timer_);
    });
    return answered;
  }

  Watched<Received> received;

 private:
  void say(std::string head) {
    if (stop_) return;
    channel_->send(message_of(head));
    timer_ = thread_.loop().after(std::chrono::milliseconds(10),
                                  [this, head = std::move(head)] { say(head); });
  }

  LoopThread& thread_;
  std::unique_ptr<Channel> channel_;
  bool stop_ = false;
  TimerId timer_ = 0;
};

}  // namespace holdfast
