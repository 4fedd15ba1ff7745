#include <gtest/gtest.h>

#include <future>

#include "tests/conformance/transport_conformance.h"
#include "tests/unit/common/posix/raw_peer.h"
#include "tests/unit/common/posix/zmq_node.h"

namespace holdfast {
namespace {

struct ZmqFixture {
  ZmqFixture() : agent_(node_.enrolled()) {}
  NodeAddress address() { return node_.address(); }
  RecordingHandler& handler() { return node_.handler; }
  std::unique_ptr<Caller> call() { return agent_.call(address()); }
  Status dial(NodeAddress to) {
    return agent_.thread().run([&]() -> Status {
      HOLDFAST_ASSIGN(auto channel, agent_.dialer.dial(to, [](Message) {}));
      return {};
    });
  }
  void on_node(std::function<void(Responder&)> work) {
    node_.thread().run([&] { work(node_.listener()); });
  }
  ZmqNode node_;
  ZmqAgent agent_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Zmq, TransportConformance, ZmqFixture);

class ZmqTransport : public ::testing::Test, protected ZmqFixture {
 protected:
  std::unique_ptr<Caller> caller_;
};

TEST_F(ZmqTransport, ThePeersKeyIsTheOneOfItsHandshake) {
  ZmqAgent other(node_.enrolled());
  auto first = call();
  auto second = other.call(address());
  ASSERT_TRUE(first->connect("first"));
  ASSERT_TRUE(second->connect("second"));
  for (const auto& one : handler().heard.get().messages)
    EXPECT_EQ(one.peer.key, one.head == "first" ? agent_.public_key : other.public_key);
}

TEST_F(ZmqTransport, WhatGoesThroughANodeIsCounted) {
  auto first = call();
  ASSERT_TRUE(first->connect("hello"));
  const auto counted = [&](auto what) {
    return node_.thread().run([&] { return what(node_.listener().counters()); });
  };
  const auto heard = handler().heard.get().messages.size();
  EXPECT_GE(heard, 1U);
  EXPECT_GE(counted([](const auto& c) { return c.messages_received; }), heard);
  EXPECT_GE(counted([](const auto& c) { return c.bytes_received; }), heard * 5);
  EXPECT_GE(counted([](const auto& c) { return c.messages_sent; }), 1U);
  EXPECT_GE(counted([](const auto& c) { return c.bytes_sent; }), 5U);
  EXPECT_EQ(counted([](const auto& c) { return c.connections; }), 1U);
  EXPECT_EQ(counted([](const auto& c) { return c.unheard; }), 0U);
  EXPECT_EQ(node_.thread().run([&] { return node_.authenticator().counters().admitted; }), 1U);
}

TEST_F(ZmqTransport, AnEndpointWithoutAPortToConnectToIsRefused) {
  for (const char* wrong : {"tcp://", "tcp://127.0.0.1", "tcp://127.0.0.1:", "tcp://127.0.0.1:0",
                            "tcp://127.0.0.1:99999", "tcp://127.0.0.1:x", "dir:/srv"}) {
    const Status refused = dial({wrong, {}});
    ASSERT_FALSE(refused) << wrong;
    EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
  }
}

TEST_F(ZmqTransport, ANodeThatIsDownAndComesBackIsFoundAgain) {
  DialerOptions fast;
  fast.reconnect_first = std::chrono::milliseconds(5);
  fast.reconnect_last = std::chrono::milliseconds(20);
  ZmqAgent agent(node_.enrolled(), fast);
  node_.stop();
  auto caller = agent.call(address());
  caller->send("nobody hears this");
  node_.start();
  ASSERT_TRUE(caller->connect("first"));
  node_.stop();
  node_.start();
  ASSERT_TRUE(caller->connect("second"));
  EXPECT_EQ(handler().heard.get().count("nobody hears this"), 0u);
}

TEST_F(ZmqTransport, SendingToANodeThatIsDownNeitherBlocksNorGrows) {
  node_.stop();
  auto caller = call();
  for (int i = 0; i < 5000; ++i) caller->send("x", "body");
  node_.start();
  ASSERT_TRUE(caller->connect());
  EXPECT_EQ(handler().heard.get().count("x"), 0u);
}

TEST_F(ZmqTransport, AWrongServerKeyNeverConnects) {
  const CurveKeyPair keys = node_.enrolled();
  Target swapped{node_.port(), generate_curve_key_pair().public_key, keys.public_key, {}};
  std::copy(keys.secret_key.view().begin(), keys.secret_key.view().end(),
            swapped.secret_key.begin());
  ZmqContext context;
  RawDealer raw(context, swapped);
  EXPECT_EQ(raw.event(), ZMQ_EVENT_DISCONNECTED);  // not HANDSHAKE_SUCCEEDED
  EXPECT_EQ(raw.event(), ZMQ_EVENT_DISCONNECTED);
}

TEST_F(ZmqTransport, AKeyThatIsAdmittedLaterGetsInOverTheSameChannel) {
  ZmqAgent agent(generate_curve_key_pair());
  auto caller = agent.call(address());
  auto honest = call();
  for (int i = 0; i < 20; ++i) {
    caller->send("too early");
    ASSERT_TRUE(honest->connect());
  }
  node_.admit(agent.public_key);
  EXPECT_TRUE(caller->connect());
  EXPECT_EQ(handler().heard.get().count("too early"), 0u);
}

TEST_F(ZmqTransport, AChannelSurvivesSomethingElseListeningAtItsAddress) {
  node_.stop();
  DialerOptions fast;
  fast.reconnect_first = std::chrono::milliseconds(5);
  fast.reconnect_last = std::chrono::milliseconds(20);
  ZmqAgent agent(node_.enrolled(), fast);
  {
    const Descriptor listener = listen_raw(node_.port());
    auto before = agent.call(address());
    const Descriptor caller = accept_raw(listener);
    ASSERT_TRUE(send_raw(caller, as_bytes("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
                                          "this is not the node that you are looking for, it is "
                                          "longer than a greeting")));
    EXPECT_TRUE(ended_by_peer(caller));
    caller_ = std::move(before);
  }
  node_.start();
  EXPECT_TRUE(caller_->connect());
  caller_.reset();
}

TEST_F(ZmqTransport, ASentBodyIsNotCopiedAndIsLetGoOf) {
  auto caller = call();
  ASSERT_TRUE(caller->connect());
  struct Tell {
    explicit Tell(std::promise<void>& told) : gone(told) {}
    ~Tell() { gone.set_value(); }
    std::promise<void>& gone;
    Bytes bytes = Bytes(1 << 20, Byte{3});
  };
  std::promise<void> gone;
  auto let_go = gone.get_future();
  auto owner = std::make_shared<Tell>(gone);
  const std::weak_ptr<Tell> alive = owner;
  const ByteView view = owner->bytes;
  auto channel =
      agent_.thread().run([&] { return agent_.dialer.dial(address(), [](Message) {}).value(); });
  agent_.thread().run([&] { channel->send({Bytes{1}, SharedBytes(view, std::move(owner))}); });
  // Sent or dropped: either way nobody holds it afterwards.
  EXPECT_EQ(let_go.wait_for(std::chrono::seconds(60)), std::future_status::ready);
  EXPECT_TRUE(alive.expired());
  agent_.thread().run([&] { channel.reset(); });
}

// libzmq's descriptor is edge-triggered, and a send can take the edge away: here from tasks of
// their own, since after a send from inside of `receive` reading goes on anyway.
TEST_F(ZmqTransport, NoWakeUpIsLostBetweenSendingAndReceiving) {
  constexpr int kRounds = 20'000, kAtOnce = 4;
  PollLoop& loop = agent_.thread().loop();
  std::unique_ptr<Channel> channel;
  std::promise<void> done;
  int left = kRounds;
  bool connected = false;
  const auto ping = [&] {
    loop.post([&] {
      if (channel) channel->send(message_of("ping"));
    });
  };
  std::function<void()> knock = [&] {
    if (connected) return;
    channel->send(message_of("knock"));
    loop.after(std::chrono::milliseconds(10), [&] { knock(); });
  };
  const auto receive = [&](Message message) {
    if (!std::exchange(connected, true))
      for (int i = 0; i < kAtOnce; ++i) ping();
    if (as_text(message.head) != "ping") return;
    if (--left == 0) done.set_value();
    if (left > 0) ping();  // none is ever sent again
  };
  agent_.thread().run([&] {
    channel = agent_.dialer.dial(address(), receive).value();
    knock();
  });
  EXPECT_EQ(done.get_future().wait_for(std::chrono::seconds(50)), std::future_status::ready);
  agent_.thread().run([&] { channel.reset(); });
}

TEST_F(ZmqTransport, ALastMessageIsSentAlthoughTheChannelCloses) {
  auto caller = call();
  ASSERT_TRUE(caller->connect());
  agent_.thread().run([&] {});
  caller->send("goodbye", std::string(2'000'000, 'x'));
  caller->hang_up();
  EXPECT_TRUE(handler().heard.wait([](const Heard& heard) { return heard.count("goodbye") == 1; }));
}

TEST_F(ZmqTransport, AChannelMayBeClosedByWhatItReceives) {
  std::unique_ptr<Channel> channel;
  std::promise<void> closed;
  std::function<void()> say;
  agent_.thread().run([&] {
    channel = agent_.dialer
                  .dial(address(),
                        [&](Message) {
                          if (!channel) return;
                          channel.reset();
                          closed.set_value();
                        })
                  .value();
    say = [&] {
      if (!channel) return;
      for (int i = 0; i < 10; ++i) channel->send(message_of("ping"));
      agent_.thread().loop().after(std::chrono::milliseconds(5), [&] { say(); });
    };
    say();
  });
  EXPECT_EQ(closed.get_future().wait_for(std::chrono::seconds(60)), std::future_status::ready);
  agent_.thread().run([] {});
}

TEST_F(ZmqTransport, WhatIsSaidToAPeerThatIsGoneIsDropped) {
  caller_ = call();
  ASSERT_TRUE(caller_->connect());
  const Peer peer = node_.handler.heard.get().messages.front().peer;
  caller_->hang_up();
  ASSERT_TRUE(node_.handler.heard.wait([](const Heard& all) { return !all.disconnected.empty(); }));
  on_node([&](Responder& node) {
    node.reply(peer, message_of("too late"));
    node.disconnect(peer);
  });
  EXPECT_TRUE(call()->connect());
  EXPECT_EQ(node_.thread().run([&] { return node_.listener().counters().replies_dropped; }), 0U);
}

// One reply at a time goes out whatever its size, or a large one would never come.
TEST(ZmqListener, AReplyLargerThanTheQueueIsSentAlone) {
  ListenerOptions options;
  options.send_queue_bytes = 100;
  options.socket_buffer_bytes = 0;  // as the system tunes it
  ZmqNode node(options);
  DialerOptions dialling;
  dialling.socket_buffer_bytes = std::size_t{1} << 30;  // more than any system grants
  ZmqAgent agent(node.enrolled(), dialling);
  const auto caller = agent.call(node.address());
  ASSERT_TRUE(caller->connect());
  ASSERT_TRUE(caller->connect(std::string(10'000, 'x')));
}

TEST(ZmqListener, RefusesToListenWithoutAnAuthenticatorThatRuns) {
  LoopThread thread;
  ZmqContext context;
  RecordingHandler handler;
  thread.run([&] {
    ZapAuthenticator authenticator(context, thread.loop(), [](const CurveKey&) { return true; });
    ZmqListener listener(context, thread.loop(), authenticator, generate_curve_key_pair(), handler);
    EXPECT_EQ(listener.connections(), 0U);
    const Status refused = listener.bind("tcp://127.0.0.1:*");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Code::kUnavailable);
    EXPECT_NE(refused.error().message().find("authenticator"), std::string::npos);
    EXPECT_EQ(listener.endpoint(), "");
    ASSERT_TRUE(authenticator.start());
    EXPECT_TRUE(listener.bind("tcp://127.0.0.1:*"));
  });
}

TEST(ZmqListener, SaysWhereItReallyListensAndWhatIsWrongWithAnEndpoint) {
  LoopThread thread;
  ZmqContext context;
  RecordingHandler handler;
  thread.run([&] {
    ZapAuthenticator authenticator(context, thread.loop(), [](const CurveKey&) { return true; });
    ASSERT_TRUE(authenticator.start());
    const auto make = [&] {
      return std::make_unique<ZmqListener>(context, thread.loop(), authenticator,
                                           generate_curve_key_pair(), handler);
    };
    auto first = make(), second = make();
    ASSERT_TRUE(first->bind("tcp://127.0.0.1:0"));
    EXPECT_TRUE(first->endpoint().starts_with("tcp://127.0.0.1:"));
    EXPECT_FALSE(first->endpoint().ends_with(":0"));
    EXPECT_EQ(first->bind("tcp://127.0.0.1:0").error().code(), Code::kConflict);

    const Status taken = second->bind(first->endpoint());
    EXPECT_EQ(taken.error().code(), Code::kConflict);
    EXPECT_NE(taken.error().message().find(first->endpoint()), std::string::npos);
    for (const char* wrong : {"", "127.0.0.1:5", "ipc:///tmp/x", "tcp://", "tcp://127.0.0.1",
                              "tcp://127.0.0.1:99999", "tcp://192.0.2.1:*"}) {
      const Status refused = second->bind(wrong);
      ASSERT_FALSE(refused) << wrong;
      EXPECT_EQ(refused.error().code(), Code::kInvalidArgument) << refused.error().message();
    }
    EXPECT_TRUE(second->bind("tcp://[::1]:*"));  // refused before, usable still
  });
}

TEST(ZapAuthenticator, AContextHasOneOnly) {
  LoopThread thread;
  ZmqContext context;
  thread.run([&] {
    const auto everybody = [](const CurveKey&) { return true; };
    ZapAuthenticator first(context, thread.loop(), everybody);
    ZapAuthenticator second(context, thread.loop(), everybody);
    ASSERT_TRUE(first.start());
    EXPECT_EQ(second.start().error().code(), Code::kConflict);
    EXPECT_FALSE(second.running());
  });
}

}  // namespace
}  // namespace holdfast
