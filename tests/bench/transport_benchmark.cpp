// Bodies of 1 MiB from an agent to a node over TCP on loopback, 16 on their way at a time, each
// answered by a small acknowledgement: through ZmqDialer and ZmqListener (CURVE), between bare
// libzmq sockets with and without CURVE (the limit of the library), and within the process.
#include <benchmark/benchmark.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "common/posix/in_process_network.h"
#include "common/posix/system_random.h"
#include "common/posix/zmq_dialer.h"
#include "common/posix/zmq_listener.h"

namespace holdfast {
namespace {

constexpr std::size_t kBody = 1 << 20;
constexpr int kWindow = 16;

class LoopThread {
 public:
  LoopThread() : thread_([this] { loop_.run(); }) {}
  ~LoopThread() {
    loop_.stop();
    thread_.join();
  }
  PollLoop& loop() { return loop_; }
  template <typename Work>
  void run(Work work) {
    std::promise<void> done;
    loop_.post([&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }

 private:
  PollLoop loop_;
  std::thread thread_;
};

class Acknowledge final : public MessageHandler {
 public:
  Responder* responder = nullptr;
  void on_message(const Peer& peer, Message message) override {
    benchmark::DoNotOptimize(message.body.data());
    responder->reply(peer, {std::move(message.head), {}});
  }
  void on_disconnect(const Peer&) override {}
};

SharedBytes body_of_zeros() {
  Buffer buffer(kBody);
  std::memset(buffer.data(), 0, buffer.size());
  return SharedBytes(std::move(buffer));
}

// Keeps kWindow messages on their way until all are acknowledged. All on the agent's loop.
class Stream {
 public:
  explicit Stream(LoopThread& thread) : thread_(thread) {}
  void dial(Dialer& dialer, const NodeAddress& address) {
    thread_.run([&] { channel_ = dialer.dial(address, [this](Message) { on_answer(); }).value(); });
    // Until the first answer messages are lost.
    to_send_ = 0;
    expected_ = 1;
    done_ = {};
    auto connected = done_.get_future();
    thread_.run([&] { knock(); });
    connected.wait();
  }
  void transfer(int messages) {
    done_ = {};
    auto finished = done_.get_future();
    thread_.run([&] {
      expected_ = messages;
      to_send_ = messages;
      for (int i = 0; i < kWindow; ++i) send_one();
    });
    finished.wait();
  }
  void hang_up() {
    thread_.run([&] { channel_.reset(); });
  }

 private:
  void knock() {
    if (expected_ == 0) return;
    channel_->send({Bytes(8), {}});
    thread_.loop().after(std::chrono::milliseconds(20), [this] { knock(); });
  }
  void send_one() {
    if (to_send_ == 0) return;
    --to_send_;
    channel_->send({Bytes(64), body_});
  }
  void on_answer() {
    if (expected_ == 0) return;
    send_one();
    if (--expected_ == 0) done_.set_value();
  }

  LoopThread& thread_;
  const SharedBytes body_ = body_of_zeros();
  std::unique_ptr<Channel> channel_;
  int to_send_ = 0, expected_ = 0;
  std::promise<void> done_;
};

constexpr int kMessages = 256;

void count_bytes(benchmark::State& state) {
  state.SetBytesProcessed(state.iterations() * kMessages * static_cast<std::int64_t>(kBody));
}

void transport_over_tcp_with_curve(benchmark::State& state) {
  ZmqContext node_context, agent_context;
  LoopThread node_thread, agent_thread;
  SystemRandom random;
  Acknowledge handler;
  const CurveKeyPair node_keys = generate_curve_key_pair();
  std::unique_ptr<ZapAuthenticator> authenticator;
  std::unique_ptr<ZmqListener> listener;
  node_thread.run([&] {
    authenticator = std::make_unique<ZapAuthenticator>(node_context, node_thread.loop(),
                                                       [](const CurveKey&) { return true; });
    check(authenticator->start().has_value(), "start");
    listener = std::make_unique<ZmqListener>(node_context, node_thread.loop(), *authenticator,
                                             node_keys.clone(), handler);
    handler.responder = listener.get();
    check(listener->bind("tcp://127.0.0.1:*").has_value(), "bind");
  });
  ZmqDialer dialer(agent_context, agent_thread.loop(), random, generate_curve_key_pair());
  Stream stream(agent_thread);
  stream.dial(dialer, {listener->endpoint(), node_keys.public_key});
  for (auto _ : state) stream.transfer(kMessages);
  count_bytes(state);
  stream.hang_up();
  node_thread.run([&] {
    listener.reset();
    authenticator.reset();
  });
}
BENCHMARK(transport_over_tcp_with_curve)->UseRealTime()->Unit(benchmark::kMillisecond);

void transport_in_process(benchmark::State& state) {
  InProcessNetwork network;
  LoopThread node_thread, agent_thread;
  Acknowledge handler;
  std::unique_ptr<InProcessNode> node;
  node_thread.run([&] {
    node = InProcessNode::listen(network, "dir:/bench", node_thread.loop(), handler).value();
    handler.responder = node.get();
  });
  InProcessDialer dialer(network, agent_thread.loop());
  Stream stream(agent_thread);
  stream.dial(dialer, {"dir:/bench", {}});
  for (auto _ : state) stream.transfer(kMessages);
  count_bytes(state);
  stream.hang_up();
  node_thread.run([&] { node.reset(); });
}
BENCHMARK(transport_in_process)->UseRealTime()->Unit(benchmark::kMillisecond);

void bare_sockets(benchmark::State& state, bool curve) {
  ZmqContext push_context, pull_context;
  ZmqSocket pull = ZmqSocket::open(pull_context, ZMQ_PULL).value();
  ZmqSocket push = ZmqSocket::open(push_context, ZMQ_PUSH).value();
  const CurveKeyPair server = generate_curve_key_pair(), client = generate_curve_key_pair();
  if (curve) {
    pull.set(ZMQ_CURVE_SERVER, 1);
    pull.set(ZMQ_CURVE_SECRETKEY, server.secret_key.view());
    push.set(ZMQ_CURVE_SERVERKEY, server.public_key);
    push.set(ZMQ_CURVE_PUBLICKEY, client.public_key);
    push.set(ZMQ_CURVE_SECRETKEY, client.secret_key.view());
  }
  for (ZmqSocket* socket : {&pull, &push}) {
    set_tcp_options(*socket, kSocketBufferBytes);
    socket->set(ZMQ_SNDHWM, kWindow);
    socket->set(ZMQ_RCVHWM, kWindow);
  }
  check(::zmq_bind(pull.handle(), "tcp://127.0.0.1:*") == 0, "bind");
  check(::zmq_connect(push.handle(), pull.last_endpoint().c_str()) == 0, "connect");
  const SharedBytes body = body_of_zeros();
  for (auto _ : state) {
    std::thread sender([&] {
      for (int i = 0; i < kMessages; ++i) {
        ZmqMessage message(body);
        check(::zmq_msg_send(message.handle(), push.handle(), 0) >= 0, "send");
      }
    });
    for (int i = 0; i < kMessages; ++i) {
      ZmqMessage message;
      check(::zmq_msg_recv(message.handle(), pull.handle(), 0) >= 0, "receive");
    }
    sender.join();
  }
  count_bytes(state);
}
BENCHMARK_CAPTURE(bare_sockets, Curve, true)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(bare_sockets, Plain, false)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace holdfast
