// Bringing a node whole while it, or one of those that it is brought whole from, misbehaves at one
// moment or another. Whole clusters are repaired in tests/simulation.
#include "agent/node_repair.h"

#include <gmock/gmock.h>

#include "tests/unit/agent/made_snapshot.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::MadeObject;
using holdfast::testing::MadeSnapshot;
using holdfast::testing::ScriptedNode;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Node b lacks everything that a holds.
class Repairing : public holdfast::testing::ReaderFixture {
 protected:
  Repairing() {
    make_nodes(2);
    connect();
  }
  ScriptedNode& source() { return *nodes_[0]; }
  ScriptedNode& target() { return *nodes_[1]; }

  // A snapshot of files of one chunk each, each in a frame of its own.
  std::vector<ObjectId> add_snapshot(std::size_t files, std::size_t attribute_bytes = 0) {
    MadeSnapshot made(repository_);
    std::vector<ObjectId> ids;
    for (std::size_t i = 0; i < files; ++i) {
      ids.push_back(add_random_chunk(500));
      end_frame();
      Entry& entry = made.file("f" + std::to_string(i), {MadeObject{ids.back(), Bytes(500)}});
      if (attribute_bytes > 0) entry.xattrs = {{"user.x", std::string(attribute_bytes, 'x')}};
    }
    const ObjectId root = made.finish(nodes_);
    for (const ListObject& list : made.lists()) ids.push_back(list.id);
    snapshots_.push_back(holdfast::testing::make_manifest(repository_, repository_.agent, root,
                                                          snapshots_.size() + 1, {}, {0}));
    target().lose_frames();
    target().committed.clear();
    return ids;
  }
  void begin(RepairPolicy policy = {}) {
    done_.reset();
    repair_ = std::make_unique<NodeRepair>(RepairPorts{loop_, loop_, loop_, repository_.random},
                                           writer_, keys_, *links_[1],
                                           std::vector<NodeLink*>{links_[0].get()}, policy);
    repair_->start(snapshots_, [this](RepairReport report) {
      EXPECT_FALSE(done_);
      done_ = std::move(report);
    });
  }
  RepairReport finish() {
    EXPECT_TRUE(loop_.run_until([&] { return done_.has_value(); })) << "it never ends";
    repair_.reset();
    return done_.value_or(RepairReport());
  }
  RepairReport repair() {
    begin();
    return finish();
  }
  void expect_whole(const RepairReport& report, const std::vector<ObjectId>& ids) {
    EXPECT_TRUE(report.is_whole()) << (report.ended ? report.ended->message() : "failed");
    EXPECT_THAT(report.completed, SizeIs(snapshots_.size()));
    EXPECT_THAT(target().committed, SizeIs(snapshots_.size()));
    for (const ObjectId& id : ids) EXPECT_TRUE(target().has(id)) << id.short_hex();
  }
  // The next `count` frames are answered with this.
  void refuse_frames(std::size_t count, Code code, Duration latency = microseconds(200)) {
    refused_ = 0;
    target().alter = [this, count, code, latency](const auto& request, auto& reply) {
      target().latency = microseconds(200);
      if (!request.has_put_frame() || refused_ == count) return;
      ++refused_;
      target().latency = latency;
      wire::set_error(reply, Error(code, "refused"));
    };
  }

  WriterKeys writer_{repository_.id,
                     repository_.public_key,
                     crypto::SigningKey::generate(repository_.random),
                     repository_.group_key.clone(),
                     *content::Chunker::create(repository_.group_key, {4096}),
                     1};
  std::vector<format::SignedManifest> snapshots_;
  std::unique_ptr<NodeRepair> repair_;
  std::optional<RepairReport> done_;
  std::size_t refused_ = 0;
};

TEST_F(Repairing, ListsThatFillMoreThanAFrameAreBroughtInSeveral) {
  const auto ids = add_snapshot(60, 64 << 10);
  std::size_t frames = 0;
  target().alter = [&](const auto& request, auto&) { frames += request.has_put_frame() ? 1 : 0; };
  expect_whole(repair(), ids);
  EXPECT_GE(frames, 60U + 3) << "four megabytes of lists";
}

TEST_F(Repairing, ANodeThatFailsForAMomentIsBegunWithAgain) {
  const auto ids = add_snapshot(5);
  for (const Code code : {Code::kTimedOut, Code::kUnavailable, Code::kMissingObjects}) {
    target().lose_frames();
    target().committed.clear();
    // Five frames and that of the lists, and one of them again.
    refuse_frames(code == Code::kMissingObjects ? 7 : 1, code);
    expect_whole(repair(), ids);
  }
}

TEST_F(Repairing, ANodeThatRefusesForGoodEndsIt) {
  add_snapshot(5);
  refuse_frames(1, Code::kNoSpace);
  const RepairReport report = repair();
  ASSERT_TRUE(report.ended);
  EXPECT_EQ(report.ended->code(), Code::kNoSpace);
  EXPECT_FALSE(report.is_whole());
  EXPECT_THAT(target().committed, IsEmpty());
}

TEST_F(Repairing, ASnapshotOfWhichSomethingIsNowhereFailsAlone) {
  const auto first = add_snapshot(5), second = add_snapshot(3);
  source().remove_frame_of(first[0]);
  const RepairReport report = repair();
  EXPECT_FALSE(report.is_whole());
  EXPECT_FALSE(report.ended);
  ASSERT_THAT(report.failed, SizeIs(1));
  EXPECT_EQ(report.failed[0].snapshot, snapshots_[0].id);
  EXPECT_THAT(report.completed, SizeIs(1));
  for (const ObjectId& id : second) EXPECT_TRUE(target().has(id));
}

// Frames are being opened and lists sealed meanwhile.
TEST_F(Repairing, ANodeMayFailAtAnyMoment) {
  const auto ids = add_snapshot(8);
  for (Duration after = microseconds(50); after < milliseconds(3); after += microseconds(20)) {
    target().lose_frames();
    target().committed.clear();
    refuse_frames(1, Code::kTimedOut, after);
    expect_whole(repair(), ids);
    EXPECT_EQ(refused_, 1U);
    if (HasFailure()) return;
  }
}

// What the first of two answers began was not to begin once more.
TEST_F(Repairing, ANodeThatRestartsTwiceInAMomentIsBegunWithAgain) {
  const auto ids = add_snapshot(8);
  std::size_t frames = 0;
  Instant both;  // the answers to the first two frames come
  target().alter = [&](const auto& request, auto& reply) {
    target().latency = microseconds(200);
    if (request.has_put_frame() && ++frames <= 2) {
      if (frames == 1) both = loop_.now() + milliseconds(5);
      target().latency = both - loop_.now();
      reply.set_incarnation(7 + frames);
    } else if (frames >= 2 && loop_.now() >= both) {
      reply.set_incarnation(9);
    }
  };
  expect_whole(repair(), ids);
  EXPECT_EQ(links_[1]->incarnation(), 9U);
}

TEST_F(Repairing, WhatWasFetchedForANodeThatWentAwayIsBegunWithAgainOnceItIsBack) {
  const auto ids = add_snapshot(8);
  source().withheld.insert(ids[3]);
  target().alter = [this](const auto& request, auto&) {
    if (request.has_put_frame()) target().silent = true;
  };
  begin({.fetch = {}, .patience = seconds(60)});
  ASSERT_TRUE(loop_.run_until([&] { return links_[1]->state() == NodeLink::State::kDown; }));
  source().withheld.clear();
  loop_.run_for(seconds(12));  // the link has asked again, and all is there
  EXPECT_FALSE(done_);
  target().alter = nullptr;
  target().silent = false;
  expect_whole(finish(), ids);
}

TEST_F(Repairing, ANodeThatStaysAwayEndsItUnlessThatIsEndedBefore) {
  add_snapshot(8);
  target().alter = [this](const auto& request, auto&) {
    if (request.has_put_frame()) target().silent = true;
  };
  begin({.fetch = {}, .patience = seconds(30)});
  ASSERT_TRUE(loop_.run_until([&] { return links_[1]->state() == NodeLink::State::kDown; }));
  loop_.run_for(seconds(20));
  EXPECT_FALSE(done_);
  loop_.run_for(seconds(11));
  ASSERT_TRUE(done_);
  EXPECT_EQ(done_->ended->code(), Code::kUnavailable);
  // The same, but nobody waits so long.
  target().silent = false;
  ASSERT_TRUE(loop_.run_until([&] { return links_[1]->state() == NodeLink::State::kReady; }));
  begin({.fetch = {}, .patience = seconds(30)});
  ASSERT_TRUE(loop_.run_until([&] { return links_[1]->state() == NodeLink::State::kDown; }));
  repair_.reset();
  loop_.run_for(seconds(60));
  EXPECT_FALSE(done_);
}

TEST_F(Repairing, AnAcknowledgementThatComesAfterTheEndChangesNothing) {
  add_snapshot(8);
  target().ignores = {"put_frame"};
  source().frames_before_silence = 3;
  begin({.fetch = {.patience = seconds(1)}});
  ASSERT_TRUE(loop_.run_until([&] { return done_.has_value(); }));
  EXPECT_EQ(done_->ended->code(), Code::kUnavailable) << "nobody is left to bring it whole from";
  target().ignores.clear();
  loop_.run_for(seconds(60));
  EXPECT_THAT(repair_->so_far().completed, IsEmpty());
}

TEST_F(Repairing, ARepairMayGoBeforeItsEndIsToldOrBeforeItBeginsAgain) {
  add_snapshot(2);
  begin();
  while (repair_->so_far().completed.empty()) ASSERT_TRUE(loop_.step());
  repair_.reset();
  loop_.run_for(seconds(1));
  EXPECT_FALSE(done_);

  target().lose_frames();
  refuse_frames(1, Code::kTimedOut, milliseconds(50));
  begin();
  ASSERT_TRUE(loop_.run_until([&] { return refused_ == 1; }));
  const Instant answered = loop_.now() + milliseconds(50);
  while (loop_.next_due() < answered) loop_.step();
  loop_.step();  // now it is to begin again
  repair_.reset();
  target().committed.clear();
  loop_.run_for(seconds(1));
  EXPECT_THAT(target().committed, IsEmpty());
}

}  // namespace
}  // namespace holdfast::agent
