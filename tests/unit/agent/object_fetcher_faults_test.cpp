// Fetching from nodes that answer late, wrongly, twice or not at all.
#include <gmock/gmock.h>

#include <algorithm>
#include <deque>

#include "agent/object_fetcher.h"
#include "tests/unit/agent/reader_fixture.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::ScriptedNode;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class FaultyFetching : public holdfast::testing::ReaderFixture {
 protected:
  static Bytes flipped(ByteView frame, std::size_t at) {
    Bytes bytes(frame.begin(), frame.end());
    bytes[at] ^= 0x10;
    return bytes;
  }
  // Every request of this kind is answered with an error.
  static void refuse(ScriptedNode& node, wire::RequestProto::WhatCase kind, Code code) {
    node.alter = [kind, code](const wire::RequestProto& request, wire::ReplyProto& reply) {
      if (request.what_case() == kind) wire::set_error(reply, Error(code, "refused"));
    };
  }
  Error only_reason(const Fetched& fetched) const {
    EXPECT_EQ(fetched.handed_out, 0U);
    EXPECT_THAT(fetched.missing, SizeIs(1));
    return fetched.missing.empty() ? Error(Code::kIo, "none") : fetched.missing[0].reason;
  }
};

TEST_F(FaultyFetching, NoNodeOwesMoreThanSoManyAnswersAtOnce) {
  make_nodes(1);
  const auto first = add_frames(100, 1, 50), second = add_frames(3, 1, 50);
  connect();
  nodes_[0]->latency = seconds(1);
  const auto one = begin_fetch(first);
  loop_.run_for(milliseconds(1500));
  EXPECT_EQ(nodes_[0]->frames_served, 64U);
  const auto two = begin_fetch(second);
  loop_.run_for(milliseconds(100));
  EXPECT_EQ(nodes_[0]->locates, 1U) << "the second waits, too";
  ASSERT_TRUE(loop_.run_until([&] { return one->done && two->done; }));
  expect_all(*one, first);
  expect_all(*two, second);
}

TEST_F(FaultyFetching, MoreIdsAndFramesThanAreAskedForAtOnceAllComeInTheirTurn) {
  make_nodes(2);
  const auto ids = add_frames(600, 1, 50);
  connect();
  auto asked = ids;
  constexpr std::size_t kAbsent = 20'000;
  for (std::size_t i = 0; i < kAbsent; ++i) asked.push_back(repository_.random_id());
  const auto fetched = fetch(asked);
  EXPECT_THAT(fetched.missing, SizeIs(kAbsent));
  EXPECT_THAT(fetched.objects, SizeIs(ids.size()));
}

TEST_F(FaultyFetching, WhatIsLateIsNotAskedForAgainBeyondTheBound) {
  make_nodes(2);
  const auto ids = add_frames(1, 1, 100'000);
  connect();
  for (auto& node : nodes_) node->withheld.insert(ids[0]);
  make_fetcher({.frame_bytes = 1000, .late_bytes = 0});
  const auto fetched = begin_fetch(ids);
  loop_.run_for(milliseconds(100));  // one of them was asked
  for (auto& node : nodes_) node->withheld.clear();
  loop_.run_for(milliseconds(1700));  // late after a second
  EXPECT_FALSE(fetched->done);
  EXPECT_EQ(nodes_[0]->frames_served + nodes_[1]->frames_served, 0U);
  ASSERT_TRUE(loop_.run_until([&] { return fetched->done; })) << "the link asks the same again";
  expect_all(*fetched, ids);
}

TEST_F(FaultyFetching, TheLimitHoldsForWhatIsAskedForAgain) {
  make_nodes(2);
  const auto ids = add_frames(6, 1, 100'000);
  connect();
  nodes_[1]->withheld.insert(ids.begin(), ids.end());
  make_fetcher({.bytes_per_s = 50'000});
  const Instant began = loop_.now();
  const auto fetched = begin_fetch(ids);
  loop_.run_for(milliseconds(1900));  // the first is late after one, and it is nobody's turn
  EXPECT_EQ(nodes_[0]->frames_served, 0U);
  ASSERT_TRUE(loop_.run_until([&] { return fetched->done; }));
  expect_all(*fetched, ids);
  EXPECT_EQ(nodes_[0]->frames_served, 6U);
  EXPECT_GE(loop_.now() - began, seconds(2 * 6 - 1)) << "each again of another takes its turn, too";
}

// A node that answers one request after the other is not late, but this one it forgot.
TEST_F(FaultyFetching, ARequestThatAllOthersOvertookIsAskedOfAnotherNode) {
  make_nodes(2);
  const auto ids = add_frames(300, 1, 100'000);
  connect();
  for (auto& node : nodes_) node->bytes_per_second = 1e6;
  nodes_[0]->withheld.insert(ids.begin(), ids.begin() + 4);
  make_fetcher({.frame_bytes = 1'000'000});
  const auto fetched = begin_fetch(ids);
  const auto came = [&] {
    return std::all_of(ids.begin(), ids.begin() + 4,
                       [&](const ObjectId& id) { return fetched->objects.contains(id); });
  };
  ASSERT_TRUE(loop_.run_until(came));
  EXPECT_LT(fetched->objects.size(), 250U) << "long before the rest is there";
  ASSERT_TRUE(loop_.run_until([&] { return fetched->done; }));
  expect_all(*fetched, ids);
}

TEST_F(FaultyFetching, ANodeThatIsBusyAgainAndAgainIsAskedOnlySoOften) {
  make_nodes(1);
  const auto ids = add_frames(1, 1, 100);
  connect();
  for (const auto kind : {wire::RequestProto::kLocate, wire::RequestProto::kGetFrame})
    for (const Code code : {Code::kUnavailable, Code::kTimedOut}) {
      std::size_t asked = 0;
      nodes_[0]->alter = [&](const wire::RequestProto& request, wire::ReplyProto& reply) {
        if (request.what_case() != kind) return;
        ++asked;
        wire::set_error(reply, Error(code, "not now"));
      };
      EXPECT_EQ(only_reason(fetch(ids)).code(), Code::kUnavailable);
      EXPECT_EQ(asked, 4U);
      nodes_[0]->alter = nullptr;
      expect_all(fetch(ids), ids);
    }
}

TEST_F(FaultyFetching, AnAnswerWithTooFewPlacesIsNoAnswer) {
  make_nodes(2);
  const auto ids = add_frames(3, 2, 100);
  connect();
  nodes_[0]->alter = [](const wire::RequestProto& request, wire::ReplyProto& reply) {
    if (request.has_locate()) reply.mutable_locate()->mutable_frame()->RemoveLast();
  };
  for (int i = 0; i < 2; ++i) expect_all(fetch(ids), ids);
  EXPECT_GT(nodes_[0]->locates, 0U);
  EXPECT_EQ(nodes_[0]->frames_served, 0U);
}

TEST_F(FaultyFetching, ANodeWithADamagedFrameThatDoesNotSayWhereTheRestLiesIsDoneWithout) {
  make_nodes(2);
  const auto ids = add_frames(6, 3, 1000);
  connect();
  nodes_[1]->forgets_what_is_damaged = false;
  for (std::size_t frame = 0; frame < 6; ++frame)
    nodes_[1]->replace_frame_of(ids[3 * frame], flipped(frames_[frame], 400));
  // The first question goes to the other.
  refuse(*nodes_[1], wire::RequestProto::kLocate, Code::kIo);
  expect_all(fetch(ids), ids);
  EXPECT_FALSE(nodes_[1]->reported.empty());
  EXPECT_GT(nodes_[1]->locates, 0U);
}

TEST_F(FaultyFetching, AFrameOfANewerVersionIsNotReportedAsDamaged) {
  make_nodes(2);
  const auto ids = add_frames(1, 1, 100);
  connect();
  Bytes newer(frames_[0].view().begin(), frames_[0].view().end());
  newer[8] = 2;  // the version
  holdfast::testing::make_good(newer, repository_.agent);
  for (auto& node : nodes_) node->replace_frame_of(ids[0], newer);
  make_fetcher().on_damage([](auto, const auto&, const auto&) { FAIL() << "it is whole"; });
  EXPECT_THAT(only_reason(fetch(ids)).message(), HasSubstr("a newer one wrote it"));
  for (auto& node : nodes_) EXPECT_THAT(node->reported, IsEmpty());
}

TEST_F(FaultyFetching, AFrameLargerThanAnyMayBeIsRefused) {
  make_nodes(1);
  const auto ids = add_frames(1, 1, 100);
  connect();
  nodes_[0]->replace_frame_of(ids[0], Bytes(format::kMaxFrameSize + 1));
  EXPECT_THAT(only_reason(fetch(ids)).message(), HasSubstr("larger than any"));
}

TEST_F(FaultyFetching, WhatIsForgedOnAllNodesCountsAsDamaged) {
  make_nodes(2);
  const auto ids = add_frames(1, 1, 500);
  connect();
  Bytes forged = flipped(frames_[0], frames_[0].size() - 200);
  holdfast::testing::make_good(forged, repository_.agent);
  for (auto& node : nodes_) node->replace_frame_of(ids[0], forged);
  EXPECT_EQ(only_reason(fetch(ids)).code(), Code::kCorrupt);
}

TEST_F(FaultyFetching, AFetcherMayGoBeforeTheFirstAnswer) {
  make_nodes(1);
  const auto ids = add_frames(2, 2, 100);
  connect();
  for (const auto& asked : {ids, std::vector<ObjectId>()}) {
    const auto fetched = begin_fetch(asked);
    fetcher_.reset();
    loop_.run_for(seconds(1));
    EXPECT_FALSE(fetched->done);
  }
}

// Frames are opened when the test says so. Node b, which is asked first, answers after two seconds,
// and a, which is asked when that is late, at once.
class HeldOpening : public FaultyFetching {
 protected:
  class HeldExecutor final : public Executor {
   public:
    void submit(Task work) override { held.push_back(std::move(work)); }
    unsigned concurrency() const override { return 1; }
    std::deque<Task> held;
  };
  void make(FetchPolicy policy = {}) {
    make_nodes(2);
    ids_ = add_frames(1, 2, 1000);
    connect();
    nodes_[1]->latency = seconds(2);
    fetcher_ =
        std::make_unique<ObjectFetcher>(std::vector<NodeLink*>{links_[0].get(), links_[1].get()},
                                        keys_, loop_, loop_, held_, policy);
  }
  // All that is held; how much it was.
  std::size_t open() {
    std::size_t opened = 0;
    for (; !held_.held.empty(); ++opened) {
      Task work = std::move(held_.held.front());
      held_.held.pop_front();
      work();
    }
    loop_.run_for(milliseconds(10));
    return opened;
  }
  void both_answer() { loop_.run_for(seconds(3)); }

  HeldExecutor held_;
  std::vector<ObjectId> ids_;
};

TEST_F(HeldOpening, OfTwoGoodAnswersOneIsOpened) {
  make({.frame_bytes = 1});
  const auto fetched = begin_fetch(ids_);
  both_answer();
  EXPECT_EQ(nodes_[0]->frames_served, 1U);
  EXPECT_EQ(nodes_[1]->frames_served, 1U);
  EXPECT_EQ(open(), 1U);
  EXPECT_EQ(open(), 0U);
  EXPECT_TRUE(fetched->done);
  expect_all(*fetched, ids_);
  // What the second took of the bound is given back.
  nodes_[1]->latency = milliseconds(1);
  const auto again = begin_fetch(ids_);
  loop_.run_for(milliseconds(100));
  EXPECT_EQ(open(), 1U);
  expect_all(*again, ids_);
}

TEST_F(HeldOpening, AnAnswerThatWaitsTakesThePlaceOfADamagedOne) {
  make();
  nodes_[0]->replace_frame_of(ids_[0], flipped(frames_[0], 300));
  const auto fetched = begin_fetch(ids_);
  both_answer();
  EXPECT_EQ(open(), 1U);
  EXPECT_FALSE(fetched->done);
  EXPECT_EQ(open(), 1U);
  expect_all(*fetched, ids_);
  EXPECT_THAT(nodes_[0]->reported, SizeIs(1));
}

TEST_F(HeldOpening, ARefusalMeanwhileIsNotForgotten) {
  make();
  nodes_[0]->replace_frame_of(ids_[0], flipped(frames_[0], 300));
  nodes_[0]->forgets_what_is_damaged = false;
  refuse(*nodes_[1], wire::RequestProto::kGetFrame, Code::kNotFound);
  const auto fetched = begin_fetch({ids_[0]});
  both_answer();
  EXPECT_EQ(open(), 1U);
  ASSERT_TRUE(loop_.run_until([&] { return fetched->done; }));
  const Error reason = only_reason(*fetched);
  EXPECT_EQ(reason.code(), Code::kCorrupt);
  EXPECT_THAT(reason.message(), HasSubstr("b: refused"));
}

TEST_F(HeldOpening, AnAnswerForWhichNoWorkerWasFreeIsNotOpenedInVain) {
  make();
  const auto more = add_frames(1, 1, 1000);
  for (auto& node : nodes_) node->put_frame(frames_[1]);
  ids_.insert(ids_.end(), more.begin(), more.end());
  const auto fetched = begin_fetch(ids_);
  both_answer();
  EXPECT_EQ(nodes_[0]->frames_served, 2U);
  EXPECT_EQ(nodes_[1]->frames_served, 1U);
  std::ranges::reverse(held_.held);  // that of which there are two answers comes to its end first
  EXPECT_EQ(open(), 2U) << "as many as may be opened at once";
  EXPECT_EQ(open(), 0U);
  expect_all(*fetched, ids_);
}

}  // namespace
}  // namespace holdfast::agent
