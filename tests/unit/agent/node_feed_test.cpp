// A feed's frames against the window of a node that answers when the test says so.
#include "agent/node_feed.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>

#include "tests/simulation/sim_loop.h"
#include "tests/testing/seed.h"

namespace holdfast::agent {
namespace {

using testing::SeededRandom;
using testing::SimLoop;

constexpr std::size_t kWindow = 1000;
constexpr std::size_t kFrame = 400;

// Greets at once, and keeps every frame until it is told what to answer.
class WaitingNode final : public Dialer {
 public:
  explicit WaitingNode(SimLoop& loop) : loop_(loop) {}

  Result<std::unique_ptr<Channel>> dial(const NodeAddress&, Receive receive) override {
    receive_ = std::move(receive);
    return std::unique_ptr<Channel>(std::make_unique<Open>(*this));
  }
  std::size_t waiting() const { return waiting_.size(); }
  std::size_t waiting_bytes() const { return kFrame * waiting_.size(); }
  std::size_t most_waiting_bytes() const { return most_; }
  // Answers the frame that waits longest.
  void answer(const std::optional<Error>& error = {}) {
    wire::ReplyProto reply;
    reply.mutable_put_frame();
    reply.set_id(waiting_.front());
    if (error) wire::set_error(reply, *error);
    waiting_.pop_front();
    say(reply);
  }

 private:
  class Open final : public Channel {
   public:
    explicit Open(WaitingNode& node) : node_(node) {}
    void send(Message message) override { node_.receive(message); }

   private:
    WaitingNode& node_;
  };
  void receive(const Message& message) {
    const auto request = wire::decode_request(message.head);
    ASSERT_TRUE(request);
    if (request->has_put_frame()) {
      if (std::ranges::find(waiting_, request->id()) != waiting_.end()) return;  // sent again
      waiting_.push_back(request->id());
      most_ = std::max(most_, waiting_bytes());
      return;
    }
    wire::ReplyProto reply;
    reply.set_id(request->id());
    if (request->has_hello())
      reply.mutable_hello()->set_window_bytes(kWindow);
    else
      reply.mutable_ping();
    say(reply);
  }
  void say(wire::ReplyProto reply) {
    reply.set_incarnation(7);
    loop_.post([this, encoded = wire::encode(reply)] { receive_(encoded); });
  }

  SimLoop& loop_;
  Receive receive_;
  std::deque<std::uint64_t> waiting_;
  std::size_t most_ = 0;
};

class NodeFeedWindow : public ::testing::Test {
 protected:
  NodeFeedWindow() {
    check(link_.start(node_).has_value(), "any address will do");
    settle();
    feed_.activate();
  }
  // All that is to do now; no timer.
  void settle() { loop_.run_for(std::chrono::microseconds(1)); }
  void send(std::size_t frames) {
    for (std::size_t i = 0; i < frames; ++i)
      feed_.send(SharedBytes(Buffer(kFrame)), format::FrameRole::kData, [this] { ++done_; });
    settle();
  }
  void answer(std::size_t frames, const std::optional<Error>& error = {}) {
    for (std::size_t i = 0; i < frames; ++i) {
      ASSERT_GT(node_.waiting(), 0U);
      node_.answer(error);
      settle();
    }
  }

  SimLoop loop_;
  SeededRandom random_{testing::seed()};
  WaitingNode node_{loop_};
  NodeLink link_{{NodeId{}, "node", {"sim:node", {}}}, RepositoryId{}, loop_, loop_, random_};
  NodeFeed feed_{link_, loop_, [] {}};
  std::size_t done_ = 0;
};

TEST_F(NodeFeedWindow, FramesWaitUntilThereIsRoom) {
  send(4);
  EXPECT_EQ(node_.waiting(), 2U);
  answer(1);
  EXPECT_EQ(node_.waiting(), 2U);
  answer(3);
  EXPECT_TRUE(feed_.drained());
  EXPECT_EQ(done_, 4U);
  EXPECT_LE(node_.most_waiting_bytes(), kWindow);
}

TEST_F(NodeFeedWindow, FramesThatWereRefusedForWantOfOthersAreNotAllSentAgainAtOnce) {
  send(4);
  answer(4, Error(Code::kMissingObjects, "not here yet"));
  EXPECT_EQ(node_.waiting(), 2U) << "the window has room for two";
  answer(4);
  EXPECT_TRUE(feed_.drained());
  EXPECT_EQ(done_, 4U);
  EXPECT_LE(node_.most_waiting_bytes(), kWindow);
}

TEST_F(NodeFeedWindow, AFrameThatIsRefusedTwiceEndsTheFeed) {
  send(1);
  answer(2, Error(Code::kMissingObjects, "not here"));
  EXPECT_EQ(feed_.state(), NodeFeed::State::kLagging);
  EXPECT_EQ(done_, 1U) << "who counts references hears of it";
}

TEST_F(NodeFeedWindow, FramesSentBeforeAFeedLeftAreNotForgottenWhenItBeginsAgain) {
  send(2);
  feed_.lag(Error(Code::kUnavailable, "too slow"));
  feed_.activate();
  send(2);
  EXPECT_EQ(node_.waiting(), 2U) << "what came before is not answered yet, and takes the window";
  EXPECT_LE(node_.most_waiting_bytes(), kWindow);
}

TEST_F(NodeFeedWindow, AnswersToWhatWasSentBeforeAFeedLeftLetTheNextFramesGo) {
  send(2);
  feed_.lag(Error(Code::kUnavailable, "too slow"));
  feed_.activate();
  send(2);
  answer(2);  // of the first two
  EXPECT_EQ(node_.waiting(), 2U) << "nothing else would ever send them";
  answer(2);
  EXPECT_TRUE(feed_.drained());
  EXPECT_EQ(done_, 4U);
}

TEST_F(NodeFeedWindow, AFeedThatFailedStaysFailedWhateverElseIsHeard) {
  feed_.fail(Error(Code::kNoSpace, "full"));
  feed_.lag(Error(Code::kTimedOut, "too slow"));
  EXPECT_EQ(feed_.state(), NodeFeed::State::kFailed);
  EXPECT_EQ(feed_.reason().code(), Code::kNoSpace);
}

TEST_F(NodeFeedWindow, HearingOfALinkThatIsAsItWasChangesNothing) {
  send(1);
  feed_.link_changed();
  EXPECT_TRUE(feed_.active());
  EXPECT_EQ(done_, 0U);
}

TEST_F(NodeFeedWindow, NobodyNeedsToHearOfAFrame) {
  const auto send_silently = [&] {
    feed_.send(SharedBytes(Buffer(kFrame)), format::FrameRole::kMetadata, nullptr);
    settle();
  };
  send_silently();
  answer(1);
  EXPECT_TRUE(feed_.drained());
  send_silently();
  feed_.lag(Error(Code::kTimedOut, "too slow"));
  EXPECT_EQ(feed_.pending_bytes(), 0U);
  answer(1);
  feed_.activate();
  send_silently();
  answer(1, Error(Code::kNoSpace, "full"));
  EXPECT_EQ(feed_.state(), NodeFeed::State::kFailed);
}

// A feed of which its own calls are the end.
class NodeFeedCalls : public NodeFeedWindow {
 protected:
  void make() {
    ended_ = std::make_unique<NodeFeed>(link_, loop_, [] {});
    ended_->activate();
    heard_ = 0;
  }
  void send_frame(std::function<void()> then = [] {}) {
    ended_->send(SharedBytes(Buffer(kFrame)), format::FrameRole::kData, [this, then] {
      ++heard_;
      then();
    });
    settle();
  }
  void answer_all() {
    while (node_.waiting() > 0) answer(1);
  }

  std::unique_ptr<NodeFeed> ended_;
  std::size_t heard_ = 0;
};

TEST_F(NodeFeedCalls, AFeedMayGoWhileAnswersAreOnTheirWay) {
  make();
  send_frame();
  ended_->ask_present({}, [](auto) { FAIL() << "nobody is there to hear it"; });
  ended_.reset();
  answer_all();
  EXPECT_EQ(heard_, 0U);
}

TEST_F(NodeFeedCalls, AnAnswerMayBeTheEndOfTheFeed) {
  make();
  bool answered = false;
  ended_->ask_present({}, [&](auto) {
    answered = true;
    ended_.reset();
  });
  settle();
  EXPECT_TRUE(answered);
}

TEST_F(NodeFeedCalls, AnAcknowledgementMayBeTheEndOfTheFeed) {
  for (const auto& error : {std::optional<Error>(), std::optional(Error(Code::kNoSpace, "full"))}) {
    make();
    send_frame([&] { ended_.reset(); });
    send_frame();
    answer(1, error);
    EXPECT_EQ(ended_, nullptr);
    answer_all();
    EXPECT_EQ(heard_, 1U);
  }
}

TEST_F(NodeFeedCalls, AnAcknowledgementMayMakeTheFeedLeave) {
  for (const auto& error : {std::optional<Error>(), std::optional(Error(Code::kNoSpace, "full"))}) {
    make();
    send_frame([&] { ended_->lag(Error(Code::kTimedOut, "too slow")); });
    send_frame();
    answer(1, error);
    EXPECT_EQ(ended_->state(), NodeFeed::State::kLagging)
        << "it left before the error was acted on";
    EXPECT_EQ(heard_, 2U) << "that the other will not be acknowledged is said, too";
    answer_all();
  }
}

TEST_F(NodeFeedCalls, WhatIsSaidToThoseWhoWaitMayBeTheEndOfTheFeed) {
  make();
  send_frame([&] { ended_.reset(); });
  send_frame();
  ended_->fail(Error(Code::kNoSpace, "full"));
  EXPECT_EQ(ended_, nullptr);
  EXPECT_EQ(heard_, 1U);
  answer_all();
}

// 400 bytes a frame, 100 bytes a second.
class NodeFeedPace : public NodeFeedWindow {
 protected:
  NodeFeedPace() { feed_.pace(limit_, loop_); }
  RateLimit limit_{loop_, 100};
};

TEST_F(NodeFeedPace, FramesWaitForTheirTurnAndGoByThemselves) {
  send(3);
  EXPECT_EQ(node_.waiting(), 1U);
  loop_.run_for(std::chrono::milliseconds(3990));
  EXPECT_EQ(node_.waiting(), 1U);
  loop_.run_for(std::chrono::milliseconds(20));
  EXPECT_EQ(node_.waiting(), 2U);
  answer(2);
  EXPECT_FALSE(feed_.drained());
  loop_.run_for(std::chrono::seconds(4));
  answer(1);
  EXPECT_TRUE(feed_.drained());
  EXPECT_EQ(done_, 3U);
}

TEST_F(NodeFeedPace, WaitingForATurnIsNoSilenceOfTheNode) {
  send(2);
  answer(1);
  const Instant answered = loop_.now();
  loop_.run_for(std::chrono::seconds(3));
  EXPECT_EQ(feed_.last_progress(), loop_.now());
  loop_.run_for(std::chrono::milliseconds(1010));
  ASSERT_EQ(node_.waiting(), 1U);
  const Instant sent = feed_.last_progress();
  EXPECT_GT(sent - answered, std::chrono::milliseconds(3900));
  // From now on it is the node that is slow.
  loop_.run_for(std::chrono::seconds(2));
  EXPECT_EQ(feed_.last_progress(), sent);
  EXPECT_EQ(link_.state(), NodeLink::State::kReady);
}

TEST_F(NodeFeedPace, TheWindowHoldsBesideTheLimit) {
  send(5);
  loop_.run_for(std::chrono::minutes(1));
  EXPECT_EQ(node_.waiting(), 2U);
  EXPECT_LE(node_.most_waiting_bytes(), kWindow);
}

TEST_F(NodeFeedPace, AFeedThatLeavesWaitsForNoTurnAnyMore) {
  send(3);
  feed_.lag(Error(Code::kTimedOut, "too slow"));
  EXPECT_EQ(done_, 3U);
  loop_.run_for(std::chrono::minutes(1));
  EXPECT_EQ(node_.waiting(), 1U);
}

TEST_F(NodeFeedPace, FeedsOfOneLimitShareItEvenly) {
  WaitingNode other_node(loop_);
  NodeLink other_link({NodeId{}, "other", {"sim:other", {}}}, RepositoryId{}, loop_, loop_,
                      random_);
  ASSERT_TRUE(other_link.start(other_node));
  settle();
  NodeFeed other(other_link, loop_, [] {});
  other.pace(limit_, loop_);
  other.activate();
  std::size_t here = 0, there = 0;
  for (int i = 0; i < 20; ++i) {
    feed_.send(SharedBytes(Buffer(kFrame)), format::FrameRole::kData, [] {});
    other.send(SharedBytes(Buffer(kFrame)), format::FrameRole::kData, [] {});
  }
  for (int second = 0; second < 40; ++second) {
    loop_.run_for(std::chrono::seconds(1));
    for (; node_.waiting() > 0; ++here) node_.answer();
    for (; other_node.waiting() > 0; ++there) other_node.answer();
  }
  EXPECT_NEAR(static_cast<double>(here + there), 11, 1);
  EXPECT_NEAR(static_cast<double>(here), static_cast<double>(there), 1);
}

}  // namespace
}  // namespace holdfast::agent
