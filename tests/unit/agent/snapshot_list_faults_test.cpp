// Lists of nodes that give what does not verify, does not end, or is said twice.
#include <gmock/gmock.h>

#include "common/format/manifest.pb.h"
#include "tests/unit/agent/snapshot_list_fixture.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::make_manifest;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using FaultyLists = holdfast::testing::SnapshotListFixture;

TEST_F(FaultyLists, OfNoNodesAreEmpty) {
  const auto listed = list();
  EXPECT_THAT(listed.snapshots, IsEmpty());
  EXPECT_THAT(listed.unreachable, IsEmpty());
}

TEST_F(FaultyLists, ThatSayThereIsMoreAndGiveNothingCountAsUnreachable) {
  make_nodes(2);
  connect();
  const auto manifest = next(1);
  for (std::size_t node : {0, 1}) put(node, manifest, 1);
  nodes_[1]->alter = [](const wire::RequestProto& request, wire::ReplyProto& reply) {
    if (!request.has_list_manifests()) return;
    reply.mutable_list_manifests()->clear_manifests();
    reply.mutable_list_manifests()->set_more(true);
  };
  const auto listed = list();
  EXPECT_THAT(listed.snapshots, SizeIs(1));
  ASSERT_THAT(listed.unreachable, SizeIs(1));
  EXPECT_EQ(listed.unreachable[0].node, 1U);
  EXPECT_EQ(listed.unreachable[0].reason.code(), Code::kProtocol);
}

// The same page, for ever.
TEST_F(FaultyLists, ThatNeverEndCountAsUnreachable) {
  make_nodes(1);
  connect();
  const auto manifest = next(1);
  nodes_[0]->alter = [&](const wire::RequestProto& request, wire::ReplyProto& reply) {
    if (!request.has_list_manifests()) return;
    reply.mutable_list_manifests()->add_manifests()->set_manifest(to_string(manifest.bytes));
    reply.mutable_list_manifests()->set_more(true);
  };
  const auto listed = list();
  ASSERT_THAT(listed.unreachable, SizeIs(1));
  EXPECT_EQ(listed.unreachable[0].reason.code(), Code::kProtocol);
  EXPECT_THAT(listed.snapshots, SizeIs(1));
}

TEST_F(FaultyLists, ThatCannotBeGoneOnBehindCountForWhatWasThere) {
  make_nodes(1);
  nodes_[0]->manifests_per_page = 2;
  connect();
  put(0, next(1), 1);
  nodes_[0]->put_manifest(to_bytes("garbage"), {0});
  put(0, next(2), 2);
  const auto listed = list();
  EXPECT_THAT(listed.snapshots, SizeIs(1));
  ASSERT_THAT(listed.unreachable, SizeIs(1)) << "nobody knows what follows";
  EXPECT_EQ(listed.unreachable[0].reason.code(), Code::kCorrupt);
}

TEST_F(FaultyLists, WithMoreGarbageThanAnybodyReadsAreCutOff) {
  make_nodes(1);
  nodes_[0]->manifests_per_page = 1000;
  connect();
  for (int i = 0; i < 150; ++i) nodes_[0]->put_manifest(to_bytes("garbage"), {0});
  put(0, next(1), 1);
  const auto listed = list();
  EXPECT_THAT(listed.snapshots, SizeIs(1));
  EXPECT_THAT(kinds(listed.warnings), Each(Kind::kForged));
  EXPECT_THAT(listed.warnings, SizeIs(100));
}

// Who is too old to read it need not call it forged.
TEST_F(FaultyLists, WithAManifestOfANewerVersionSaySo) {
  make_nodes(1);
  connect();
  format::SignedProto proto;
  format::ManifestProto body;
  ASSERT_TRUE(proto.ParseFromString(to_string(next(1).bytes)));
  ASSERT_TRUE(body.ParseFromString(proto.body()));
  body.set_version(2);
  proto.set_body(body.SerializeAsString());
  nodes_[0]->put_manifest(to_bytes(proto.SerializeAsString()), {0});
  EXPECT_THAT(kinds(list().warnings), ElementsAre(Kind::kUnreadable));
}

TEST_F(FaultyLists, AForgedCopyBehindTheGoodOneIsNoCopy) {
  make_nodes(2);
  connect();
  const auto good = next(1);
  auto altered = good;
  altered.bytes.back() ^= 1;
  put(0, good, 1);
  put(1, altered, 2);
  nodes_[1]->latency = std::chrono::milliseconds(50);
  const auto listed = list();
  ASSERT_THAT(listed.snapshots, SizeIs(1));
  ASSERT_THAT(listed.snapshots[0].copies, SizeIs(1));
  EXPECT_EQ(listed.snapshots[0].copies[0].node, 0U);
  EXPECT_THAT(kinds(listed.warnings), ElementsAre(Kind::kForged, Kind::kWithheld));
}

TEST_F(FaultyLists, ASnapshotThatANodeListsTwiceIsOneCopy) {
  make_nodes(1);
  connect();
  const auto manifest = next(1);
  put(0, manifest, 1);
  put(0, manifest, 2);
  const auto listed = list();
  ASSERT_THAT(listed.snapshots, SizeIs(1));
  EXPECT_THAT(listed.snapshots[0].copies, SizeIs(1));
  EXPECT_THAT(listed.warnings, IsEmpty());
}

TEST_F(FaultyLists, ASnapshotOfAnotherRepositoryIsForgedWhoeverSignedIt) {
  make_nodes(1);
  connect();
  const RepositoryId own = std::exchange(repository_.id, RepositoryId{{9}});
  put(0, next(1), 1);
  repository_.id = own;
  const auto listed = list();
  EXPECT_THAT(listed.snapshots, IsEmpty());
  ASSERT_THAT(kinds(listed.warnings), ElementsAre(Kind::kForged));
  EXPECT_THAT(listed.warnings[0].message, HasSubstr("another repository"));
}

TEST_F(FaultyLists, AListingMayGoBetweenAnyTwoOfItsSteps) {
  make_nodes(2);
  nodes_[0]->manifests_per_page = 1;
  connect();
  for (int i = 0; i < 3; ++i) put(0, next(i), i);
  std::vector<NodeLink*> links;
  for (auto& link : links_) links.push_back(link.get());
  bool done = false;
  for (int steps = 0; !done; ++steps) {
    auto listing = std::make_unique<SnapshotListing>(links, charter_, nullptr, loop_, loop_);
    listing->start([&](auto) { done = true; });
    for (int i = 0; i < steps && !done; ++i) loop_.step();
    listing.reset();
    const bool was_done = done;
    loop_.run_for(std::chrono::seconds(1));
    EXPECT_EQ(done, was_done);
    ASSERT_LT(steps, 10'000);
  }
}

}  // namespace
}  // namespace holdfast::agent
