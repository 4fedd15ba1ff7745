#include "agent/snapshot_list.h"

#include <gmock/gmock.h>

#include "agent/seen_heads.h"
#include "agent/snapshot_selection.h"
#include "tests/unit/agent/snapshot_list_fixture.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::make_manifest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using SnapshotListTest = holdfast::testing::SnapshotListFixture;
using SnapshotsOfAllNodes = SnapshotListTest;

TEST_F(SnapshotsOfAllNodes, AreUnitedInOrderOfTheEarliestReceipt) {
  make_nodes(2);
  connect();
  format::SnapshotDetail detail;
  detail.host = "h";
  const auto first = next(1), second = next(50, detail), third = next(3);
  put(0, first, 1);
  put(0, third, 9);
  put(1, second, 2, false);
  put(1, first, 5);
  put(1, third, 3);
  const auto listed = list();
  ASSERT_THAT(listed.snapshots, SizeIs(3));
  EXPECT_EQ(listed.snapshots[0].id(), first.id);
  EXPECT_EQ(listed.snapshots[1].id(), second.id) << "whatever time it claims";
  EXPECT_EQ(listed.snapshots[2].id(), third.id);
  EXPECT_EQ(listed.snapshots[0].received().nanoseconds, kHour);
  EXPECT_EQ(listed.snapshots[1].detail->host, "h");
  ASSERT_THAT(listed.snapshots[1].copies, SizeIs(1));
  EXPECT_FALSE(listed.snapshots[1].copies[0].complete);
  EXPECT_THAT(listed.snapshots[2].copies, SizeIs(2));
}

// Restoring the latest from that node alone gave the oldest.
TEST_F(SnapshotsOfAllNodes, WhatANodeMissedAndGotLateWasItsLatest) {
  make_nodes(1);
  connect();
  const auto first = next(1), second = next(2), third = next(3);
  put(0, third, 10);
  put(0, second, 11);
  put(0, first, 12);
  const auto listed = list();
  ASSERT_THAT(listed.snapshots, SizeIs(3));
  EXPECT_EQ(listed.snapshots[0].id(), first.id);
  EXPECT_EQ(listed.snapshots[1].id(), second.id);
  EXPECT_EQ(listed.snapshots[2].id(), third.id);
  EXPECT_EQ(listed.snapshots[0].received().nanoseconds, 12 * kHour) << "as the node says";
}

TEST_F(SnapshotsOfAllNodes, ComeOverManyPages) {
  make_nodes(2);
  nodes_[0]->manifests_per_page = 3;
  nodes_[1]->manifests_per_page = 7;
  connect();
  for (int i = 0; i < 40; ++i) {
    const auto manifest = next(i);
    put(0, manifest, i);
    put(1, manifest, i);
  }
  const auto listed = list();
  EXPECT_THAT(listed.snapshots, SizeIs(40));
  EXPECT_THAT(listed.warnings, IsEmpty());
}

TEST_F(SnapshotsOfAllNodes, AClockThatWentBackMadeAnOldOneTheLatest) {
  make_nodes(1);
  connect();
  const auto first = next(1), second = next(2), third = next(3);
  put(0, first, 10);
  put(0, second, 90'000);  // the node's clock was ten years ahead
  put(0, third, 12);
  const auto listed = list();
  ASSERT_THAT(listed.snapshots, SizeIs(3));
  EXPECT_EQ(listed.snapshots[1].id(), second.id);
  EXPECT_EQ((*select_snapshot(listed, "latest"))->id(), third.id);
}

TEST_F(SnapshotsOfAllNodes, OneNodesLieAboutReceiptHidTheNewestBehindAnOldOne) {
  make_nodes(2);
  connect();
  const auto first = next(1), second = next(2);
  for (std::size_t node : {0, 1}) put(node, first, 10);
  put(0, second, 11);
  put(1, second, -5);
  const auto listed = list();
  ASSERT_THAT(listed.snapshots, SizeIs(2));
  EXPECT_EQ(listed.snapshots[0].id(), first.id);
  EXPECT_EQ(listed.snapshots[1].id(), second.id);
}

TEST_F(SnapshotsOfAllNodes, ANodeThatDoesNotAnswerIsNamed) {
  make_nodes(2);
  nodes_[1]->silent = true;
  connect();
  put(0, next(1), 1);
  const auto listed = list();
  EXPECT_THAT(listed.snapshots, SizeIs(1));
  ASSERT_THAT(listed.unreachable, SizeIs(1));
  EXPECT_EQ(listed.unreachable[0].node, 1u);
  EXPECT_FALSE(listed.is_reachable(1));
  EXPECT_THAT(listed.warnings, IsEmpty()) << "it withholds nothing";
}

TEST_F(SnapshotsOfAllNodes, WithoutTheKeyTheyHaveNoDetails) {
  make_nodes(1);
  connect();
  put(0, next(1), 1);
  EXPECT_FALSE(list(false).snapshots.at(0).detail);
}

TEST_F(SnapshotsOfAllNodes, ForgedOnesAreLeftOutAndTheirNodeNamed) {
  make_nodes(1);
  connect();
  const auto stranger = crypto::SigningKey::generate(repository_.random);
  put(0, make_manifest(repository_, stranger, repository_.random_id(), 1, {}, {0}), 1);
  auto altered = next(1);
  altered.bytes.back() ^= 1;
  put(0, altered, 1);
  nodes_[0]->put_manifest(to_bytes("garbage"), {0});
  const auto listed = list();
  EXPECT_THAT(listed.snapshots, IsEmpty());
  EXPECT_THAT(kinds(listed.warnings), ElementsAre(Kind::kForged, Kind::kForged, Kind::kForged));
  EXPECT_THAT(listed.warnings[0].message, HasSubstr("node a"));
}

TEST_F(SnapshotsOfAllNodes, AForgedCopyDoesNotHideTheGoodOneOfAnotherNode) {
  make_nodes(2);
  connect();
  const auto good = next(1);
  auto altered = good;
  altered.bytes.back() ^= 1;
  put(0, altered, 1);
  put(1, good, 2);
  const auto listed = list();
  ASSERT_THAT(listed.snapshots, SizeIs(1));
  ASSERT_THAT(listed.snapshots[0].copies, SizeIs(1));
  EXPECT_EQ(listed.snapshots[0].copies[0].node, 1u);
}

TEST_F(SnapshotsOfAllNodes, TwoWithOneSequenceNumberAreAFork) {
  make_nodes(2);
  connect();
  const auto first = next(1);
  const auto left = make_manifest(repository_, repository_.agent, repository_.random_id(), 2,
                                  first.id, {2 * kHour});
  const auto right = make_manifest(repository_, repository_.agent, repository_.random_id(), 2,
                                   first.id, {2 * kHour});
  for (std::size_t node : {0, 1}) put(node, first, 1);
  for (std::size_t node : {0, 1}) put(node, left, 2);
  for (std::size_t node : {0, 1}) put(node, right, 2);
  const auto listed = list();
  EXPECT_THAT(kinds(listed.warnings), ElementsAre(Kind::kFork));
  EXPECT_THAT(listed.warnings[0].message, HasSubstr("laptop"));
}

TEST_F(SnapshotsOfAllNodes, OneThatDoesNotLinkToTheOneBeforeIsAFork) {
  make_nodes(1);
  connect();
  put(0, next(1), 1);
  put(0,
      make_manifest(repository_, repository_.agent, repository_.random_id(), 2,
                    ManifestId{repository_.random_id().bytes}, {2 * kHour}),
      2);
  EXPECT_THAT(kinds(list().warnings), ElementsAre(Kind::kFork));
}

TEST_F(SnapshotsOfAllNodes, ANodeThatLacksWhatAnotherListsIsNamed) {
  make_nodes(2);
  connect();
  const auto first = next(1), second = next(2);
  put(0, first, 1);
  put(0, second, 2);
  put(1, first, 1);
  const auto listed = list();
  EXPECT_THAT(kinds(listed.warnings), ElementsAre(Kind::kWithheld));
  EXPECT_THAT(listed.warnings[0].message,
              ::testing::AllOf(HasSubstr("node b"), HasSubstr(second.id.short_hex())));
}

class HeadsSeenBefore : public SnapshotListTest {
 protected:
  PosixFileSystem files_;
  TemporaryFolder folder_;
  std::string path_ = folder_.path() + "/heads";
};

TEST_F(HeadsSeenBefore, ARollbackOfAllNodesIsNoticed) {
  make_nodes(2);
  connect();
  const auto first = next(1), second = next(2);
  for (std::size_t node : {0, 1}) put(node, first, 1);
  for (std::size_t node : {0, 1}) put(node, second, 2);
  SeenHeads seen;
  EXPECT_TRUE(seen.advance(list()));
  EXPECT_FALSE(seen.advance(list()));
  ASSERT_TRUE(seen.save(files_, path_));

  for (auto& node : nodes_) node->clear_manifests();
  for (std::size_t node : {0, 1}) put(node, first, 1);
  const auto rolled_back = list();
  EXPECT_THAT(rolled_back.warnings, IsEmpty()) << "the nodes agree";
  auto loaded = SeenHeads::load(files_, path_);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->heads(), seen.heads());
  const auto warnings = loaded->compare(rolled_back);
  ASSERT_THAT(kinds(warnings), ElementsAre(Kind::kRollback));
  EXPECT_THAT(warnings[0].message, HasSubstr(second.id.short_hex()));
  EXPECT_FALSE(loaded->advance(rolled_back)) << "a head never goes back";
  loaded->forget(second.id);
  EXPECT_THAT(loaded->compare(rolled_back), IsEmpty());
}

TEST_F(HeadsSeenBefore, ANewerSnapshotInsteadIsNoRollback) {
  make_nodes(1);
  connect();
  const auto first = next(1);
  put(0, first, 1);
  SeenHeads seen;
  seen.advance(list());
  nodes_[0]->clear_manifests();
  put(0, next(2), 2);
  EXPECT_THAT(seen.compare(list()), IsEmpty());
}

TEST_F(HeadsSeenBefore, AnotherSnapshotInTheHeadsPlaceIsAFork) {
  make_nodes(1);
  connect();
  put(0, next(1), 1);
  SeenHeads seen;
  seen.advance(list());
  nodes_[0]->clear_manifests();
  put(0, make_manifest(repository_, repository_.agent, repository_.random_id(), 1, {}, {0}), 1);
  EXPECT_THAT(kinds(seen.compare(list())), ElementsAre(Kind::kFork));
}

TEST_F(HeadsSeenBefore, NodesThatAllAreAwayWithholdNothing) {
  make_nodes(1);
  connect();
  put(0, next(1), 1);
  SeenHeads seen;
  seen.advance(list());
  nodes_[0]->silent = true;
  EXPECT_THAT(seen.compare(list()), IsEmpty());
}

TEST_F(HeadsSeenBefore, ADamagedFileIsRecognisedAndAnAbsentOneIsEmpty) {
  const auto none = SeenHeads::load(files_, path_);
  ASSERT_TRUE(none);
  EXPECT_THAT(none->heads(), IsEmpty());
  const std::string good =
      "holdfast heads 1\n" + std::string(64, 'a') + " 12 " + std::string(64, 'b') + "\n";
  ASSERT_TRUE(write_file_atomically(files_, path_, as_bytes(good)));
  EXPECT_TRUE(SeenHeads::load(files_, path_));
  for (std::size_t size = 0; size < good.size(); size += 6) {
    ASSERT_TRUE(write_file_atomically(files_, path_, as_bytes(good.substr(0, size))));
    const auto loaded = SeenHeads::load(files_, path_);
    ASSERT_FALSE(loaded) << size;
    EXPECT_EQ(loaded.error().code(), Code::kCorrupt);
  }
}

class SnapshotSelection : public SnapshotListTest {
 protected:
  const SnapshotList& make() {
    make_nodes(1);
    connect();
    for (int i = 0; i < 6; ++i) {
      format::SnapshotDetail detail;
      detail.host = i % 2 == 0 ? "even" : "odd";
      detail.paths = {"/home", "/p" + std::to_string(i)};
      detail.tags = i < 3 ? std::vector<std::string>{"old", "t" + std::to_string(i)}
                          : std::vector<std::string>{"new"};
      put(0, next(10 * i, detail), i);
    }
    list_ = list();
    return list_;
  }
  std::ptrdiff_t place(const Result<const Snapshot*>& found) const {
    return found ? *found - list_.snapshots.data() : -1;
  }
  SnapshotList list_;
};

TEST_F(SnapshotSelection, LatestCountsBackwards) {
  make();
  EXPECT_EQ(place(select_snapshot(list_, "latest")), 5);
  EXPECT_EQ(place(select_snapshot(list_, "latest~0")), 5);
  EXPECT_EQ(place(select_snapshot(list_, "latest~5")), 0);
  EXPECT_EQ(select_snapshot(list_, "latest~6").error().code(), Code::kNotFound);
  for (const char* const wrong : {"latest~", "latest~x", "latest~-1", "newest", "", "12g"})
    EXPECT_EQ(select_snapshot(list_, wrong).error().code(), Code::kInvalidArgument) << wrong;
}

TEST_F(SnapshotSelection, FiltersNarrowWhatLatestMeans) {
  make();
  EXPECT_EQ(place(select_snapshot(list_, "latest", {.hosts = {"even"}})), 4);
  EXPECT_EQ(place(select_snapshot(list_, "latest~1", {.hosts = {"even", "odd"}})), 4);
  EXPECT_EQ(place(select_snapshot(list_, "latest", {.tags = {{"old"}}})), 2);
  EXPECT_EQ(place(select_snapshot(list_, "latest", {.tags = {{"old", "t1"}}})), 1);
  EXPECT_EQ(place(select_snapshot(list_, "latest", {.tags = {{"t0"}, {"t1"}}})), 1);
  EXPECT_EQ(place(select_snapshot(list_, "latest", {.paths = {"/p3", "/home"}})), 3);
  EXPECT_EQ(select_snapshot(list_, "latest", {.hosts = {"none"}}).error().code(), Code::kNotFound);
}

TEST_F(SnapshotSelection, AnIdMayBeShortenedAsLongAsItIsOnlyOne) {
  make();
  const std::string id = list_.snapshots[2].id().hex();
  EXPECT_EQ(place(select_snapshot(list_, id)), 2);
  EXPECT_EQ(place(select_snapshot(list_, id.substr(0, 16))), 2);
  std::string upper = id.substr(0, 20);
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  EXPECT_EQ(place(select_snapshot(list_, upper)), 2);
  list_.snapshots[4].manifest.id = list_.snapshots[2].id();
  list_.snapshots[4].manifest.id.bytes[31] ^= 1;
  const auto ambiguous = select_snapshot(list_, id.substr(0, 8));
  ASSERT_FALSE(ambiguous);
  EXPECT_EQ(ambiguous.error().code(), Code::kInvalidArgument);
  EXPECT_THAT(ambiguous.error().message(), HasSubstr(id.substr(0, 12)));
  EXPECT_EQ(place(select_snapshot(list_, id)), 2) << "whole";
}

TEST_F(SnapshotSelection, AtATimeIsTheNewestThatIsNotLater) {
  make();
  EXPECT_EQ(place(select_at(list_, {25 * kHour})), 2);
  EXPECT_EQ(place(select_at(list_, {20 * kHour})), 2);
  EXPECT_EQ(place(select_at(list_, {20 * kHour - 1})), 1);
  EXPECT_EQ(place(select_at(list_, {999 * kHour}, {.hosts = {"even"}})), 4);
  EXPECT_EQ(select_at(list_, {-1}).error().code(), Code::kNotFound);
}

}  // namespace
}  // namespace holdfast::agent
