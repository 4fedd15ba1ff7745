// Charters, and how a repository comes to a node.
#include "tests/unit/repository/node_fixture.h"

namespace holdfast::repository {
namespace {

class NodeCharters : public NodeTest {
 protected:
  NodeCharters() { random.fill(invited); }
  wire::ReplyProto put(const Peer& peer, const format::SignedCharter& charter) {
    return ask(peer, charter_request(charter));
  }
  format::SignedCharter read(const Peer& peer) {
    wire::RequestProto proto = request();
    proto.mutable_get_charter();
    const auto reply = ask(peer, proto);
    EXPECT_EQ(outcome_of(reply), "ok");
    auto charter = format::parse_charter(as_bytes(reply.get_charter().record()), repository.id());
    EXPECT_TRUE(charter.has_value());
    return charter ? *std::move(charter) : repository.first_charter();
  }
  std::uint64_t version() { return read(embedder).charter.version; }
  CurveKey invited{};
};

TEST_F(NodeCharters, AnInvitationCreatesOneRepositoryAndIsThenUsed) {
  invitations.issued[invited] = {};
  const Peer guest = connect(invited);
  EXPECT_EQ(outcome_of(put(guest, repository.first_charter())), "ok");
  EXPECT_EQ(version(), 1U);
  EXPECT_EQ(invitations.issued[invited].used_for, repository.id());
  EXPECT_EQ(outcome_of(put(guest, repository.first_charter())), "ok");  // a repeated request

  EnrolledRepository other(random);
  wire::RequestProto proto = request();
  proto.set_repository(other.id().str());
  proto.mutable_put_charter()->set_record(to_string(other.first_charter().record));
  EXPECT_EQ(outcome_of(ask(guest, proto)), "permission_denied");
  EXPECT_EQ(node->repositories(), 1U);
}

TEST_F(NodeCharters, AnInvitationDoesNotChangeARepositoryThatIsHere) {
  create_repository();
  invitations.issued[invited] = {};
  const auto next = repository.charter(2, repository.first_charter().digest);
  EXPECT_EQ(outcome_of(put(connect(invited), next)), "permission_denied");
  EXPECT_EQ(version(), 1U);
  EXPECT_FALSE(invitations.issued[invited].used_for.has_value());
}

TEST_F(NodeCharters, ANodeThatJoinsLateTakesTheCharterOfTheDay) {
  invitations.issued[invited] = {};
  EXPECT_EQ(outcome_of(put(connect(invited), repository.charter(7, Sha256{}))), "ok");
  EXPECT_EQ(version(), 7U);
}

TEST_F(NodeCharters, NothingIsCreatedWithoutAnInvitationOrBindingItFirst) {
  const auto charter = repository.first_charter();
  EXPECT_EQ(outcome_of(put(connect(invited), charter)), "no_repository");
  EXPECT_EQ(outcome_of(put(connect(repository.owner), charter)), "no_repository");
  invitations.issued[invited] = {};
  invitations.fail_to_bind = true;
  EXPECT_EQ(outcome_of(put(connect(invited), charter)), "io");
  EXPECT_EQ(node->repositories(), 0U);
  invitations.fail_to_bind = false;
  EXPECT_EQ(outcome_of(put(connect(invited), charter)), "ok");
}

TEST_F(NodeCharters, AnInvitationSurvivesACrashBeforeItsCharterIsDurable) {
  invitations.issued[invited] = {};
  send(connect(invited), charter_request(repository.first_charter()));
  restart();  // the sync never ran
  EXPECT_EQ(outcome_of(put(connect(invited), repository.first_charter())), "ok");
  EXPECT_EQ(version(), 1U);
}

TEST_F(NodeCharters, WhatIsNoCharterOfTheRepositoryCreatesNothing) {
  invitations.issued[invited] = {};
  EnrolledRepository other(random);
  EXPECT_EQ(outcome_of(put(connect(invited), other.first_charter())), "forged");
  auto altered = repository.first_charter();
  for (std::size_t at = 0; at < altered.record.size(); at += 7) {
    auto record = altered;
    record.record[at] ^= 1;
    EXPECT_NE(outcome_of(put(connect(invited), record)), "ok") << at;
  }
  EXPECT_EQ(node->repositories(), 0U);
  EXPECT_FALSE(invitations.issued[invited].used_for.has_value());
}

TEST_F(NodeCharters, TheNextVersionMustFollowTheCurrentOne) {
  create_repository();
  const Peer admin = connect(repository.admin);
  const auto first = repository.first_charter();
  const auto second = repository.charter(2, first.digest);
  EXPECT_EQ(outcome_of(put(admin, repository.charter(3, first.digest))), "conflict");
  EXPECT_EQ(outcome_of(put(admin, repository.charter(2, Sha256{}))), "conflict");
  EXPECT_EQ(outcome_of(put(admin, second)), "ok");
  EXPECT_EQ(outcome_of(put(admin, second)), "ok");
  EXPECT_EQ(outcome_of(put(admin, first)), "conflict");
  EXPECT_EQ(version(), 2U);
  restart();
  EXPECT_EQ(version(), 2U);
  EXPECT_EQ(read(embedder).digest, second.digest);
}

TEST_F(NodeCharters, ANodeThatMissedSeveralChangesTakesTheNewestAndNoOlderOne) {
  create_repository();
  const Peer admin = connect(repository.admin);
  const auto second = repository.charter(2, repository.first_charter().digest);
  const auto third = repository.charter(3, second.digest);
  const auto fourth = repository.charter(4, third.digest);
  EXPECT_EQ(outcome_of(put(admin, fourth)), "ok");
  EXPECT_EQ(outcome_of(put(admin, third)), "conflict");
  EXPECT_EQ(outcome_of(put(admin, second)), "conflict");
  EXPECT_EQ(version(), 4U);
  restart();
  EXPECT_EQ(version(), 4U);
}

TEST_F(NodeCharters, ACharterHoldsFromWhenItIsDurableAndNotBefore) {
  create_repository();
  const auto first = repository.first_charter();
  const Peer reader = connect(repository.reader);
  repository.reader.revoked = true;
  const auto next = repository.charter(2, first.digest);
  const auto id = send(connect(repository.admin), charter_request(next));
  const auto again = send(connect(repository.admin), charter_request(next));
  repository.writer.revoked = true;
  const auto rival =
      send(connect(repository.admin), charter_request(repository.charter(2, first.digest)));
  wire::RequestProto ping = request();
  ping.mutable_ping();
  EXPECT_EQ(outcome_of(reply_to(send(reader, ping))), "ok");
  EXPECT_FALSE(answered(id));
  EXPECT_FALSE(answered(again));
  EXPECT_EQ(outcome_of(reply_to(rival)), "conflict");
  run();
  EXPECT_EQ(outcome_of(reply_to(id)), "ok");
  EXPECT_EQ(outcome_of(reply_to(again)), "ok");
  EXPECT_EQ(outcome_of(ask(reader, ping)), "permission_denied");
}

TEST_F(NodeCharters, ACharterWhoseSyncFailedDoesNotHold) {
  create_repository();
  const auto next = repository.charter(2, repository.first_charter().digest);
  files.syncs_fail = true;
  EXPECT_NE(outcome_of(put(embedder, next)), "ok");
  EXPECT_EQ(version(), 1U);
  files.syncs_fail = false;
  clock.advance(std::chrono::seconds(2));
  EXPECT_EQ(outcome_of(put(embedder, next)), "ok");
  EXPECT_EQ(version(), 2U);
  restart();
  EXPECT_EQ(version(), 2U);
}

TEST_F(NodeCharters, TheVaultIsForReadersAndNeverLost) {
  create_repository();
  const auto vault = [&](const Peer& peer) {
    return to_string(*format::vault_of(read(peer).record));
  };
  EXPECT_EQ(vault(connect(repository.reader)), "a vault");
  EXPECT_EQ(vault(embedder), "a vault");
  EXPECT_EQ(vault(connect(repository.writer)), "");
  EXPECT_EQ(vault(connect(repository.admin)), "");
  auto next = repository.charter(2, repository.first_charter().digest);
  next.record = *format::without_vault(next.record);
  EXPECT_EQ(outcome_of(put(embedder, next)), "invalid_argument");
  EXPECT_EQ(version(), 1U);
}

TEST_F(NodeCharters, WhatIsNoCharterDoesNotChangeARepositoryThatIsHere) {
  create_repository();
  auto next = repository.charter(2, repository.first_charter().digest);
  next.record[next.record.size() / 2] ^= 1;
  EXPECT_NE(outcome_of(put(embedder, next)), "ok");
  EXPECT_EQ(version(), 1U);
}

}  // namespace
}  // namespace holdfast::repository
