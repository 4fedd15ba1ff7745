// A node that listens on loopback, for tests: a loop on its thread, an authenticator that admits a
// set of keys, and a handler that records and answers.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <memory>
#include <set>

#include "common/posix/system_random.h"
#include "common/posix/zmq_dialer.h"
#include "common/posix/zmq_listener.h"
#include "tests/unit/common/posix/caller.h"

namespace holdfast {

class ZmqNode {
 public:
  explicit ZmqNode(ListenerOptions options = {}, HandshakeRate rate = {})
      : options_(options), keys_(generate_curve_key_pair()) {
    thread_.run([&] {
      authenticator_ = std::make_unique<ZapAuthenticator>(
          context_, thread_.loop(), [this](const CurveKey& key) { return admitted_.contains(key); },
          rate);
      const Status started = authenticator_->start();
      check(started.has_value(), "the authenticator does not start");
    });
    start();
  }
  ~ZmqNode() {
    stop();
    thread_.run([&] { authenticator_.reset(); });
  }

  // Listens, at the same address as before if it did.
  void start() {
    const std::string where = endpoint_.empty() ? "tcp://127.0.0.1:*" : endpoint_;
    // A listener that was closed gives its address back a moment later.
    while (!thread_.run([&] {
      listener_ = std::make_unique<ZmqListener>(context_, thread_.loop(), *authenticator_,
                                                keys_.clone(), handler, options_);
      handler.answer_through(listener_.get());
      return listener_->bind(where).has_value();
    })) {
    }
    endpoint_ = listener_->endpoint();
  }
  void stop() {
    thread_.run([&] {
      handler.answer_through(nullptr);
      listener_.reset();
    });
  }

  NodeAddress address() const { return {endpoint_, keys_.public_key}; }
  void admit(const CurveKey& key) {
    thread_.run([&] { admitted_.insert(key); });
  }
  CurveKeyPair enrolled() {
    CurveKeyPair keys = generate_curve_key_pair();
    admit(keys.public_key);
    return keys;
  }
  // Asks on the node's loop, every 5 ms, until it is so; false after a minute.
  bool eventually(std::function<bool()> holds) {
    std::promise<bool> answer;
    const Instant end = thread_.loop().clock().now() + std::chrono::minutes(1);
    std::function<void()> ask = [&] {
      const bool yes = holds();
      if (yes || thread_.loop().clock().now() > end)
        answer.set_value(yes);
      else
        thread_.loop().after(std::chrono::milliseconds(5), [&] { ask(); });
    };
    thread_.run([&] { ask(); });
    return answer.get_future().get();
  }
  LoopThread& thread() { return thread_; }
  ZmqContext& context() { return context_; }
  ZapAuthenticator& authenticator() { return *authenticator_; }
  ZmqListener& listener() { return *listener_; }
  int port() const { return std::stoi(endpoint_.substr(endpoint_.rfind(':') + 1)); }

  RecordingHandler handler;

 private:
  const ListenerOptions options_;
  ZmqContext context_;
  const CurveKeyPair keys_;
  LoopThread thread_;
  std::set<CurveKey> admitted_;
  std::string endpoint_;
  std::unique_ptr<ZapAuthenticator> authenticator_;
  std::unique_ptr<ZmqListener> listener_;
};

// An agent with a key, its loop and its own ZeroMQ context.
class ZmqAgent {
 public:
  explicit ZmqAgent(CurveKeyPair keys, DialerOptions options = {})
      : public_key(keys.public_key),
        dialer(context_, thread_.loop(), random_, std::move(keys), options) {}
  std::unique_ptr<Caller> call(const NodeAddress& address) {
    return std::make_unique<Caller>(thread_, dialer, address);
  }
  LoopThread& thread() { return thread_; }

 private:
  ZmqContext context_;
  LoopThread thread_;
  SystemRandom random_;

 public:
  const CurveKey public_key;
  ZmqDialer dialer;
};

}  // namespace holdfast
