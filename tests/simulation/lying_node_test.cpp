// What a single node that lies must not bring about while another one is honest. Each of these was
// once so.
#include "tests/simulation/lying_node.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/simulation/cluster.h"
#include "tests/testing/seed.h"

namespace holdfast::testing {
namespace {

void expect_backup(Cluster& cluster, const std::string& content, std::uint64_t number) {
  cluster.source.put("file", to_bytes(content));
  const auto report = cluster.back_up();
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->manifest->manifest.sequence, number);
  EXPECT_TRUE(cluster.holds(1, report->manifest->id));
}

TEST(LyingNode, AHeadThatItMadeUpKeptTheOthersFromTakingBackups) {
  for (const auto& [sequence, id] :
       {std::pair<std::uint64_t, std::string>(7, ""),
        {7, std::string(32, 'i')},
        {std::numeric_limits<std::uint64_t>::max(), std::string(32, 'i')}}) {
    SCOPED_TRACE(sequence);
    Cluster cluster(seed(), 2, 1);
    cluster.nodes[0]->set_lies(std::make_unique<AlteredReplies>([&](wire::ReplyProto& reply) {
      if (!reply.has_head()) return;
      reply.mutable_head()->set_sequence(sequence);
      reply.mutable_head()->set_manifest_id(id);
      reply.mutable_head()->set_complete(true);
    }));
    expect_backup(cluster, "first", 1);
    expect_backup(cluster, "second", 2);
  }
}

TEST(LyingNode, AManifestInAListThatThisAgentDidNotSignIsNotRelayed) {
  Cluster cluster(seed(), 3, 2);
  expect_backup(cluster, "first", 1);
  cluster.nodes[2]->crash(simulation::CrashKeeps::kNothing);
  expect_backup(cluster, "second", 2);
  ASSERT_TRUE(cluster.nodes[2]->start());
  std::size_t forged = 0;
  cluster.nodes[0]->set_lies(std::make_unique<AlteredReplies>([&](wire::ReplyProto& reply) {
    if (!reply.has_list_manifests()) return;
    for (auto& entry : *reply.mutable_list_manifests()->mutable_manifests()) {
      entry.mutable_manifest()->back() ^= 1;
      ++forged;
    }
  }));
  expect_backup(cluster, "third", 3);
  EXPECT_GT(forged, 0U) << "nobody asked";
}

// It answers pings, and never says anything about one kind of request, as a node whose disk hangs.
TEST(LyingNode, OneThatIsSilentAboutOneThingKeepsNoBackupFromEnding) {
  using Request = wire::RequestProto;
  for (const auto about : {Request::kHead, Request::kPresent, Request::kPutFrame, Request::kPrepare,
                           Request::kCommit, Request::kListManifests}) {
    SCOPED_TRACE(about);
    Cluster cluster(seed(), 3, 2);
    expect_backup(cluster, "first", 1);
    cluster.nodes[0]->set_lies(std::make_unique<SilenceAbout>(about));
    cluster.source.put("file", to_bytes("second"));
    const auto run = cluster.begin_backup(*cluster.agents.front());
    ASSERT_TRUE(cluster.finish(*run)) << "it never ends";
    ASSERT_TRUE(run->result()) << run->result().error().message();
    EXPECT_GE(run->result()->committed, 2U);
    const auto contents = cluster.read(*run->result()->manifest, {1, 2});
    ASSERT_TRUE(contents) << contents.error().message();
    EXPECT_EQ(*contents, cluster.source.contents());
  }
}

// Signed by this agent for another repository, by another agent for this one, or by nobody.
TEST(LyingNode, AHeadThatThisAgentDidNotSignForThisRepositoryIsNotBelieved) {
  for (const bool of_repository : {false, true}) {
    for (const bool of_agent : {false, true}) {
      for (const bool signed_well : {false, true}) {
        if (of_repository && of_agent && signed_well) continue;
        SCOPED_TRACE(of_repository * 4 + of_agent * 2 + signed_well);
        Cluster cluster(seed(), 2, 1);
        const auto& writer = *cluster.agents.front()->writer;
        const crypto::SigningKey other = crypto::SigningKey::generate(cluster.random);
        const crypto::SigningKey& signer = of_agent ? writer.signing_key : other;
        format::Manifest manifest;
        manifest.repository = cluster.repository;
        if (!of_repository) manifest.repository.bytes[0] ^= 1;
        manifest.agent = format::agent_id(signer.verify_key());
        manifest.sequence = 7;
        manifest.previous = ManifestId{{1}};
        manifest.charter_version = 1;
        Bytes head = format::sign_manifest(manifest, {},
                                           format::begin_run(cluster.random, cluster.repository,
                                                             writer.encryption_key),
                                           signer)
                         .bytes;
        if (!signed_well) head.back() ^= 1;
        ASSERT_TRUE(format::parse_manifest(head));
        cluster.nodes[0]->set_lies(std::make_unique<AlteredReplies>([&](wire::ReplyProto& reply) {
          if (!reply.has_head()) return;
          reply.mutable_head()->set_manifest(to_string(head));
          reply.mutable_head()->set_complete(true);
        }));
        expect_backup(cluster, "first", 1);
        expect_backup(cluster, "second", 2);
      }
    }
  }
}

TEST(LyingNode, ThatAlwaysKnowsASnapshotOfThisNumberIsGivenUp) {
  Cluster cluster(seed(), 3, 1);
  std::size_t heads = 0;
  cluster.nodes[0]->set_lies(std::make_unique<AlteredReplies>([&](wire::ReplyProto& reply) {
    if (reply.has_commit()) wire::set_error(reply, Error(Code::kConflict, "there is one"));
    if (reply.has_head() && ++heads > 1) wire::set_error(reply, Error(Code::kIo, "never mind"));
  }));
  // Down from the beginning: it is not asked for its newest one.
  cluster.nodes[2]->crash(simulation::CrashKeeps::kNothing);
  cluster.source.put("file", to_bytes("first"));
  const auto report = cluster.back_up();
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->committed, 1U);
  EXPECT_GT(heads, 1U);
  ASSERT_EQ(report->nodes.size(), 3U);
  EXPECT_EQ(report->nodes[0].error->code(), Code::kConflict);
  EXPECT_TRUE(report->nodes[1].committed);
  EXPECT_TRUE(cluster.holds(1, report->manifest->id));
}

TEST(LyingNode, GarbageInItsListIsPassedOver) {
  Cluster cluster(seed(), 3, 2);
  cluster.nodes[1]->crash(simulation::CrashKeeps::kNothing);
  cluster.source.put("file", to_bytes("first"));
  const auto missed = cluster.back_up();
  ASSERT_TRUE(missed) << missed.error().message();
  ASSERT_TRUE(cluster.nodes[1]->start());
  cluster.nodes[0]->set_lies(std::make_unique<AlteredReplies>([&](wire::ReplyProto& reply) {
    if (!reply.has_list_manifests()) return;
    auto& list = *reply.mutable_list_manifests();
    list.add_manifests()->set_manifest("garbage");
    list.mutable_manifests()->SwapElements(0, list.manifests_size() - 1);
  }));
  cluster.source.put("new", to_bytes("second"));
  const auto report = cluster.back_up();
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->committed, 3U);
  EXPECT_EQ(report->relayed, 1U);
  EXPECT_TRUE(cluster.holds(1, missed->manifest->id));
}

TEST(LyingNode, AListThatNeverEndsKeptABackupFromEnding) {
  Cluster cluster(seed(), 2, 1);
  expect_backup(cluster, "first", 1);
  std::optional<wire::ListManifestsReply> page;
  cluster.nodes[0]->set_lies(std::make_unique<AlteredReplies>([&](wire::ReplyProto& reply) {
    if (reply.has_head()) reply.mutable_head()->Clear();  // behind, so that lists are compared
    if (!reply.has_list_manifests()) return;
    if (!page) page = reply.list_manifests();
    *reply.mutable_list_manifests() = *page;
    reply.mutable_list_manifests()->set_more(true);
  }));
  expect_backup(cluster, "second", 2);
  EXPECT_TRUE(page) << "nobody asked for a list";
}

}  // namespace
}  // namespace holdfast::testing
