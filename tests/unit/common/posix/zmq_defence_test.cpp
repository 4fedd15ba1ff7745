// What an enrolled key, a stranger and a hostile node can do, and that a node and an agent stay
// small, awake and alive under it. Each attack runs until it was seen to be answered; then an
// honest agent must still be served.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <future>
#include <set>

#include "tests/unit/common/posix/raw_peer.h"
#include "tests/unit/common/posix/zmq_node.h"

namespace holdfast {
namespace {

constexpr std::size_t kMiB = 1 << 20;

// Limits small enough to be reached soon.
ListenerOptions strict() {
  ListenerOptions options;
  options.message = {64 << 10, 2 * kMiB};
  options.connection.unread_bytes = 32 * kMiB;
  options.connection.total_unread_bytes = 64 * kMiB;
  options.connection.interval = std::chrono::milliseconds(10);
  options.send_queue_bytes = 16 * kMiB;
  options.drops_until_cut = 16;
  return options;
}

class ZmqDefence : public testing::Test {
 protected:
  void start(ListenerOptions options = strict(), HandshakeRate rate = {1'000'000, Duration(1)}) {
    node_ = std::make_unique<ZmqNode>(options, rate);
    honest_ = std::make_unique<ZmqAgent>(node_->enrolled());
    honest_call_ = honest_->call(node_->address());
    ASSERT_TRUE(honest_call_->connect());
  }
  void go(ForkedAttacker& attacker) {
    attacker_keys_ = node_->enrolled();
    attacker.go(node_->port(), node_->address().server_key, attacker_keys_);
  }
  // The honest agent is answered, over the connection it has had all the time.
  void expect_honest_service() {
    ASSERT_TRUE(honest_call_->connect("honest"));
    std::set<std::uint64_t> connections;
    for (const auto& one : node_->handler.heard.get().messages)
      if (one.peer.key == honest_->public_key) connections.insert(one.peer.connection);
    EXPECT_EQ(connections.size(), 1u);
  }
  std::size_t messages_of_the_attacker() {
    std::size_t count = 0;
    for (const auto& one : node_->handler.heard.get().messages)
      count += one.peer.key == attacker_keys_.public_key;
    return count;
  }

  bool attacker_is_cut_off() {
    return node_->handler.heard.wait([&](const Heard& heard) {
      return !heard.disconnected.empty() &&
             heard.disconnected.back().key == attacker_keys_.public_key;
    });
  }

  std::unique_ptr<ZmqNode> node_;
  std::unique_ptr<ZmqAgent> honest_;
  std::unique_ptr<Caller> honest_call_;
  CurveKeyPair attacker_keys_;
};

// One message of `parts` parts, again on every connection. All parts are the same memory.
void send_message_without_end(const Target& target, const Reporter& report, const SharedBytes& part,
                              int parts) {
  ZmqContext context;
  for (;;) {
    RawDealer dealer(context, target);
    for (int i = 0; i < parts; ++i) dealer.send(part, true, report);
    dealer.send(part, false, report);
    dealer.await(ZMQ_EVENT_DISCONNECTED);
    report('D');
  }
}

TEST_F(ZmqDefence, AMessageOfPartsWithoutEndIsCutOffBeforeItGrowsTheNode) {
  ForkedAttacker attacker([](const Target& target, const Reporter& report) {
    send_message_without_end(target, report, zeros(kMiB), 1'000);
  });
  start();
  const std::size_t before = reset_peak_memory();
  go(attacker);
  ASSERT_TRUE(attacker.reported('D', 4));
  if (kMemoryIsMeasurable) {
    EXPECT_LT(peak_memory() - before, 256 * kMiB);
  }
  EXPECT_EQ(messages_of_the_attacker(), 0u);
  expect_honest_service();
}

TEST_F(ZmqDefence, EmptyPartsWithoutEndAreCutOffAsWell) {
  ForkedAttacker attacker([](const Target& target, const Reporter& report) {
    send_message_without_end(target, report, SharedBytes(), 1'500'000);
  });
  ListenerOptions options = strict();
  options.connection.unread_bytes = 6 * kMiB;
  start(options);
  const std::size_t before = reset_peak_memory();
  go(attacker);
  ASSERT_TRUE(attacker.reported('D'));
  if (kMemoryIsMeasurable) {
    EXPECT_LT(peak_memory() - before, 64 * kMiB);
  }
  expect_honest_service();
}

// Each keeps below what one may hold; whoever has shown that he can end a message stays.
TEST_F(ZmqDefence, ConnectionsThatHoldTooMuchTogetherAreCutOffUnprovenOnesFirst) {
  ForkedAttacker attacker([](const Target& target, const Reporter& report) {
    send_message_without_end(target, report, zeros(kMiB), 1'000);
  });
  ListenerOptions options = strict();
  options.connection.unread_bytes = 1'000 * kMiB;
  options.connection.total_unread_bytes = 8 * kMiB;
  start(options);
  go(attacker);
  ASSERT_TRUE(attacker.reported('D', 2));
  EXPECT_EQ(messages_of_the_attacker(), 0u);
  const auto cut = node_->thread().run([&] { return node_->listener().counters().cut; });
  EXPECT_GE(cut.at("all connections together hold too many unread bytes"), 2u);
  expect_honest_service();
}

void send_and_expect_the_end(const Target& target, const Reporter& report,
                             const std::vector<SharedBytes>& message, std::string_view routing_id) {
  ZmqContext context;
  RawDealer dealer(context, target, [&](ZmqSocket& socket) {
    if (!routing_id.empty()) socket.set(ZMQ_ROUTING_ID, as_bytes(routing_id));
  });
  for (std::size_t i = 0; i < message.size(); ++i)
    dealer.send(message[i], i + 1 < message.size(), report);
  dealer.await(ZMQ_EVENT_DISCONNECTED);
  report('D');
}

TEST_F(ZmqDefence, AMessageOfThreePartsEndsTheConnectionUndelivered) {
  ForkedAttacker attacker([](const Target& target, const Reporter& report) {
    send_and_expect_the_end(target, report, {zeros(1), zeros(1), zeros(1)}, "");
  });
  start();
  go(attacker);
  ASSERT_TRUE(attacker.reported('D'));
  EXPECT_EQ(messages_of_the_attacker(), 0u);
  EXPECT_TRUE(node_->eventually([&] {
    return node_->listener().counters().cut.contains("a message of more than two parts");
  }));
  expect_honest_service();
}

TEST_F(ZmqDefence, AHeadBeyondItsLimitEndsTheConnectionUndelivered) {
  ForkedAttacker attacker([](const Target& target, const Reporter& report) {
    send_and_expect_the_end(target, report, {zeros((64 << 10) + 1)}, "");
  });
  start();
  go(attacker);
  ASSERT_TRUE(attacker.reported('D'));
  EXPECT_EQ(messages_of_the_attacker(), 0u);
}

TEST_F(ZmqDefence, ABodyBeyondItsLimitEndsTheConnectionUndelivered) {
  ForkedAttacker attacker([](const Target& target, const Reporter& report) {
    send_and_expect_the_end(target, report, {zeros(1), zeros(2 * kMiB + 100)}, "");
  });
  start();
  go(attacker);
  ASSERT_TRUE(attacker.reported('D'));
  EXPECT_EQ(messages_of_the_attacker(), 0u);
}

TEST_F(ZmqDefence, ARoutingIdOfThePeersChoiceEndsTheConnectionUndelivered) {
  ForkedAttacker attacker([](const Target& target, const Reporter& report) {
    send_and_expect_the_end(target, report, {zeros(1)}, "I am the administrator");
    send_and_expect_the_end(target, report, {zeros(1)}, "admin");  // as long as libzmq's own
  });
  start();
  go(attacker);
  ASSERT_TRUE(attacker.reported('D', 2));
  EXPECT_EQ(messages_of_the_attacker(), 0u);
  expect_honest_service();
}

void flood(const Target& target, const Reporter& report) {
  ZmqContext context;
  RawDealer dealer(context, target, [](ZmqSocket& socket) {
    socket.set(ZMQ_SNDHWM, 4);
    socket.set(ZMQ_HEARTBEAT_IVL, 5);  // pings with a lifetime that ends while nobody reads
    socket.set(ZMQ_HEARTBEAT_TTL, 100);
    socket.set(ZMQ_HEARTBEAT_TIMEOUT, 60'000);
  });
  const SharedBytes body = zeros(kMiB);
  for (;;) {
    if (!dealer.wait(ZMQ_POLLOUT, 500)) report('S');  // held back: the node takes no more
    if (dealer.try_send(zeros(1), true)) dealer.try_send(body, false);
    dealer.report_losses(report);
  }
}

TEST_F(ZmqDefence, AFloodForANodeThatIsBusyIsHeldBackByTcp) {
  ForkedAttacker attacker(flood);
  start();
  attacker_keys_ = node_->enrolled();
  std::promise<void> release;
  node_->thread().run([&] {
    node_->handler.forget_bodies();
    node_->handler.answer_through(nullptr);
    node_->handler.before_each([&, released = release.get_future().share()](const Peer& peer) {
      if (peer.key == attacker_keys_.public_key) released.wait();
    });
  });
  const std::size_t before = reset_peak_memory();
  attacker.go(node_->port(), node_->address().server_key, attacker_keys_);
  // Stuck, or given up by its own heartbeat: in both cases the node holds all it will hold.
  ASSERT_TRUE(attacker.reported_any("SD"));
  if (kMemoryIsMeasurable) {
    EXPECT_LT(peak_memory() - before, 64 * kMiB);
  }
  release.set_value();
  node_->thread().run([&] { node_->handler.answer_through(&node_->listener()); });
  expect_honest_service();
}

// Sends what is answered with itself, and reads nothing.
void ask_without_reading(const Target& target, const Reporter& report, const SharedBytes& body) {
  ZmqContext context;
  RawDealer dealer(context, target, [](ZmqSocket& socket) {
    socket.set(ZMQ_RCVHWM, 1);
    socket.set(ZMQ_RCVBUF, 4096);
  });
  for (;;) {
    dealer.send(zeros(1), !body.empty(), report);
    if (!body.empty()) dealer.send(body, false, report);
  }
}

TEST_F(ZmqDefence, APeerThatDoesNotReadItsRepliesIsDroppedAndThenCutOff) {
  ForkedAttacker attacker([](const Target& target, const Reporter& report) {
    ask_without_reading(target, report, zeros(kMiB));
  });
  start();
  node_->thread().run([&] { node_->handler.forget_bodies(); });
  const std::size_t before = reset_peak_memory();
  go(attacker);
  EXPECT_TRUE(attacker_is_cut_off());
  if (kMemoryIsMeasurable) {
    EXPECT_LT(peak_memory() - before, 160 * kMiB);
  }
  expect_honest_service();
}

TEST_F(ZmqDefence, APeerThatDoesNotReadSmallRepliesIsCutOffAsWell) {
  ForkedAttacker attacker([](const Target& target, const Reporter& report) {
    ask_without_reading(target, report, SharedBytes());
  });
  ListenerOptions options = strict();
  options.send_queue_messages = 100;
  start(options);
  node_->thread().run([&] { node_->handler.forget_bodies(); });
  go(attacker);
  EXPECT_TRUE(attacker_is_cut_off());
  expect_honest_service();
}

// Two connections with one routing id: the second takes it over, and libzmq forgets the first in a
// way that leaves its descriptor open for ever, once it has sent something and closes.
TEST_F(ZmqDefence, ConnectionsThatLibzmqCannotFreeDoNotPileUp) {
  ForkedAttacker attacker([](const Target& target, const Reporter& report) {
    ZmqContext context;
    for (int round = 0;; ++round) {
      const std::string id = std::string("\0", 1) + std::to_string(1000 + round % 9000);
      const auto with_id = [&](ZmqSocket& socket) { socket.set(ZMQ_ROUTING_ID, as_bytes(id)); };
      RawDealer first(context, target, with_id);
      first.await(ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
      RawDealer second(context, target, with_id);
      second.await(ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
      first.send(zeros(kMiB), false, report);
      report('R');
    }
  });
  ListenerOptions options = strict();
  options.connection.stuck_after = 3;
  options.stuck_until_reopen = 8;
  start(options);
  go(attacker);
  ASSERT_TRUE(attacker.reported('R', 60));
  std::size_t most = 0;
  std::uint64_t reopened = 0;
  for (int i = 0; i < 200 && reopened < 2; ++i) {
    ASSERT_TRUE(attacker.reported('R'));
    node_->thread().run([&] {
      most = std::max(most, node_->listener().connections());
      reopened = node_->listener().times_reopened();
    });
  }
  EXPECT_GE(reopened, 1u);
  EXPECT_LT(most, 100u);
  ASSERT_TRUE(honest_call_->connect("honest"));  // over a new connection
}

TEST_F(ZmqDefence, GarbageInsteadOfAGreetingEndsTheConnection) {
  start();
  const Descriptor fd = connect_raw(node_->port());
  ASSERT_TRUE(fd);
  Bytes garbage(100'000);
  for (std::size_t i = 0; i < garbage.size(); ++i) garbage[i] = static_cast<Byte>(i * 7 + 1);
  send_raw(fd, garbage);
  EXPECT_TRUE(ended_by_peer(fd));
  EXPECT_TRUE(node_->eventually([&] { return node_->listener().counters().unheard == 1; }));
  expect_honest_service();
}

TEST_F(ZmqDefence, GarbageAfterTheGreetingEndsTheConnection) {
  start();
  for (const Byte flags : {Byte{0x04}, Byte{0x06}, Byte{0x00}, Byte{0x01}}) {
    const Descriptor fd = connect_raw(node_->port());
    ASSERT_TRUE(fd);
    ASSERT_TRUE(send_raw(fd, zmtp_greeting()));
    Bytes frame{flags};
    if (flags == 0x06)
      frame.insert(frame.end(), 8, Byte{0xFF});  // a frame of 2^64-1 bytes
    else
      frame.push_back(200);
    frame.resize(frame.size() + 300, Byte{0x55});
    send_raw(fd, frame);
    EXPECT_TRUE(ended_by_peer(fd)) << int(flags);
  }
  expect_honest_service();
}

TEST_F(ZmqDefence, AHandshakeThatStopsHalfwayIsEnded) {
  ListenerOptions options = strict();
  options.handshake = std::chrono::milliseconds(100);
  start(options);
  const Descriptor silent = connect_raw(node_->port());
  const Descriptor greeted = connect_raw(node_->port());
  ASSERT_TRUE(silent && greeted);
  ASSERT_TRUE(send_raw(greeted, zmtp_greeting()));
  EXPECT_TRUE(ended_by_peer(silent, 10'000));
  EXPECT_TRUE(ended_by_peer(greeted, 10'000));
  expect_honest_service();
}

TEST_F(ZmqDefence, AHandshakeCommandWithoutEndIsCutOff) {
  ListenerOptions options = strict();
  options.message.body_bytes = 1100 * kMiB;  // libzmq would buffer this much before it looks
  options.handshake = std::chrono::seconds(60);
  start(options);
  const Descriptor fd = connect_raw(node_->port());
  ASSERT_TRUE(fd);
  ASSERT_TRUE(send_raw(fd, zmtp_greeting()));
  // A command of a GiB: nobody sends that before the guard has looked.
  Bytes header{0x06, 0, 0, 0, 0, 0x40, 0, 0, 0};
  send_raw(fd, header);
  const Bytes filling(kMiB);
  int sent = 0;
  while (sent < 1024 && send_raw(fd, filling)) ++sent;
  EXPECT_LT(sent, 1024);
  expect_honest_service();
}

void many_silent_connections(const Target& target, const Reporter& report) {
  std::vector<Descriptor> open;
  while (open.size() < 500) {
    Descriptor fd = connect_raw(target.port);
    if (fd) open.push_back(std::move(fd));
  }
  report('R');
  ::pause();
}

TEST_F(ZmqDefence, ManyStrangersPushOutStrangersOnly) {
  ForkedAttacker attacker(many_silent_connections);
  ListenerOptions options = strict();
  options.connection.connections = 40;
  options.handshake = std::chrono::seconds(60);
  start(options);
  go(attacker);
  ASSERT_TRUE(attacker.reported('R'));
  EXPECT_TRUE(node_->eventually([&] { return node_->listener().connections() <= 40; }));
  expect_honest_service();
  auto newcomer = honest_->call(node_->address());
  EXPECT_TRUE(newcomer->connect());
  newcomer->hang_up();
}

// Without opening anything: at the limit there is no descriptor left to look with.
std::size_t open_descriptors(int limit) {
  std::size_t open = 0;
  for (int fd = 0; fd < limit; ++fd)
    if (::fcntl(fd, F_GETFD) >= 0) ++open;
  return open;
}

double processor_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](timeval time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

TEST_F(ZmqDefence, ManyConnectionsNeitherReachTheDescriptorLimitNorMakeTheNodeSpin) {
  ForkedAttacker attacker(many_silent_connections);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 400;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &small), 0);
  ListenerOptions options = strict();
  options.connection.connections = 100'000;  // the descriptors are the tighter limit
  options.handshake = std::chrono::seconds(60);
  start(options);
  go(attacker);
  ASSERT_TRUE(attacker.reported('R'));
  expect_honest_service();
  EXPECT_TRUE(node_->eventually([] { return open_descriptors(400) < 280; }));
  // At rest, with all that are left of the flood: what half a second of the loop's time costs.
  std::promise<double> used;
  node_->thread().run([&] {
    node_->thread().loop().after(std::chrono::milliseconds(500), [&, start = processor_seconds()] {
      used.set_value(processor_seconds() - start);
    });
  });
  EXPECT_LT(used.get_future().get(), 0.25);
  ::setrlimit(RLIMIT_NOFILE, &before);
}

TEST_F(ZmqDefence, AKeyThatIsNotAdmittedIsNeverHeard) {
  start();
  ZmqAgent stranger(generate_curve_key_pair());
  auto call = stranger.call(node_->address());
  for (int i = 0; i < 30; ++i) {
    call->send("let me in");
    expect_honest_service();
  }
  EXPECT_TRUE(
      node_->eventually([&] { return node_->authenticator().counters().not_admitted > 0; }));
  EXPECT_EQ(node_->handler.heard.get().count("let me in"), 0u);
  EXPECT_TRUE(call->received.get().heads.empty());
}

TEST_F(ZmqDefence, WithoutTheAuthenticatorNobodyIsLetIn) {
  start();
  node_->thread().run([&] { node_->authenticator().stop(); });
  Target target{node_->port(), node_->address().server_key, {}, {}};
  const CurveKeyPair keys = node_->enrolled();
  target.public_key = keys.public_key;
  std::copy(keys.secret_key.view().begin(), keys.secret_key.view().end(),
            target.secret_key.begin());
  ZmqContext context;
  RawDealer dealer(context, target);
  EXPECT_EQ(dealer.event(), ZMQ_EVENT_DISCONNECTED);
  expect_honest_service();  // whoever was in stays in
}

TEST_F(ZmqDefence, AKeyThatConnectsWithoutEndRunsOutOfHandshakes) {
  ForkedAttacker attacker([](const Target& target, const Reporter& report) {
    ZmqContext context;
    for (;;) {
      RawDealer dealer(context, target);
      report(dealer.event() == ZMQ_EVENT_HANDSHAKE_SUCCEEDED ? 'I' : 'D');
    }
  });
  start(strict(), {5, std::chrono::hours(1)});
  go(attacker);
  ASSERT_TRUE(attacker.reported('I', 5));
  int refused = 0;
  while (refused < 5) {
    const char next = attacker.next_report();
    ASSERT_EQ(next, 'D');
    ++refused;
  }
  EXPECT_TRUE(node_->eventually([&] { return node_->authenticator().counters().too_many >= 5; }));
  ZmqAgent newcomer(node_->enrolled());  // the budget of one key is not that of another
  EXPECT_TRUE(newcomer.call(node_->address())->connect());
}

// A node that lies in wait for an agent: answers its messages with `answer`, over and over on a new
// socket if `breaks`.
template <typename Answer>
void hostile_node(const Target& target, const Reporter& report, bool breaks, Answer answer) {
  ZmqContext context;
  const std::string endpoint = "tcp://127.0.0.1:" + std::to_string(target.port);
  int round = 0;
  do {
    ZmqSocket router = ZmqSocket::open(context, ZMQ_ROUTER).value();
    router.set(ZMQ_CURVE_SERVER, 1);
    router.set(ZMQ_CURVE_SECRETKEY, target.secret_key);
    router.set(ZMQ_LINGER, 0);
    router.set(ZMQ_ROUTER_MANDATORY, 1);
    router.set(ZMQ_SNDHWM, 10);
    router.set(ZMQ_SNDTIMEO, 100);
    router.set(ZMQ_HEARTBEAT_IVL, 5);
    router.set(ZMQ_HEARTBEAT_TTL, 100);
    ZmqSocket monitor = ZmqSocket::open(context, ZMQ_PAIR).value();
    const std::string events = "inproc://lost-" + std::to_string(++round);
    check(::zmq_socket_monitor(router.handle(), events.c_str(), ZMQ_EVENT_DISCONNECTED) == 0 &&
              ::zmq_connect(monitor.handle(), events.c_str()) == 0,
          "zmq_socket_monitor");
    while (::zmq_bind(router.handle(), endpoint.c_str()) != 0) {
    }
    report('B');
    ZmqMessage part;
    do {
      zmq_pollitem_t items[] = {{router.handle(), 0, ZMQ_POLLIN, 0},
                                {monitor.handle(), 0, ZMQ_POLLIN, 0}};
      ::zmq_poll(items, 2, -1);
      while (monitor.receive(part))
        if (!part.more()) report('L');  // it lost a connection
      if (!router.receive(part)) continue;
      const Buffer id = Buffer::copy_of(part.view());
      while (part.more()) router.receive(part);
      report('A');
      answer(router, id);
    } while (!breaks);
    ::zmq_socket_monitor(router.handle(), nullptr, 0);
  } while (breaks);
}

class HostileNode : public testing::Test {
 protected:
  // An agent that talks to it, and to an honest node.
  void start(ForkedAttacker& attacker, DialerOptions options) {
    const CurveKeyPair keys = generate_curve_key_pair();
    int port;
    {
      const ZmqNode node;  // to learn of a port that is free
      port = node.port();
    }
    attacker.go(port, {}, keys);
    ASSERT_TRUE(attacker.reported('B'));
    honest_node_ = std::make_unique<ZmqNode>();
    options.reconnect_first = std::chrono::milliseconds(5);
    options.reconnect_last = std::chrono::milliseconds(20);
    agent_ = std::make_unique<ZmqAgent>(honest_node_->enrolled(), options);
    hostile_ = agent_->call({"tcp://127.0.0.1:" + std::to_string(port), keys.public_key});
    honest_ = agent_->call(honest_node_->address());
    ASSERT_TRUE(honest_->connect());
  }
  // Speaks to it until it was cut off so many times.
  void provoke(ForkedAttacker& attacker, int times) {
    agent_->thread().run([&] { talk(); });
    ASSERT_TRUE(attacker.reported('L', times));
    agent_->thread().run([&] { done_ = true; });
  }

  std::unique_ptr<ZmqNode> honest_node_;
  std::unique_ptr<ZmqAgent> agent_;
  std::unique_ptr<Caller> hostile_, honest_;

 private:
  void talk() {
    if (done_) return;
    hostile_->send_on_loop("hello");
    agent_->thread().loop().after(std::chrono::milliseconds(5), [this] { talk(); });
  }
  bool done_ = false;
};

TEST_F(HostileNode, AnAnswerOfPartsWithoutEndIsCutOffBeforeItGrowsTheAgent) {
  ForkedAttacker attacker([](const Target& target, const Reporter& report) {
    const SharedBytes part = zeros(kMiB);
    hostile_node(target, report, false, [&](ZmqSocket& router, const Buffer& id) {
      router.send(ZmqMessage(SharedBytes(Buffer::copy_of(id))), true);
      for (int i = 0; i < 1'000; ++i) router.send(ZmqMessage(part), true);
      router.send(ZmqMessage(part), false);
    });
  });
  DialerOptions options;
  options.connection.unread_bytes = 32 * kMiB;
  options.connection.interval = std::chrono::milliseconds(10);
  start(attacker, options);
  const std::size_t before = reset_peak_memory();
  provoke(attacker, 2);
  EXPECT_TRUE(honest_->connect("honest"));
  if (kMemoryIsMeasurable) {
    EXPECT_LT(peak_memory() - before, 256 * kMiB);
  }
  EXPECT_TRUE(hostile_->received.get().heads.empty());
}

TEST_F(HostileNode, AnAnswerBeyondWhatANodeMaySendEndsTheConnectionUndelivered) {
  ForkedAttacker attacker([](const Target& target, const Reporter& report) {
    unsigned answers = 0;
    hostile_node(target, report, false, [&](ZmqSocket& router, const Buffer& id) {
      const auto send = [&](std::size_t size, bool more) {
        router.send(ZmqMessage(zeros(size)), more);
      };
      router.send(ZmqMessage(SharedBytes(Buffer::copy_of(id))), true);
      if (++answers % 2 == 0) return send(150, false);  // a head beyond its limit
      send(10, true);
      send(10, true);
      send(10, false);  // a third part
    });
  });
  DialerOptions options;
  options.message = {100, 1000};
  start(attacker, options);
  provoke(attacker, 4);
  EXPECT_TRUE(honest_->connect("honest"));
  EXPECT_TRUE(hostile_->received.get().heads.empty());
}

// libzmq issues 3596 and 3937: the connection of a DEALER breaks while its queue is full, it
// connects again, and the reader of the old queue aborts the process.
TEST_F(HostileNode, ConnectionsThatBreakWhileTheQueueIsFullDoNotAbortTheAgent) {
  ForkedAttacker attacker([](const Target& target, const Reporter& report) {
    const Bytes part(10'000);
    hostile_node(target, report, true, [&](ZmqSocket& router, ByteView id) {
      // Until nothing has moved for as long as ZMQ_SNDTIMEO: every queue on the way is full.
      while (::zmq_send(router.handle(), id.data(), id.size(), ZMQ_SNDMORE) >= 0)
        ::zmq_send(router.handle(), part.data(), part.size(), 0);
    });
  });
  DialerOptions options;
  options.receive_queue_messages = 2;
  start(attacker, options);
  bool broken = false;
  for (int round = 0; round < 8; ++round) {
    // The agent's loop stands still from the message that is heard until the connection is gone.
    for (bool heard = false; !heard;)
      agent_->thread().run([&] {
        hostile_->send_on_loop("hello");
        heard = attacker.next_report(20) == 'A';
        broken = heard && attacker.reported('B');
      });
    ASSERT_TRUE(broken);
  }
  EXPECT_GT(hostile_->received.get().heads.size(), 0u);
  EXPECT_TRUE(honest_->connect("honest"));
}

}  // namespace
}  // namespace holdfast
