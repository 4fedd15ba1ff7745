#include "agent/verify_session.h"

#include <gmock/gmock.h>

#include <set>

#include "tests/unit/agent/made_snapshot.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::MadeObject;
using holdfast::testing::MadeSnapshot;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class Verifying : public holdfast::testing::ReaderFixture {
 protected:
  MadeObject chunk(std::size_t size) {
    const ObjectId id = add_random_chunk(size);
    return {id, chunks_.at(id)};
  }
  // A snapshot of this catalog, held by all nodes.
  ManifestId add_snapshot(MadeSnapshot& made, std::size_t lists_per_frame = 8) {
    end_frame();
    const ObjectId root = made.finish(nodes_, lists_per_frame);
    Snapshot snapshot;
    snapshot.manifest = holdfast::testing::make_manifest(repository_, repository_.agent, root,
                                                         list_.snapshots.size() + 1, {}, {0});
    for (std::size_t node = 0; node < nodes_.size(); ++node)
      snapshot.copies.push_back({node, {0}, true});
    list_.snapshots.push_back(snapshot);
    return snapshot.id();
  }
  VerifyResult verify(VerifyOptions options = {}) {
    std::vector<NodeLink*> links;
    list_.nodes.clear();
    for (auto& link : links_) {
      links.push_back(link.get());
      list_.nodes.push_back(link->name());
    }
    VerifySession session(links, keys_, loop_, loop_, loop_, repository_.random);
    std::optional<VerifyResult> result;
    session.start(list_, std::move(options), [&](VerifyResult verified) {
      EXPECT_FALSE(result);
      result = std::move(verified);
    });
    EXPECT_TRUE(loop_.run_until([&] { return result.has_value(); })) << "it never ends";
    return std::move(*result);
  }
  static wire::VerifyReply step(std::uint64_t number, bool done,
                                const std::vector<ObjectId>& damaged = {}) {
    wire::VerifyReply reply;
    reply.set_step(number);
    reply.set_done(done);
    reply.set_frames(number);
    reply.set_damaged(wire::join_ids(damaged));
    return reply;
  }
  static std::vector<std::string> paths(const std::vector<VerifyFinding>& findings) {
    std::vector<std::string> all;
    for (const auto& finding : findings) all.push_back(finding.path);
    return all;
  }

  SnapshotList list_;
};

TEST_F(Verifying, WhatIsWholeIsCleanAndEachListIsReadOnce) {
  make_nodes(3);
  MadeSnapshot first(repository_), second(repository_);
  for (int i = 0; i < 900; ++i) {
    const auto one = chunk(20);
    first.file("f" + std::to_string(1000 + i), {one});
    second.file("f" + std::to_string(1000 + i), {one});
  }
  second.file("new", {chunk(20)});
  add_snapshot(first);
  add_snapshot(second);
  add_snapshot(second);
  connect();
  const auto result = verify();
  EXPECT_TRUE(result.is_clean());
  EXPECT_EQ(result.snapshots, 3u);
  EXPECT_EQ(result.finding_count, 0u);
  std::set<ObjectId> lists;
  for (const auto& list : first.lists()) lists.insert(list.id);
  for (const auto& list : second.lists()) lists.insert(list.id);
  EXPECT_EQ(result.lists, lists.size());
  for (const auto& node : result.nodes) EXPECT_EQ(node.spot_checks, 8u) << node.name;
}

TEST_F(Verifying, EveryNodeIsAskedUntilItIsDone) {
  make_nodes(2);
  for (std::uint64_t i = 0; i < 20; ++i) nodes_[0]->verify_steps[i] = step(i + 1, i == 19);
  nodes_[1]->verify_steps[0] = step(1, true);
  connect();
  const auto result = verify({.read_data = DataSubset{0.25, {}, 42}});
  EXPECT_TRUE(result.nodes[0].done);
  EXPECT_EQ(result.nodes[0].frames, 20u);
  ASSERT_THAT(nodes_[0]->verifications, SizeIs(20));
  const auto& asked = nodes_[0]->verifications;
  EXPECT_EQ(asked[0].depth(), 2u);
  EXPECT_EQ(asked[0].fraction(), 0.25);
  EXPECT_EQ(asked[0].seed(), 42u);
  EXPECT_EQ(asked[0].run(), asked[19].run());
  EXPECT_NE(asked[0].run(), nodes_[1]->verifications.at(0).run());
}

TEST_F(Verifying, ASizeBecomesAFractionOfWhatTheNodeStores) {
  make_nodes(1);
  connect();
  verify({.read_data = DataSubset{1.0, 250, {}}});
  EXPECT_EQ(nodes_[0]->verifications.at(0).fraction(), 0.25);
  verify({.read_data = DataSubset{1.0, 5000, {}}});
  EXPECT_EQ(nodes_[0]->verifications.back().fraction(), 1.0);
  verify({});
  EXPECT_EQ(nodes_[0]->verifications.back().depth(), 0u);
}

TEST_F(Verifying, ANodeThatDoesNotAdvanceIsGivenUp) {
  make_nodes(1);
  nodes_[0]->verify_steps[0] = step(1, false);
  connect();
  const auto result = verify();
  EXPECT_FALSE(result.is_clean());
  EXPECT_EQ(result.nodes[0].failure->code(), Code::kTimedOut);
}

TEST_F(Verifying, ANodeThatFoundMoreAtEveryStepFilledTheMemory) {
  make_nodes(1);
  for (std::uint64_t i = 0; i < 20; ++i) {
    nodes_[0]->verify_steps[i] = step(i + 1, i == 19, {ObjectId{{static_cast<Byte>(i)}}});
    nodes_[0]->verify_steps[i].add_problems("a problem");
  }
  connect();
  const auto result = verify();
  EXPECT_THAT(result.nodes[0].problems, SizeIs(1)) << "only what it says once it is done";
  EXPECT_THAT(result.nodes[0].findings, SizeIs(1));
}

TEST_F(Verifying, ANodeThatIsAwayIsSaidAndTheOthersAreVerified) {
  make_nodes(2);
  MadeSnapshot made(repository_);
  made.file("f", {chunk(20)});
  add_snapshot(made);
  nodes_[1]->silent = true;
  connect();
  const auto result = verify();
  EXPECT_TRUE(result.nodes[0].is_clean());
  EXPECT_EQ(result.nodes[1].failure->code(), Code::kUnavailable);
  EXPECT_FALSE(result.is_clean());
}

TEST_F(Verifying, DamageIsTracedToTheFilesOfEverySnapshotThatItTouches) {
  make_nodes(2);
  MadeSnapshot first(repository_), second(repository_);
  const auto bad = chunk(20), good = chunk(20), unused = chunk(20);
  std::vector<MadeObject> pieces{good, chunk(20), bad};
  for (MadeSnapshot* made : {&first, &second}) {
    for (int i = 0; i < 500; ++i) made->file("x" + std::to_string(i), {good});
    made->file("x77", {good, bad});
  }
  first.file("only", {bad});
  second.huge_file("huge", pieces, 2);
  const ManifestId one = add_snapshot(first), two = add_snapshot(second);
  nodes_[1]->verify_steps[0] = step(1, true, {bad.id, unused.id});
  connect();
  const auto result = verify();
  EXPECT_TRUE(result.nodes[0].is_clean());
  const auto& findings = result.nodes[1].findings;
  EXPECT_THAT(paths(findings), UnorderedElementsAre("only", "x77", "x77", "huge", ""));
  for (const auto& finding : findings) {
    if (finding.path == "only") {
      EXPECT_EQ(finding.snapshot, one);
    }
    if (finding.path == "huge") {
      EXPECT_EQ(finding.snapshot, two);
    }
    if (finding.path.empty()) {
      EXPECT_EQ(finding.object, unused.id);
      EXPECT_THAT(finding.problem, HasSubstr("in no snapshot"));
    } else {
      EXPECT_EQ(finding.object, bad.id);
    }
  }
}

TEST_F(Verifying, ADamagedListObjectIsTracedToWhatItHolds) {
  make_nodes(2);
  MadeSnapshot made(repository_);
  for (int i = 0; i < 900; ++i) made.file("f" + std::to_string(1000 + i), {chunk(5)});
  add_snapshot(made);
  const auto leaf = std::ranges::find_if(
      made.lists(), [](const ListObject& list) { return list.kind == ListKind::kLeaf; });
  nodes_[0]->verify_steps[0] = step(1, true, {leaf->id});
  connect();
  const auto result = verify();
  ASSERT_THAT(result.nodes[0].findings, SizeIs(1));
  EXPECT_EQ(result.nodes[0].findings[0].path, "f1000");
  EXPECT_TRUE(result.nodes[0].findings[0].is_subtree);
}

TEST_F(Verifying, ACatalogThatNoNodeCanGiveIsAFindingOfNoSingleNode) {
  make_nodes(2);
  MadeSnapshot first(repository_), second(repository_);
  for (int i = 0; i < 900; ++i) {
    const auto one = chunk(5);
    first.file("f" + std::to_string(1000 + i), {one});
    second.file("f" + std::to_string(1000 + i), {one});
  }
  const ManifestId one = add_snapshot(first), two = add_snapshot(second);
  for (auto& node : nodes_) node->remove_frame_of(first.lists()[1].id);
  connect();
  const auto result = verify();
  EXPECT_FALSE(result.is_clean());
  EXPECT_THAT(result.findings, Contains(Field(&VerifyFinding::snapshot, one)));
  EXPECT_THAT(result.findings, Contains(Field(&VerifyFinding::snapshot, two)));
  for (const auto& node : result.nodes) EXPECT_TRUE(node.is_clean());
}

TEST_F(Verifying, OfAFileOneOfWhoseListsIsLostJustThatIsAFinding) {
  make_nodes(1);
  MadeSnapshot made(repository_);
  made.huge_file("huge", {chunk(10), chunk(20), chunk(30), chunk(40), chunk(50)}, 2);
  made.huge_file("other", {chunk(10), chunk(20), chunk(30)}, 2);
  add_snapshot(made, 1);
  const ObjectId lost = made.lists()[1].id;  // between the first and the last of its file
  nodes_[0]->remove_frame_of(lost);
  connect();
  const auto result = verify();
  ASSERT_THAT(result.findings, SizeIs(1));
  EXPECT_EQ(result.findings[0].path, "huge");
  EXPECT_EQ(result.findings[0].object, lost);
  EXPECT_THAT(result.findings[0].problem, HasSubstr("does not have the object"));
}

TEST_F(Verifying, ANodeThatLiesAboutItselfIsCaughtByItsFrames) {
  make_nodes(2);
  MadeSnapshot made(repository_);
  std::vector<MadeObject> all;
  for (int i = 0; i < 20; ++i) {
    all.push_back(chunk(50));
    made.file("f" + std::to_string(i), {all.back()});
    end_frame();
  }
  const ManifestId id = add_snapshot(made);
  for (const auto& one : all) nodes_[1]->replace_frame_of(one.id, Bytes(200));
  connect();
  EXPECT_TRUE(verify({.spot_checks = 0}).is_clean()) << "it says so";
  const auto result = verify({.spot_checks = 5});
  EXPECT_TRUE(result.nodes[0].is_clean());
  EXPECT_EQ(result.nodes[0].spot_checks, 5u);
  EXPECT_EQ(result.nodes[1].finding_count, 5u);
  EXPECT_EQ(result.nodes[1].findings.at(0).snapshot, id);
  EXPECT_THAT(result.nodes[1].findings.at(0).path, ::testing::StartsWith("f"));
}

TEST_F(Verifying, SnapshotsThatANodeCannotRestoreAreNamed) {
  make_nodes(2);
  MadeSnapshot made(repository_);
  made.file("f", {chunk(20)});
  const ManifestId id = add_snapshot(made);
  list_.snapshots[0].copies[1].complete = false;
  connect();
  const auto result = verify();
  EXPECT_THAT(result.nodes[0].incomplete, IsEmpty());
  EXPECT_THAT(result.nodes[1].incomplete, ElementsAre(id));
  EXPECT_FALSE(result.nodes[1].is_clean());
}

TEST_F(Verifying, NoNodesAreVerifiedAtOnce) {
  const auto result = verify();
  EXPECT_THAT(result.nodes, IsEmpty());
}

TEST_F(Verifying, HowFarANodeIsCanBeSeenMeanwhile) {
  make_nodes(1);
  for (std::uint64_t i = 0; i < 5; ++i) nodes_[0]->verify_steps[i] = step(i + 1, i == 4);
  connect();
  VerifySession session({links_[0].get()}, keys_, loop_, loop_, loop_, repository_.random);
  bool done = false;
  session.start(list_, {}, [&](auto) { done = true; });
  std::set<std::uint64_t> seen;
  ASSERT_TRUE(loop_.run_until([&] {
    if (!done) seen.insert(session.so_far().nodes[0].frames);
    return done;
  }));
  EXPECT_THAT(seen, ::testing::IsSupersetOf({0U, 1U, 2U, 3U, 4U}));
}

TEST_F(Verifying, ANodeThatDoesNotSayHowMuchItStoresIsNotVerified) {
  make_nodes(2);
  connect();
  nodes_[1]->alter = [](const wire::RequestProto& request, wire::ReplyProto& reply) {
    if (request.has_status()) wire::set_error(reply, Error(Code::kIo, "the index is gone"));
  };
  const auto result = verify({.read_data = DataSubset{1.0, 250, {}}});
  EXPECT_TRUE(result.nodes[0].is_clean());
  EXPECT_EQ(result.nodes[1].failure->code(), Code::kIo);
  EXPECT_FALSE(result.nodes[1].is_clean());
  EXPECT_THAT(nodes_[1]->verifications, IsEmpty());
}

TEST_F(Verifying, ANodeWhoseDamageIsNoListOfIdsHasNotVerified) {
  make_nodes(1);
  nodes_[0]->verify_steps[0] = step(1, true);
  nodes_[0]->verify_steps[0].set_damaged(std::string(ObjectId::kSize + 1, 'x'));
  connect();
  const auto result = verify();
  EXPECT_FALSE(result.nodes[0].done);
  EXPECT_EQ(result.nodes[0].failure->code(), Code::kProtocol);
}

TEST_F(Verifying, WhatANodeSaysTwiceCountsOnceAndItsSentencesAreBounded) {
  make_nodes(1);
  const ObjectId damaged{{5}};
  nodes_[0]->verify_steps[0] = step(1, true, {damaged, damaged});
  for (int i = 0; i < 1500; ++i) nodes_[0]->verify_steps[0].add_problems("a problem");
  connect();
  const auto result = verify();
  EXPECT_EQ(result.nodes[0].finding_count, 1U);
  EXPECT_THAT(result.nodes[0].problems, SizeIs(1000));
}

TEST_F(Verifying, ANodeThatOnlyHasAProblemToTellOfIsNotClean) {
  make_nodes(1);
  nodes_[0]->verify_steps[0] = step(1, true);
  nodes_[0]->verify_steps[0].add_problems("segment 7 is gone");
  connect();
  EXPECT_FALSE(verify().is_clean());
}

TEST_F(Verifying, ADamagedListOfChunksIsTracedToItsFileAlone) {
  make_nodes(1);
  MadeSnapshot made(repository_);
  made.file("before", {chunk(20)});
  made.huge_file("huge", {chunk(20), chunk(20), chunk(20)}, 2);
  const ManifestId id = add_snapshot(made);
  const auto list = std::ranges::find_if(
      made.lists(), [](const ListObject& each) { return each.kind == ListKind::kChunkList; });
  nodes_[0]->verify_steps[0] = step(1, true, {list->id});
  connect();
  const auto result = verify();
  ASSERT_THAT(result.nodes[0].findings, SizeIs(1));
  EXPECT_EQ(result.nodes[0].findings[0].path, "huge");
  EXPECT_EQ(result.nodes[0].findings[0].snapshot, id);
  EXPECT_FALSE(result.nodes[0].findings[0].is_subtree);
}

TEST_F(Verifying, MoreFindingsThanAreKeptAreCounted) {
  make_nodes(1);
  MadeSnapshot made(repository_);
  const auto bad = chunk(20);
  constexpr std::size_t kFiles = kMostFindings + 50;
  for (std::size_t i = 0; i < kFiles; ++i) made.file("f" + std::to_string(i), {bad});
  add_snapshot(made);
  nodes_[0]->verify_steps[0] = step(1, true, {bad.id});
  connect();
  const auto result = verify();
  EXPECT_EQ(result.nodes[0].finding_count, kFiles);
  EXPECT_THAT(result.nodes[0].findings, SizeIs(kMostFindings));
}

TEST_F(Verifying, ANodeThatGoesBeforeItsFramesAreDrawnIsNotClean) {
  make_nodes(2);
  MadeSnapshot made(repository_);
  made.file("f", {chunk(20)});
  add_snapshot(made);
  connect();
  // It has verified itself; its catalog comes from the other.
  nodes_[1]->alter = [this](const wire::RequestProto& request, wire::ReplyProto&) {
    if (request.has_verify()) nodes_[1]->silent = true;
  };
  const auto result = verify();
  EXPECT_TRUE(result.nodes[0].is_clean());
  EXPECT_TRUE(result.nodes[1].done);
  EXPECT_EQ(result.nodes[1].failure->code(), Code::kUnavailable);
  EXPECT_FALSE(result.nodes[1].is_clean());
}

TEST_F(Verifying, ASessionMayGoBetweenAnyTwoOfItsSteps) {
  make_nodes(2);
  MadeSnapshot made(repository_);
  made.file("f", {chunk(20)});
  for (int i = 0; i < 3; ++i) add_snapshot(made);
  std::set<std::uint64_t> begun;
  nodes_[0]->alter = [&](const auto& request, auto& reply) {
    if (request.has_verify() && begun.insert(request.verify().run()).second)
      reply.mutable_verify()->set_done(false);  // it waits for its turn
  };
  connect();
  bool done = false;
  for (const std::size_t nodes : {0, 2}) {
    std::vector<NodeLink*> links;
    for (std::size_t node = 0; node < nodes; ++node) links.push_back(links_[node].get());
    done = false;
    for (int steps = 0; !done; ++steps) {
      auto session =
          std::make_unique<VerifySession>(links, keys_, loop_, loop_, loop_, repository_.random);
      session->start(list_, {.read_data = DataSubset{1.0, 500, {}}}, [&](auto) { done = true; });
      for (int i = 0; i < steps && !done; ++i) loop_.step();
      session.reset();
      const bool was_done = done;
      loop_.run_for(std::chrono::seconds(1));
      EXPECT_EQ(done, was_done);
      ASSERT_LT(steps, 10'000);
    }
  }
}

TEST(DataSubset, IsWrittenAsAPartAPercentageOrASize) {
  EXPECT_EQ(parse_data_subset("2/5")->fraction, 0.2);
  EXPECT_EQ(parse_data_subset("2/5")->seed, 2u);
  EXPECT_EQ(parse_data_subset("2.5%")->fraction, 0.025);
  EXPECT_EQ(parse_data_subset("500M")->bytes, 500ull << 20);
  EXPECT_EQ(parse_data_subset("7k")->bytes, 7ull << 10);
  EXPECT_EQ(parse_data_subset("12")->bytes, 12u);
  for (const char* const wrong :
       {"", "0/5", "6/5", "1/0", "0%", "101%", "nan%", "%", "-1", "5X", "M", "99999999999999999999",
        "18446744073709551615T", "/", "1x/2", "1/2x", "/2", "1/", "1.5x%"})
    EXPECT_EQ(parse_data_subset(wrong).error().code(), Code::kInvalidArgument) << wrong;
}

}  // namespace
}  // namespace holdfast::agent
