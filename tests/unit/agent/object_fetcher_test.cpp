#include "agent/object_fetcher.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "tests/unit/agent/reader_fixture.h"

namespace holdfast::agent {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ObjectFetcherTest : public holdfast::testing::ReaderFixture {
 protected:
  static Bytes flipped(ByteView frame, std::size_t at) {
    Bytes bytes(frame.begin(), frame.end());
    bytes[at] ^= 0x10;
    return bytes;
  }
  std::size_t frames_served() const {
    std::size_t sum = 0;
    for (const auto& node : nodes_) sum += node->frames_served;
    return sum;
  }
};
using ObjectFetching = ObjectFetcherTest;

TEST_F(ObjectFetching, EachFrameIsFetchedAndOpenedOnceHoweverManyIdsAreAskedOfIt) {
  make_nodes(1);
  const auto ids = add_frames(5, 20, 1000);
  connect();
  auto asked = ids;
  std::ranges::reverse(asked);
  asked.insert(asked.end(), ids.begin(), ids.end());  // again
  expect_all(fetch(asked), ids);
  EXPECT_EQ(nodes_[0]->frames_served, 5u);
  EXPECT_EQ(nodes_[0]->locates, 1u);
  EXPECT_EQ(fetcher_->frames_opened(), 5u);
}

TEST_F(ObjectFetching, WhatWasNotAskedForIsNotHandedOut) {
  make_nodes(1);
  const auto ids = add_frames(2, 10, 100);
  connect();
  expect_all(fetch({ids[3], ids[17]}), {ids[3], ids[17]});
}

TEST_F(ObjectFetching, NothingToFetchIsDoneAtOnce) {
  make_nodes(1);
  connect();
  EXPECT_THAT(fetch({}).missing, IsEmpty());
}

TEST_F(ObjectFetching, FramesAreSpreadOverAllNodes) {
  make_nodes(3);
  const auto ids = add_frames(60, 4, 20'000);
  connect();
  expect_all(fetch(ids), ids);
  EXPECT_EQ(frames_served(), 60u);
  for (const auto& node : nodes_) EXPECT_GE(node->frames_served, 15u) << node->name();
}

TEST_F(ObjectFetching, ALimitHoldsOverAllNodesAndMakesNoAnswerLate) {
  make_nodes(3);
  const auto ids = add_frames(20, 1, 100'000);
  connect();
  make_fetcher({.bytes_per_s = 50'000});
  const Instant began = loop_.now();
  expect_all(fetch(ids), ids);
  EXPECT_EQ(frames_served(), 20U);
  EXPECT_EQ(fetcher_->frames_opened(), 20U);
  const double took = std::chrono::duration<double>(loop_.now() - began).count();
  EXPECT_GE(took, 19 * 100'000.0 / 50'000 - 1);
  EXPECT_LE(took, 20 * 110'000.0 / 50'000 + 5);
}

TEST_F(ObjectFetching, ASlowNodeServesLessThanAFastOne) {
  make_nodes(2);
  nodes_[0]->bytes_per_second = 1e6;
  nodes_[1]->bytes_per_second = 10e6;
  const auto ids = add_frames(100, 1, 100'000);
  connect();
  make_fetcher({.frame_bytes = 1'000'000});
  expect_all(fetch(ids), ids);
  EXPECT_LE(nodes_[0]->frames_served * 3, nodes_[1]->frames_served);
  EXPECT_GE(nodes_[0]->frames_served, 3u);
}

TEST_F(ObjectFetching, BytesInFlightStayWithinTheirBound) {
  make_nodes(2);
  for (auto& node : nodes_) node->bytes_per_second = 50e6;
  const auto ids = add_frames(80, 1, 100'000);
  connect();
  make_fetcher({.frame_bytes = 500'000});
  const auto fetched = begin_fetch(ids);
  std::size_t most = 0;
  while (!fetched->done && loop_.step()) {
    // Sent by nodes and not handed out: what is in flight or waits to be opened.
    std::size_t served = 0;
    for (const auto& node : nodes_) served += node->bytes_served;
    most = std::max(most, served - fetched->frames * frames_[0].size());
  }
  expect_all(*fetched, ids);
  EXPECT_LE(most, 500'000u);
  EXPECT_GE(most, 300'000u) << "and it is made use of";
}

TEST_F(ObjectFetching, AFrameLargerThanTheBoundIsStillFetched) {
  make_nodes(1);
  const auto ids = add_frames(3, 1, 300'000);
  connect();
  make_fetcher({.frame_bytes = 1000});
  expect_all(fetch(ids), ids);
}

TEST_F(ObjectFetching, WhatALostNodeOwedIsFetchedFromTheOthers) {
  make_nodes(3);
  const auto ids = add_frames(40, 2, 10'000);
  connect();
  nodes_[1]->frames_before_silence = 3;
  make_fetcher({.frame_bytes = 200'000});
  expect_all(fetch(ids), ids);
  EXPECT_EQ(nodes_[1]->frames_served, 3u);
}

TEST_F(ObjectFetching, AnAnswerThatIsLateIsAskedOfAnotherNodeLongBeforeTheNodeCountsAsDown) {
  make_nodes(2);
  const auto ids = add_frames(10, 1, 10'000);
  connect();
  nodes_[0]->ignores = {"get_frame"};
  const Instant began = loop_.now();
  expect_all(fetch(ids), ids);
  EXPECT_EQ(links_[0]->state(), NodeLink::State::kReady);
  EXPECT_LT(loop_.now() - began, std::chrono::seconds(5));
}

TEST_F(ObjectFetching, AQuestionWhereThingsLieThatIsNotAnsweredIsAskedOfAnotherNode) {
  make_nodes(2);
  const auto ids = add_frames(4, 1, 1000);
  connect();
  for (auto& node : nodes_) node->ignores = {"locate"};
  const auto fetched = begin_fetch(ids);
  loop_.run_for(std::chrono::milliseconds(500));
  nodes_[1]->ignores.clear();
  nodes_[0]->silent = true;
  EXPECT_TRUE(loop_.run_until([&] { return fetched->done; }));
  expect_all(*fetched, ids);
}

TEST_F(ObjectFetching, ALateAnswerThatComesAfterAllChangesNothing) {
  make_nodes(2);
  const auto ids = add_frames(6, 3, 10'000);
  connect();
  nodes_[0]->latency = std::chrono::seconds(3);
  expect_all(fetch(ids), ids);
  loop_.run_for(std::chrono::seconds(10));
  const auto again = add_frames(2, 2, 5000);
  expect_all(fetch(again), again);
}

TEST_F(ObjectFetching, ADamagedFrameIsReportedAndFetchedElsewhere) {
  make_nodes(2);
  const auto ids = add_frames(8, 5, 4000);
  connect();
  for (const auto& frame : frames_)  // all of a's
    nodes_[0]->replace_frame_of(format::parse_frame(frame)->header.objects[0].id,
                                flipped(frame, frame.size() / 2));
  std::size_t damage = 0;
  make_fetcher().on_damage([&](std::size_t node, const ObjectId&, const Error& error) {
    EXPECT_EQ(node, 0u);
    EXPECT_EQ(error.code(), Code::kCorrupt);
    ++damage;
  });
  expect_all(fetch(ids), ids);
  EXPECT_GT(damage, 0u);
  EXPECT_EQ(nodes_[0]->reported.size(), damage);
  EXPECT_THAT(nodes_[1]->reported, IsEmpty());
}

TEST_F(ObjectFetching, NoDamageAnywhereInAFrameGetsThrough) {
  make_nodes(1);
  const auto ids = add_frames(1, 3, 500);
  connect();
  const Bytes good(frames_[0].view().begin(), frames_[0].view().end());
  for (std::size_t at = 0; at < good.size() - format::kFrameSignatureSize; at += 7) {
    nodes_[0]->put_frame(frames_[0]);
    nodes_[0]->replace_frame_of(ids[0], flipped(good, at));
    const auto fetched = fetch(ids);
    EXPECT_EQ(fetched.handed_out, 0u) << "byte " << at;
    EXPECT_THAT(fetched.missing, SizeIs(3));
  }
}

TEST_F(ObjectFetching, AFrameMadeGoodByAnAttackerWithoutTheKeysDoesNotGetThrough) {
  make_nodes(2);
  const auto ids = add_frames(1, 3, 500);
  connect();
  Bytes forged = flipped(frames_[0], frames_[0].size() - 200);
  holdfast::testing::make_good(forged, repository_.agent);
  nodes_[0]->replace_frame_of(ids[0], forged);
  nodes_[1]->latency = std::chrono::milliseconds(50);
  expect_all(fetch({ids[0]}), {ids[0]});
}

TEST_F(ObjectFetching, AnotherGoodFrameThanTheOneAskedForIsNotTaken) {
  make_nodes(2);
  const auto ids = add_frames(2, 2, 500);
  connect();
  nodes_[0]->replace_frame_of(ids[0], Bytes(frames_[1].view().begin(), frames_[1].view().end()));
  nodes_[1]->silent = true;
  const auto fetched = fetch({ids[0]});
  EXPECT_EQ(fetched.handed_out, 0u);
  ASSERT_THAT(fetched.missing, SizeIs(1));
  EXPECT_THAT(fetched.missing[0].reason.message(), HasSubstr("without the object"));
}

TEST_F(ObjectFetching, WhatNoNodeHasIsMissingWithWhatEachSaid) {
  make_nodes(3);
  const auto ids = add_frames(2, 2, 100);
  connect();
  nodes_[0]->remove_frame_of(ids[0]);
  nodes_[1]->replace_frame_of(ids[0], Bytes(100));
  nodes_[2]->silent = true;
  make_fetcher({.patience = std::chrono::seconds(3)});
  const auto fetched = fetch(ids);
  ASSERT_THAT(fetched.missing, SizeIs(2));
  EXPECT_THAT(fetched.missing, Each(Field(&ObjectFetcher::Missing::reason,
                                          ::testing::Property(&Error::code, Code::kCorrupt))));
  EXPECT_THAT(fetched.missing[0].reason.message(),
              ::testing::AllOf(HasSubstr("a: it does not have"), HasSubstr("b: frame"),
                               HasSubstr("c: node c")));
  EXPECT_EQ(fetched.objects.size(), 2u) << "the rest comes";
}

TEST_F(ObjectFetching, AnIdThatNobodyHeardOfIsNotFound) {
  make_nodes(2);
  connect();
  const auto fetched = fetch({repository_.random_id()});
  ASSERT_THAT(fetched.missing, SizeIs(1));
  EXPECT_EQ(fetched.missing[0].reason.code(), Code::kNotFound);
}

TEST_F(ObjectFetching, WhatOneNodeLacksComesFromAnother) {
  make_nodes(3);
  const auto ids = add_frames(30, 3, 1000);
  connect();
  for (std::size_t i = 0; i < ids.size(); i += 3) nodes_[i % 9 / 3]->remove_frame_of(ids[i]);
  expect_all(fetch(ids), ids);
}

TEST_F(ObjectFetching, ObjectsInOtherFramesOnOtherNodesAreAllFound) {
  make_nodes(2);
  const auto ids = add_frames(1, 6, 1000);  // one frame, on both
  connect();
  // On b each object is in a frame of its own, and a's frame is damaged.
  for (const ObjectId& id : ids) {
    format::FrameContent content(format::FrameRole::kData);
    content.add(id, {}, chunks_.at(id));
    nodes_[1]->put_frame(repository_.sealer().seal(content));
  }
  nodes_[0]->replace_frame_of(ids[0], flipped(frames_[0], 300));
  expect_all(fetch(ids), ids);
}

TEST_F(ObjectFetching, ObjectsThatShareADamagedFrameOnlyOnOneNodeAreNotGivenUp) {
  make_nodes(2);
  const auto ids = add_frames(1, 4, 1000);
  connect();
  // b has the first two in a damaged frame, the rest whole; a has the rest damaged, the first
  // whole.
  const auto frame_of = [&](std::size_t first) {
    format::FrameContent content(format::FrameRole::kData);
    for (std::size_t i = first; i < first + 2; ++i) content.add(ids[i], {}, chunks_.at(ids[i]));
    return repository_.sealer().seal(content);
  };
  const SharedBytes front = frame_of(0), back = frame_of(2);
  for (auto& node : nodes_) {
    node->forgets_what_is_damaged = false;
    node->put_frame(front);
    node->put_frame(back);
  }
  nodes_[0]->replace_frame_of(ids[2], flipped(back, 400));
  nodes_[1]->replace_frame_of(ids[0], flipped(front, 400));
  expect_all(fetch(ids), ids);
}

TEST_F(ObjectFetching, ANodeWithNonsenseAboutPlacesIsPassedOver) {
  make_nodes(2);
  const auto ids = add_frames(3, 2, 100);
  connect();
  nodes_[0]->frames_beyond_its_count = true;
  for (int i = 0; i < 4; ++i) expect_all(fetch(ids), ids);
  EXPECT_GT(nodes_[0]->locates, 0u);
}

TEST_F(ObjectFetching, ANodeThatComesBackInTimeIsAskedAgain) {
  make_nodes(1);
  const auto ids = add_frames(5, 2, 1000);
  connect();
  nodes_[0]->frames_before_silence = 2;
  const auto fetched = begin_fetch(ids);
  EXPECT_TRUE(loop_.run_until([&] { return links_[0]->state() == NodeLink::State::kDown; }));
  EXPECT_FALSE(fetched->done);
  nodes_[0]->silent = false;
  nodes_[0]->frames_before_silence = SIZE_MAX;
  EXPECT_TRUE(loop_.run_until([&] { return fetched->done; }));
  expect_all(*fetched, ids);
}

TEST_F(ObjectFetching, NobodyWaitsForeverForNodesThatStayAway) {
  make_nodes(2);
  const auto ids = add_frames(3, 2, 1000);
  connect();
  for (auto& node : nodes_) node->silent = true;
  const auto fetched = fetch(ids);
  ASSERT_THAT(fetched.missing, SizeIs(ids.size()));
  EXPECT_EQ(fetched.missing[0].reason.code(), Code::kUnavailable);
}

TEST_F(ObjectFetching, SeveralFetchesOverlapAndEachIsDoneOnce) {
  make_nodes(2);
  const auto first = add_frames(10, 2, 1000), second = add_frames(10, 2, 1000);
  connect();
  const auto one = begin_fetch(first), two = begin_fetch(second);
  EXPECT_TRUE(loop_.run_until([&] { return one->done && two->done; }));
  expect_all(*one, first);
  expect_all(*two, second);
}

TEST_F(ObjectFetching, AFetcherMayGoWhileAnswersAndWorkersAreUnderWay) {
  make_nodes(2);
  const auto ids = add_frames(20, 2, 10'000);
  connect();
  for (std::size_t steps = 1; steps < 200; steps += 13) {
    const auto fetched = begin_fetch(ids);
    for (std::size_t i = 0; i < steps && !fetched->done; ++i) loop_.step();
    fetcher_.reset();
    loop_.run_for(std::chrono::seconds(1));
    EXPECT_LE(fetched->handed_out, ids.size());
  }
}

TEST_F(ObjectFetching, RandomFaultsNeverGiveWrongBytesOrLoseWhatAGoodNodeHas) {
  make_nodes(3);
  auto ids = add_frames(60, 3, 2000);
  connect();
  auto& random = repository_.random;
  // Every frame is spoilt in some way on up to two nodes.
  for (std::size_t frame = 0; frame < frames_.size(); ++frame) {
    const std::size_t good = random.below(3);
    for (std::size_t node = 0; node < 3; ++node) {
      if (node == good) continue;
      const ObjectId& id = ids[frame * 3];
      const auto fault = random.below(4);
      if (fault == 0) nodes_[node]->remove_frame_of(id);
      if (fault == 1) nodes_[node]->replace_frame_of(id, Bytes(random.below(300)));
      if (fault == 2)
        nodes_[node]->replace_frame_of(
            id, flipped(frames_[frame], random.below(frames_[frame].size() - 64)));
    }
  }
  nodes_[0]->latency = std::chrono::milliseconds(random.below(40));
  nodes_[1]->forgets_what_is_damaged = false;
  for (std::size_t i = ids.size(); i > 1; --i) std::swap(ids[i - 1], ids[random.below(i)]);
  expect_all(fetch(ids), ids);
}

}  // namespace
}  // namespace holdfast::agent
