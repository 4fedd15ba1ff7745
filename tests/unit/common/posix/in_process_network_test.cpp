#include "common/posix/in_process_network.h"

#include "tests/conformance/transport_conformance.h"

namespace holdfast {
namespace {

constexpr const char* kEndpoint = "dir:/srv/backup";
constexpr std::size_t kQueue = 600;

struct InProcessFixture {
  InProcessFixture() {
    node_thread_.run([&] {
      node_ = InProcessNode::listen(network_, kEndpoint, node_thread_.loop(), handler_).value();
      handler_.answer_through(node_.get());
    });
  }
  ~InProcessFixture() {
    node_thread_.run([&] { node_.reset(); });
  }
  NodeAddress address() { return {kEndpoint, {}}; }
  RecordingHandler& handler() { return handler_; }
  std::unique_ptr<Caller> call() {
    return std::make_unique<Caller>(agent_thread_, dialer_, address());
  }
  Status dial(NodeAddress to) {
    return agent_thread_.run([&]() -> Status {
      HOLDFAST_ASSIGN(auto channel, dialer_.dial(to, [](Message) {}));
      return {};
    });
  }
  void on_node(std::function<void(Responder&)> work) {
    node_thread_.run([&] { work(*node_); });
  }

  InProcessNetwork network_{kQueue};
  RecordingHandler handler_;
  LoopThread node_thread_, agent_thread_;
  std::unique_ptr<InProcessNode> node_;
  InProcessDialer dialer_{network_, agent_thread_.loop()};
};

INSTANTIATE_TYPED_TEST_SUITE_P(InProcess, TransportConformance, InProcessFixture);

class InProcessNetworkTest : public testing::Test, protected InProcessFixture {};

TEST_F(InProcessNetworkTest, BodiesArePassedByPointer) {
  auto caller = call();
  const SharedBytes body(Buffer(1 << 20));
  ASSERT_TRUE(caller->connect());
  Message message = message_of("head");
  message.body = body;
  auto channel = agent_thread_.run([&] { return dialer_.dial(address(), [](Message) {}).value(); });
  agent_thread_.run([&] { channel->send(std::move(message)); });
  ASSERT_TRUE(handler_.heard.wait([](const Heard& heard) { return heard.count("head") == 1; }));
  EXPECT_EQ(handler_.heard.get().messages.back().body.data(), body.data());
  agent_thread_.run([&] { channel.reset(); });
}

TEST_F(InProcessNetworkTest, TheKeyOfAnEmbeddedAgentIsZero) {
  auto caller = call();
  ASSERT_TRUE(caller->connect());
  EXPECT_EQ(handler_.heard.get().messages.back().peer.key, CurveKey{});
}

TEST_F(InProcessNetworkTest, AnAddressBelongsToOneNodeAtATime) {
  node_thread_.run([&] {
    RecordingHandler other;
    const auto second = InProcessNode::listen(network_, kEndpoint, node_thread_.loop(), other);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code(), Code::kConflict);
    EXPECT_EQ(
        InProcessNode::listen(network_, "tcp://x:1", node_thread_.loop(), other).error().code(),
        Code::kInvalidArgument);
  });
}

TEST_F(InProcessNetworkTest, AQueueThatIsFullDropsInsteadOfGrowing) {
  auto caller = call();
  node_thread_.run([&] {
    // The node's loop stands still here; only kQueue messages fit.
    for (int i = 0; i < 10'000; ++i) caller->send("flood");
    agent_thread_.run([] {});  // until all were sent
  });
  ASSERT_TRUE(
      handler_.heard.wait([](const Heard& heard) { return heard.count("flood") >= kQueue; }));
  ASSERT_TRUE(caller->connect("after"));
  EXPECT_EQ(handler_.heard.get().count("flood"), kQueue);
}

TEST_F(InProcessNetworkTest, WhatIsSentToANodeThatLeftIsLostAndItsReturnIsFound) {
  auto caller = call();
  ASSERT_TRUE(caller->connect());
  node_thread_.run([&] { node_.reset(); });
  caller->send("lost");
  node_thread_.run([&] {
    node_ = InProcessNode::listen(network_, kEndpoint, node_thread_.loop(), handler_).value();
    handler_.answer_through(node_.get());
  });
  ASSERT_TRUE(caller->connect("back"));
  EXPECT_EQ(handler_.heard.get().count("lost"), 0u);
}

// The agent's loop stands still until all that is to happen on the node's has.
TEST_F(InProcessNetworkTest, RepliesToAChannelThatIsGoneAreDropped) {
  auto caller = call();
  ASSERT_TRUE(caller->connect());
  const Peer peer = handler_.heard.get().messages.front().peer;
  const std::size_t before = caller->received.get().heads.size();
  agent_thread_.run([&] {
    // One that is there already when the channel goes, and more than a queue holds.
    for (std::size_t i = 0; i < 2 * kQueue; ++i)
      node_thread_.run([&] { node_->reply(peer, message_of("late")); });
    agent_thread_.loop().post([] {});
  });
  ASSERT_TRUE(caller->received.wait(
      [&](const Caller::Received& all) { return all.heads.size() >= before + kQueue; }));
  EXPECT_EQ(caller->received.get().heads.size(), before + kQueue);
  agent_thread_.run([&] {
    node_thread_.run([&] { node_->reply(peer, message_of("later")); });
    caller->close_on_loop();
    node_thread_.run([&] { node_->reply(peer, message_of("too late")); });
  });
  EXPECT_EQ(caller->received.get().heads.size(), before + kQueue);
}

TEST_F(InProcessNetworkTest, ANodeThatIsGoneHearsNothingOfWhatWasOnItsWay) {
  auto caller = call(), other = call();
  ASSERT_TRUE(caller->connect());
  ASSERT_TRUE(other->connect());
  const Peer peer = handler_.heard.get().messages.front().peer;
  const auto before = handler_.heard.get();
  node_thread_.run([&] {
    caller->send("on its way");
    node_->disconnect(peer);
    other->hang_up();
    node_.reset();
    caller->send("after its end");
    caller->hang_up();
  });
  node_thread_.run([] {});
  const auto after = handler_.heard.get();
  EXPECT_EQ(after.messages.size(), before.messages.size());
  EXPECT_EQ(after.disconnected.size(), before.disconnected.size());
}

TEST_F(InProcessNetworkTest, ADisconnectedChannelThatHangsUpIsNotGoneTwice) {
  auto caller = call();
  ASSERT_TRUE(caller->connect());
  const Peer peer = handler_.heard.get().messages.front().peer;
  node_thread_.run([&] { node_->disconnect(peer); });
  caller->hang_up();
  node_thread_.run([&] { node_->disconnect(peer); });
  node_thread_.run([] {});
  EXPECT_EQ(handler_.heard.get().disconnected.size(), 1U);
}

TEST_F(InProcessNetworkTest, AChannelThatNeverReachedANodeGoesSilently) {
  node_thread_.run([&] { node_.reset(); });
  auto caller = call();
  caller->send("nobody is there");
  caller->hang_up();
  EXPECT_TRUE(handler_.heard.get().disconnected.empty());
}

TEST_F(InProcessNetworkTest, BothSidesMayGoWhileMessagesAreOnTheirWay) {
  for (int round = 0; round < 50; ++round) {
    auto caller = call();
    for (int i = 0; i < 20; ++i) caller->send("x", "body");
    if (round % 2 == 0) {
      node_thread_.run([&] { node_.reset(); });
      caller.reset();
      node_thread_.run([&] {
        node_ = InProcessNode::listen(network_, kEndpoint, node_thread_.loop(), handler_).value();
        handler_.answer_through(node_.get());
      });
    }
  }
}

}  // namespace
}  // namespace holdfast
