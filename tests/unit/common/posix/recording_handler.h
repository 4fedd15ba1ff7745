// A node's handler that writes down all it hears and answers every message with itself.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/ports/transport.h"
#include "tests/unit/common/posix/loop_thread.h"

namespace holdfast {

struct Heard {
  struct One {
    Peer peer;
    std::string head;
    SharedBytes body;
  };
  std::vector<One> messages;
  std::vector<Peer> disconnected;

  std::size_t count(std::string_view head) const {
    std::size_t times = 0;
    for (const One& one : messages) times += one.head == head;
    return times;
  }
};

class RecordingHandler final : public MessageHandler {
 public:
  // Answers through it, if not null. Node's loop.
  void answer_through(Responder* responder) { responder_ = responder; }
  // Called first for each message, on the node's loop, which it may hold up.
  void before_each(std::function<void(const Peer&)> hook) { hook_ = std::move(hook); }
  // For tests that look at memory: what is heard is not kept, only its head and sender.
  void forget_bodies() { keep_bodies_ = false; }
  void on_message(const Peer& peer, Message message) override {
    if (hook_) hook_(peer);
    heard.change([&](Heard& all) {
      all.messages.push_back(
          {peer, to_string(message.head), keep_bodies_ ? message.body : SharedBytes()});
    });
    if (responder_ != nullptr) responder_->reply(peer, std::move(message));
  }
  void on_disconnect(const Peer& peer) override {
    heard.change([&](Heard& all) { all.disconnected.push_back(peer); });
  }

  Watched<Heard> heard;

 private:
  Responder* responder_ = nullptr;
  std::function<void(const Peer&)> hook_;
  bool keep_bodies_ = true;
};

inline Message message_of(std::string_view head, std::string_view body = {}) {
  const ByteView bytes = as_bytes(head);
  Message message{Bytes(bytes.begin(), bytes.end()), {}};
  if (!body.empty()) message.body = SharedBytes(Buffer::copy_of(as_bytes(body)));
  return message;
}

}  // namespace holdfast
