// A link over a channel on which the test sees every request and gives every reply.
#include "agent/node_link.h"

#include <gmock/gmock.h>

#include <vector>

#include "tests/simulation/sim_loop.h"
#include "tests/testing/seed.h"

namespace holdfast::agent {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using testing::SeededRandom;
using testing::SimLoop;

constexpr std::uint64_t kIncarnation = 7;

class SeenNode final : public Dialer {
 public:
  std::vector<wire::RequestProto> requests;
  bool refuses = false;  // to be dialled

  Result<std::unique_ptr<Channel>> dial(const NodeAddress&, Receive receive) override {
    if (refuses) return Error(Code::kInvalidArgument, "no such address");
    receive_ = std::move(receive);
    return std::unique_ptr<Channel>(std::make_unique<Seen>(*this));
  }
  void reply(std::uint64_t id, wire::ReplyProto reply = {}) {
    reply.set_id(id);
    reply.set_incarnation(kIncarnation);
    receive_(wire::encode(reply));
  }
  void greet() {
    wire::ReplyProto hello;
    hello.mutable_hello()->set_window_bytes(1000);
    reply(requests.front().id(), hello);
  }
  // How often this request came.
  std::size_t count(std::uint64_t id) const {
    std::size_t sum = 0;
    for (const auto& request : requests) sum += request.id() == id ? 1 : 0;
    return sum;
  }

 private:
  class Seen final : public Channel {
   public:
    explicit Seen(SeenNode& node) : node_(node) {}
    void send(Message message) override {
      auto request = wire::decode_request(message.head);
      ASSERT_TRUE(request);
      node_.requests.push_back(std::move(*request));
    }

   private:
    SeenNode& node_;
  };
  Receive receive_;
};

class Link : public ::testing::Test {
 protected:
  NodeLink& make(LinkPolicy policy = {}) {
    link_ = std::make_unique<NodeLink>(format::CharterNode{NodeId{}, "node", {"sim:node", {}}},
                                       RepositoryId{}, loop_, loop_, random_, policy);
    return *link_;
  }
  // Its id.
  std::uint64_t call() {
    wire::RequestProto request;
    request.mutable_status();
    link_->call(std::move(request), {},
                [this](Result<NodeLink::Reply> reply) { answers_.push_back(std::move(reply)); });
    return node_.requests.back().id();
  }

  SimLoop loop_;
  SeededRandom random_{testing::seed()};
  SeenNode node_;
  std::unique_ptr<NodeLink> link_;
  std::vector<Result<NodeLink::Reply>> answers_;
};

// As one whose disk hangs does: its loop runs, and what waits for the disk never ends.
TEST_F(Link, ToANodeThatAnswersPingsAndNotWhatItIsAskedGoesDown) {
  ASSERT_TRUE(make().start(node_));
  node_.greet();
  call();
  const Instant asked = loop_.now();
  for (std::size_t seen = 0; answers_.empty(); loop_.run_for(seconds(1))) {
    ASSERT_LT(loop_.now() - asked, std::chrono::minutes(10)) << "it waits for ever";
    EXPECT_EQ(link_->state(), NodeLink::State::kReady);
    for (; seen < node_.requests.size(); ++seen)
      if (node_.requests[seen].has_ping()) node_.reply(node_.requests[seen].id());
  }
  EXPECT_GE(loop_.now() - asked, LinkPolicy().answer);
  EXPECT_EQ(answers_[0].error().code(), Code::kUnavailable);
  EXPECT_THAT(answers_[0].error().message(), HasSubstr("its disk may hang"));
  EXPECT_EQ(link_->state(), NodeLink::State::kDown);
  node_.greet();
  EXPECT_EQ(link_->state(), NodeLink::State::kReady) << "it may be well again";
}

TEST_F(Link, OverAnAddressThatCanNeverWorkIsDown) {
  node_.refuses = true;
  const Status started = make().start(node_);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code(), Code::kInvalidArgument);
  EXPECT_THAT(started.error().message(), HasSubstr("node"));
  EXPECT_EQ(link_->state(), NodeLink::State::kDown);
  link_->call({}, {}, [this](auto reply) { answers_.push_back(std::move(reply)); });
  EXPECT_TRUE(answers_.empty()) << "never from within the call";
  loop_.run_for(seconds(1));
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_EQ(answers_[0].error().code(), Code::kInvalidArgument);
}

TEST_F(Link, IsReadyOnceItIsGreetedAndNotBefore) {
  ASSERT_TRUE(make().start(node_));
  const std::uint64_t hello = node_.requests.front().id();
  node_.reply(hello);  // without a greeting
  wire::ReplyProto status;
  status.mutable_status()->set_stored_bytes(1);
  node_.reply(12345, status);  // to somebody else, or from before
  EXPECT_EQ(link_->state(), NodeLink::State::kConnecting);
  node_.greet();
  EXPECT_EQ(link_->state(), NodeLink::State::kReady);
  EXPECT_EQ(link_->incarnation(), kIncarnation);
}

TEST_F(Link, SendsAgainSoonWhatALaterAnswerHasOvertaken) {
  ASSERT_TRUE(make({.overtaken_resend = seconds(1), .resend = seconds(100)}).start(node_));
  node_.greet();
  const std::uint64_t first = call(), second = call();
  node_.reply(second);
  EXPECT_EQ(answers_.size(), 1U);
  loop_.run_for(std::chrono::milliseconds(900));
  EXPECT_EQ(node_.count(first), 1U);
  loop_.run_for(std::chrono::milliseconds(600));
  EXPECT_EQ(node_.count(first), 2U);
  EXPECT_EQ(node_.count(second), 1U);
}

// What a node that says nothing at all was sent is on its way, or lost with the connection.
TEST_F(Link, SendsNothingAgainToANodeThatSaysNothingAtAll) {
  ASSERT_TRUE(
      make({.resend = seconds(3), .ping = seconds(200), .silence = seconds(100)}).start(node_));
  node_.greet();
  const std::uint64_t id = call();
  loop_.run_for(seconds(50));
  EXPECT_EQ(node_.count(id), 1U);
  node_.reply(12345);  // something else
  loop_.run_for(seconds(1));
  EXPECT_EQ(node_.count(id), 2U);
}

}  // namespace
}  // namespace holdfast::agent
