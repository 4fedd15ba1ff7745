// Which manifests a node takes, and when it says so.
#include "tests/unit/repository/node_fixture.h"

namespace holdfast::repository {
namespace {

class NodeCommits : public NodeTest {
 protected:
  NodeCommits() {
    create_repository();
    root = put_tree(repository.writer, "content");
  }
  wire::HeadReply head(const TestAgent& agent) {
    wire::RequestProto proto = request();
    proto.mutable_head();
    const auto reply = ask(connect(agent), proto);
    EXPECT_EQ(outcome_of(reply), "ok");
    return reply.head();
  }
  format::SignedManifest numbered(std::uint64_t sequence, std::optional<ManifestId> previous) {
    return repository.manifest(repository.writer, root.id, sequence, previous);
  }
  const Peer writer = connect(repository.writer);
  TestObject root;
};

TEST_F(NodeCommits, ACommitIsAnsweredListedAndHeadOnlyOnceItIsDurable) {
  const auto manifest = repository.manifest(repository.writer, root.id);
  const auto id = send(writer, commit_request(manifest));
  loop.run_posted();
  EXPECT_FALSE(answered(id));
  EXPECT_TRUE(listed(writer).empty() || answered(id));
  run();
  ASSERT_TRUE(answered(id));
  EXPECT_EQ(outcome_of(reply_to(id)), "ok");
  EXPECT_FALSE(reply_to(id).commit().already());
  EXPECT_EQ(listed(writer), std::vector{manifest.id});
  const wire::HeadReply newest = head(repository.writer);
  EXPECT_EQ(newest.sequence(), 1U);
  EXPECT_EQ(newest.manifest_id(), manifest.id.str());
  EXPECT_EQ(newest.root(), root.id.str());
  EXPECT_EQ(newest.manifest(), to_string(manifest.bytes));
  EXPECT_TRUE(newest.complete());
}

TEST_F(NodeCommits, WhatIsNotDurableYetIsNeitherListedNorAHead) {
  send(writer, commit_request(repository.manifest(repository.writer, root.id)));
  wire::RequestProto list = request(), newest = request();
  list.mutable_list_manifests();
  newest.mutable_head();
  const auto listing = send(writer, list);
  const auto heading = send(writer, newest);
  EXPECT_EQ(reply_to(listing).list_manifests().manifests_size(), 0);
  EXPECT_EQ(reply_to(heading).head().sequence(), 0U);
  run();
  EXPECT_EQ(listed(writer).size(), 1U);
}

TEST_F(NodeCommits, TheSameManifestAgainIsASuccessOnceTheFirstIsDurable) {
  const auto manifest = repository.manifest(repository.writer, root.id);
  const auto first = send(writer, commit_request(manifest));
  const auto second = send(writer, commit_request(manifest));
  EXPECT_FALSE(answered(second));
  run();
  EXPECT_FALSE(reply_to(first).commit().already());
  EXPECT_TRUE(reply_to(second).commit().already());
  const auto third = send(writer, commit_request(manifest));
  ASSERT_TRUE(answered(third));  // at once
  EXPECT_TRUE(reply_to(third).commit().already());
  EXPECT_EQ(listed(writer).size(), 1U);
}

TEST_F(NodeCommits, TheSameManifestAgainWaitsForWhatCameInBetween) {
  const auto manifest = repository.manifest(repository.writer, root.id);
  ASSERT_EQ(commit(writer, manifest), "ok");
  put_tree(repository.writer, "perhaps what the manifest needs, come again");
  const auto again = send(writer, commit_request(manifest));
  EXPECT_FALSE(answered(again));
  run();
  EXPECT_TRUE(reply_to(again).commit().already());
}

TEST_F(NodeCommits, CommitsThatComeWhileASyncRunsShareTheNextOne) {
  std::vector<format::SignedManifest> chain{repository.manifest(repository.writer, root.id)};
  std::vector<std::uint64_t> ids{send(writer, commit_request(chain[0]))};
  for (int i = 1; i < 5; ++i) {
    chain.push_back(repository.manifest(repository.writer, root.id, &chain.back()));
    ids.push_back(send(writer, commit_request(chain.back())));
  }
  EXPECT_EQ(executor.waiting(), 1U);
  ASSERT_TRUE(executor.run_one());
  loop.run_posted();
  EXPECT_TRUE(answered(ids[0]));
  for (int i = 1; i < 5; ++i) EXPECT_FALSE(answered(ids[static_cast<std::size_t>(i)])) << i;
  EXPECT_EQ(executor.waiting(), 1U);
  ASSERT_TRUE(executor.run_one());
  loop.run_posted();
  for (const auto id : ids) EXPECT_EQ(outcome_of(reply_to(id)), "ok");
  EXPECT_EQ(executor.waiting(), 0U);
}

TEST_F(NodeCommits, NothingIsAcknowledgedWhenTheSyncFails) {
  const auto first = repository.manifest(repository.writer, root.id);
  const auto second = repository.manifest(repository.writer, root.id, &first);
  files.syncs_fail = true;
  const auto before = node->incarnation();
  const auto covered = send(writer, commit_request(first));
  const auto waiting = send(writer, commit_request(second));
  run();
  EXPECT_NE(outcome_of(reply_to(covered)), "ok");
  EXPECT_NE(outcome_of(reply_to(waiting)), "ok");
  EXPECT_TRUE(listed(writer).empty());
  EXPECT_EQ(head(repository.writer).sequence(), 0U);
  // What was said of objects is void, too, and the agent is told.
  EXPECT_FALSE(present(root.id));
  EXPECT_NE(node->incarnation(), before);
  EXPECT_EQ(reply_to(covered).incarnation(), node->incarnation());

  files.syncs_fail = false;
  clock.advance(std::chrono::seconds(2));
  EXPECT_EQ(commit(writer, first), "missing_objects");
  root = put_tree(repository.writer, "content");
  EXPECT_EQ(commit(writer, first), "ok");
  EXPECT_EQ(commit(writer, second), "ok");
  restart();
  EXPECT_EQ(listed(writer), (std::vector{first.id, second.id}));
}

TEST_F(NodeCommits, PrepareIsAnsweredOnceEverythingTakenSoFarIsDurable) {
  wire::RequestProto proto = request();
  proto.mutable_prepare()->set_root(root.id.str());
  const auto id = send(writer, proto);
  EXPECT_FALSE(answered(id));
  run();
  EXPECT_EQ(outcome_of(reply_to(id)), "ok");
  EXPECT_EQ(outcome_of(reply_to(send(writer, proto))), "ok");  // nothing left to sync
  restart();
  EXPECT_TRUE(present(root.id));
}

TEST_F(NodeCommits, PrepareFailsWithoutTheRootOrWhenTheSyncFails) {
  wire::RequestProto proto = request();
  const ObjectId absent = repository.data("absent").id;
  proto.mutable_prepare()->set_root(absent.str());
  const auto reply = ask(writer, proto);
  EXPECT_EQ(outcome_of(reply), "missing_objects");
  EXPECT_EQ(reply.error().missing(), absent.str());
  proto.mutable_prepare()->set_root(root.id.str());
  files.syncs_fail = true;
  EXPECT_EQ(outcome_of(ask(writer, proto)), "io");
  EXPECT_EQ(outcome_of(ask(writer, proto)), "missing_objects");
}

TEST_F(NodeCommits, AnotherManifestWithTheSameNumberIsAConflict) {
  EXPECT_EQ(commit(writer, numbered(1, std::nullopt)), "ok");
  EXPECT_EQ(commit(writer, numbered(1, std::nullopt)), "conflict");
}

// Two nodes that could not see each other each took one: a repair brings both to both.
TEST_F(NodeCommits, WhatIsCopiedFromAnotherNodeMayHaveANumberThatIsTaken) {
  const auto first = numbered(1, {}), other = numbered(1, {}), next = numbered(2, other.id);
  EXPECT_EQ(commit(writer, first), "ok");
  wire::RequestProto copy = commit_request(other);
  copy.mutable_commit()->set_copied(true);
  EXPECT_EQ(outcome_of(ask(writer, copy)), "permission_denied") << "it may only append";
  EXPECT_EQ(commit(connect(repository.owner), other), "conflict") << "it does not say so";
  EXPECT_EQ(outcome_of(ask(connect(repository.owner), copy)), "ok");
  EXPECT_EQ(listed(writer), (std::vector{first.id, other.id}));
  EXPECT_EQ(head(repository.writer).manifest_id(), std::min(first.id, other.id).str());
  EXPECT_EQ(commit(writer, next), "ok") << "it follows one of them";
  restart();
  EXPECT_EQ(listed(connect(repository.writer)).size(), 3U);
  EXPECT_EQ(head(repository.writer).manifest_id(), next.id.str());
}

TEST_F(NodeCommits, TwoWithTheSameNumberConflictBeforeTheFirstIsDurable) {
  send(writer, commit_request(numbered(1, std::nullopt)));
  const auto second = send(writer, commit_request(numbered(1, std::nullopt)));
  EXPECT_EQ(outcome_of(reply_to(second)), "conflict");
}

TEST_F(NodeCommits, TheLinkToTheManifestBeforeMustFit) {
  const auto first = numbered(1, std::nullopt);
  EXPECT_EQ(commit(writer, first), "ok");
  EXPECT_EQ(commit(writer, numbered(2, ManifestId{})), "conflict");
  EXPECT_EQ(commit(writer, numbered(2, first.id)), "ok");
}

TEST_F(NodeCommits, TheLinkOfTheManifestBehindMustFit) {
  const auto first = numbered(1, std::nullopt);
  const auto second = numbered(2, first.id);
  EXPECT_EQ(commit(writer, second), "ok");
  EXPECT_EQ(commit(writer, numbered(1, std::nullopt)), "conflict");
  EXPECT_EQ(commit(writer, first), "ok");
}

TEST_F(NodeCommits, GapsAreAllowedAndTheHighestNumberIsTheHead) {
  const auto far = numbered(7, ManifestId{});
  EXPECT_EQ(commit(writer, far), "ok");
  EXPECT_EQ(commit(writer, numbered(3, ManifestId{})), "ok");
  EXPECT_EQ(commit(writer, numbered(UINT64_MAX, ManifestId{})), "ok");
  EXPECT_EQ(head(repository.writer).sequence(), UINT64_MAX);
  EXPECT_EQ(listed(writer).size(), 3U);
  EXPECT_EQ(listed(writer).front(), far.id);  // in order of receipt
}

TEST_F(NodeCommits, ARootThatIsNotPresentIsNamed) {
  const ObjectId absent = repository.data("absent").id;
  const auto reply = ask(writer, commit_request(repository.manifest(repository.writer, absent)));
  EXPECT_EQ(outcome_of(reply), "missing_objects");
  EXPECT_EQ(reply.error().missing(), absent.str());
}

TEST_F(NodeCommits, ForgedAndForeignManifestsAreRefused) {
  auto forged = repository.manifest(repository.writer, root.id);
  for (std::size_t at = 0; at < forged.bytes.size(); ++at) {
    auto altered = forged;
    altered.bytes[at] ^= 1;
    EXPECT_NE(commit(writer, altered), "ok") << at;
  }
  EnrolledRepository other(random);
  EXPECT_EQ(commit(writer, other.manifest(repository.writer, root.id)), "forged");
  EXPECT_EQ(commit(embedder, repository.manifest(repository.reader, root.id)), "permission_denied");
  EXPECT_EQ(commit(embedder, repository.manifest(repository.revoked, root.id)),
            "permission_denied");
  EXPECT_TRUE(listed(embedder).empty());
}

TEST_F(NodeCommits, WhoMayOnlyAppendCommitsAndSeesItsOwnSnapshots) {
  const auto others = repository.manifest(repository.other_writer, root.id);
  EXPECT_EQ(commit(writer, others), "permission_denied");
  EXPECT_EQ(commit(connect(repository.owner), others), "ok");
  const auto own = repository.manifest(repository.writer, root.id);
  EXPECT_EQ(commit(writer, own), "ok");
  EXPECT_EQ(listed(writer), std::vector{own.id});
  EXPECT_EQ(listed(connect(repository.reader)), (std::vector{others.id, own.id}));
  EXPECT_EQ(head(repository.writer).manifest_id(), own.id.str());

  wire::RequestProto proto = request();
  proto.mutable_head()->set_agent(repository.other_writer.id().str());
  EXPECT_EQ(outcome_of(ask(writer, proto)), "permission_denied");
  EXPECT_EQ(ask(embedder, proto).head().manifest_id(), others.id.str());
  proto.mutable_head()->clear_agent();
  EXPECT_EQ(outcome_of(ask(embedder, proto)), "invalid_argument");
}

TEST_F(NodeCommits, ADisconnectForgetsTheAnswerButNotTheCommit) {
  const auto manifest = repository.manifest(repository.writer, root.id);
  const auto id = send(writer, commit_request(manifest));
  node->on_disconnect(writer);
  run();
  EXPECT_FALSE(answered(id));
  EXPECT_EQ(listed(connect(repository.writer)), std::vector{manifest.id});
}

TEST_F(NodeCommits, AConnectionCannotMakeTheNodeRememberMoreAnswersThanItsShare) {
  const auto manifest = repository.manifest(repository.writer, root.id);
  std::vector<std::uint64_t> ids;
  for (std::size_t i = 0; i < GroupCommit::kMaxWaitingPerConnection + 5; ++i)
    ids.push_back(send(writer, commit_request(manifest)));
  EXPECT_FALSE(answered(ids[GroupCommit::kMaxWaitingPerConnection - 1]));
  EXPECT_EQ(outcome_of(reply_to(ids[GroupCommit::kMaxWaitingPerConnection])), "resource_exhausted");
  run();
  EXPECT_EQ(outcome_of(reply_to(ids[0])), "ok");
}

TEST_F(NodeCommits, ListingsComeInPagesThatTogetherNameEachSnapshotOnce) {
  // Sealed details of half a mebibyte: some nine fill a page.
  std::vector<ManifestId> expected;
  std::optional<ManifestId> previous;
  for (std::uint64_t sequence = 1; sequence <= 20; ++sequence) {
    format::Manifest large = numbered(sequence, previous).manifest;
    large.sealed_detail.resize(std::size_t{512} << 10);
    const auto signed_large = format::sign_again(large, repository.writer.signing);
    ASSERT_EQ(commit(writer, signed_large), "ok");
    expected.push_back(signed_large.id);
    previous = signed_large.id;
  }
  std::vector<ManifestId> seen;
  int pages = 0;
  for (bool more = true; more; ++pages) {
    wire::RequestProto proto = request();
    proto.mutable_list_manifests()->set_after(seen.empty() ? "" : seen.back().str());
    const auto reply = ask(writer, proto);
    ASSERT_EQ(outcome_of(reply), "ok");
    for (const auto& entry : reply.list_manifests().manifests())
      seen.push_back(format::parse_manifest(as_bytes(entry.manifest()))->id);
    more = reply.list_manifests().more();
  }
  EXPECT_EQ(seen, expected);
  EXPECT_GT(pages, 1);

  wire::RequestProto proto = request();
  for (const std::string& after : {std::string(32, 'x'), std::string("short")}) {
    proto.mutable_list_manifests()->set_after(after);
    EXPECT_EQ(outcome_of(ask(writer, proto)), "not_found");
  }
  // One that is not durable yet.
  const auto next = numbered(21, previous);
  send(writer, commit_request(next));
  proto.mutable_list_manifests()->set_after(next.id.str());
  EXPECT_EQ(outcome_of(reply_to(send(writer, proto))), "not_found");
  run();
  EXPECT_EQ(outcome_of(ask(writer, proto)), "ok");
}

TEST_F(NodeCommits, ARestartKeepsWhatWasAcknowledgedAndHasAnotherIncarnation) {
  const auto manifest = repository.manifest(repository.writer, root.id);
  ASSERT_EQ(commit(writer, manifest), "ok");
  const auto before = node->incarnation();
  restart();
  EXPECT_NE(node->incarnation(), before);
  EXPECT_EQ(listed(writer), std::vector{manifest.id});
  EXPECT_TRUE(present(root.id));
  EXPECT_EQ(commit(writer, numbered(1, std::nullopt)), "conflict");
  wire::RequestProto again = commit_request(manifest);
  EXPECT_TRUE(ask(writer, again).commit().already());
}

}  // namespace
}  // namespace holdfast::repository
