// What every way between agents and a node must do. To run it for an implementation:
//
//   struct MyTransportFixture {               // made anew for each test
//     NodeAddress address();
//     RecordingHandler& handler();            // answers every message with itself
//     std::unique_ptr<Caller> call();         // another channel to the node
//     Status dial(NodeAddress);               // dials and drops the channel
//     void on_node(std::function<void(Responder&)>);   // runs it on the node's loop, and waits
//   };
//   INSTANTIATE_TYPED_TEST_SUITE_P(My, TransportConformance, MyTransportFixture);
#pragma once

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/common/posix/caller.h"

namespace holdfast {

template <typename Fixture>
class TransportConformance : public testing::Test {
 protected:
  Fixture fixture_;
};

TYPED_TEST_SUITE_P(TransportConformance);

TYPED_TEST_P(TransportConformance, AMessageGoesThereAndBackWhole) {
  auto caller = this->fixture_.call();
  ASSERT_TRUE(caller->connect());
  const std::string body(3'000'000, 'b');
  caller->send("head", body);
  ASSERT_TRUE(caller->received.wait(
      [](const Caller::Received& all) { return all.heads.back() == "head"; }));
  EXPECT_EQ(as_text(caller->received.get().bodies.back()), body);
  const Heard heard = this->fixture_.handler().heard.get();
  EXPECT_EQ(heard.messages.back().head, "head");
  EXPECT_EQ(as_text(heard.messages.back().body), body);
}

TYPED_TEST_P(TransportConformance, EmptyAndBinaryPartsArrive) {
  auto caller = this->fixture_.call();
  ASSERT_TRUE(caller->connect());
  const std::string binary("\0\xff\0 \n", 5);
  caller->send("", binary);
  caller->send(binary);
  ASSERT_TRUE(caller->received.wait(
      [&](const Caller::Received& all) { return all.heads.back() == binary; }));
  const Caller::Received all = caller->received.get();
  const std::size_t last = all.heads.size() - 1;
  EXPECT_TRUE(all.bodies[last].empty());
  EXPECT_EQ(all.heads[last - 1], "");
  EXPECT_EQ(as_text(all.bodies[last - 1]), binary);
}

TYPED_TEST_P(TransportConformance, MessagesOfOneChannelArriveInOrder) {
  auto caller = this->fixture_.call();
  ASSERT_TRUE(caller->connect("hello"));
  for (int i = 0; i < 500; ++i) caller->send(std::to_string(i), i % 3 == 0 ? "body" : "");
  ASSERT_TRUE(
      caller->received.wait([](const Caller::Received& all) { return all.heads.back() == "499"; }));
  int next = 0;
  for (const auto& one : this->fixture_.handler().heard.get().messages)
    if (one.head != "hello") {
      EXPECT_EQ(one.head, std::to_string(next++));
    }
  EXPECT_EQ(next, 500);
}

TYPED_TEST_P(TransportConformance, AChannelIsOneConnectionAndAnotherIsAnother) {
  auto first = this->fixture_.call(), second = this->fixture_.call();
  ASSERT_TRUE(first->connect("first"));
  ASSERT_TRUE(second->connect("second"));
  ASSERT_TRUE(first->connect("first"));
  std::set<std::uint64_t> of_first, of_second;
  for (const auto& one : this->fixture_.handler().heard.get().messages)
    (one.head == "first" ? of_first : of_second).insert(one.peer.connection);
  EXPECT_EQ(of_first.size(), 1u);
  EXPECT_EQ(of_second.size(), 1u);
  EXPECT_NE(of_first, of_second);
  EXPECT_FALSE(of_first.contains(0));
}

TYPED_TEST_P(TransportConformance, TheNodeHearsOnceThatAChannelWasClosed) {
  auto caller = this->fixture_.call();
  ASSERT_TRUE(caller->connect());
  const Peer peer = this->fixture_.handler().heard.get().messages.back().peer;
  caller->hang_up();
  ASSERT_TRUE(this->fixture_.handler().heard.wait(
      [](const Heard& heard) { return !heard.disconnected.empty(); }));
  auto other = this->fixture_.call();
  ASSERT_TRUE(other->connect());
  EXPECT_EQ(this->fixture_.handler().heard.get().disconnected, std::vector<Peer>{peer});
}

TYPED_TEST_P(TransportConformance, RepliesToAPeerThatLeftAreDropped) {
  auto caller = this->fixture_.call();
  ASSERT_TRUE(caller->connect());
  const Peer peer = this->fixture_.handler().heard.get().messages.back().peer;
  caller->hang_up();
  ASSERT_TRUE(this->fixture_.handler().heard.wait(
      [](const Heard& heard) { return !heard.disconnected.empty(); }));
  this->fixture_.on_node([&](Responder& responder) {
    responder.reply(peer, message_of("too late"));
    responder.reply(Peer{peer.connection + 1000, {}}, message_of("nobody"));
    responder.disconnect(peer);
  });
  auto other = this->fixture_.call();
  EXPECT_TRUE(other->connect());
  EXPECT_EQ(other->received.get().heads[0], "hello");
}

TYPED_TEST_P(TransportConformance, DisconnectEndsTheConnectionAndTheNextMessageOpensAnother) {
  auto caller = this->fixture_.call();
  ASSERT_TRUE(caller->connect());
  const Peer peer = this->fixture_.handler().heard.get().messages.back().peer;
  this->fixture_.on_node([&](Responder& responder) { responder.disconnect(peer); });
  ASSERT_TRUE(this->fixture_.handler().heard.wait(
      [](const Heard& heard) { return !heard.disconnected.empty(); }));
  ASSERT_TRUE(caller->connect("again"));
  const Heard heard = this->fixture_.handler().heard.get();
  EXPECT_EQ(heard.disconnected, std::vector<Peer>{peer});
  EXPECT_EQ(heard.messages.back().head, "again");
  EXPECT_NE(heard.messages.back().peer.connection, peer.connection);
  EXPECT_EQ(heard.messages.back().peer.key, peer.key);
}

TYPED_TEST_P(TransportConformance, NothingIsDeliveredAfterAChannelIsClosed) {
  auto caller = this->fixture_.call();
  ASSERT_TRUE(caller->connect());
  const Peer peer = this->fixture_.handler().heard.get().messages.back().peer;
  this->fixture_.on_node([&](Responder& responder) {
    for (int i = 0; i < 100; ++i) responder.reply(peer, message_of("late"));
    caller->hang_up();
  });
  const std::size_t at_the_end = caller->received.get().heads.size();
  auto other = this->fixture_.call();
  ASSERT_TRUE(other->connect());
  EXPECT_EQ(caller->received.get().heads.size(), at_the_end);
}

TYPED_TEST_P(TransportConformance, AddressesThatCanNeverWorkAreRefused) {
  for (const char* wrong : {"", "tcp", "udp://127.0.0.1:1", "/tmp/node", "ipc:///tmp/x"}) {
    const auto refused = this->fixture_.dial({wrong, {}});
    ASSERT_FALSE(refused) << wrong;
    EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
    EXPECT_NE(refused.error().message().find(wrong), std::string::npos);
  }
}

REGISTER_TYPED_TEST_SUITE_P(TransportConformance, AMessageGoesThereAndBackWhole,
                            EmptyAndBinaryPartsArrive, MessagesOfOneChannelArriveInOrder,
                            AChannelIsOneConnectionAndAnotherIsAnother,
                            TheNodeHearsOnceThatAChannelWasClosed, RepliesToAPeerThatLeftAreDropped,
                            DisconnectEndsTheConnectionAndTheNextMessageOpensAnother,
                            NothingIsDeliveredAfterAChannelIsClosed,
                            AddressesThatCanNeverWorkAreRefused);

}  // namespace holdfast
