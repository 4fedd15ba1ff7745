// What a node counts while it works.
#include "repository/node_figures.h"

#include "tests/unit/repository/node_fixture.h"

namespace holdfast::repository {
namespace {

class NodeFiguresTest : public NodeTest {
 protected:
  NodeFiguresTest() { create_repository(); }
  RepositoryFigures of_repository() {
    const NodeFigures all = node->figures();
    check(all.repositories.size() == 1, "one repository");
    return all.repositories.front();
  }
  // To its end.
  void verify(std::uint32_t depth, double fraction, std::uint64_t run_number) {
    wire::RequestProto proto = request();
    proto.mutable_verify()->set_depth(depth);
    proto.mutable_verify()->set_fraction(fraction);
    proto.mutable_verify()->set_run(run_number);
    while (!ask(embedder, proto).verify().done()) continue;
  }
  const AgentFigures* of(const RepositoryFigures& figures, const TestAgent& agent) {
    for (const AgentFigures& one : figures.agents)
      if (one.id == agent.id()) return &one;
    return nullptr;
  }
};

TEST_F(NodeFiguresTest, SnapshotsAreToldByAgentWithBothClocks) {
  const TestObject root = put_tree(repository.writer, "content");
  clock.advance(std::chrono::seconds(50));
  const UnixTime received = clock.wall();
  const auto manifest = repository.manifest(repository.writer, root.id);
  ASSERT_EQ(commit(embedder, manifest), "ok");
  const RepositoryFigures figures = of_repository();
  EXPECT_EQ(figures.id, repository.id());
  EXPECT_EQ(figures.snapshots, 1U);
  EXPECT_EQ(figures.complete_snapshots, 1U);
  const AgentFigures* writer = of(figures, repository.writer);
  ASSERT_NE(writer, nullptr);
  EXPECT_EQ(writer->newest_sequence, 1U);
  EXPECT_EQ(writer->newest_received, received);
  EXPECT_EQ(writer->newest_claimed, manifest.manifest.claimed_time);
  // The same from the segments alone.
  restart();
  const RepositoryFigures read_again = of_repository();
  EXPECT_EQ(of(read_again, repository.writer)->newest_received, received);
  EXPECT_EQ(of(read_again, repository.writer)->newest_claimed, manifest.manifest.claimed_time);
}

TEST_F(NodeFiguresTest, AManifestThatIsNotDurableIsNobodysNewest) {
  const TestObject root = put_tree(repository.writer, "content");
  send(embedder, commit_request(repository.manifest(repository.writer, root.id)));
  EXPECT_EQ(of(of_repository(), repository.writer)->newest_sequence, 0U);
  run();
  EXPECT_EQ(of(of_repository(), repository.writer)->newest_sequence, 1U);
}

TEST_F(NodeFiguresTest, FramesAreCountedInAndOut) {
  const TestObject object = repository.data(std::string(1000, 'x'));
  const SharedBytes frame = repository.frame(repository.writer, {object});
  ASSERT_EQ(put(connect(repository.writer), frame), "ok");
  wire::RequestProto get = request();
  get.mutable_get_frame()->set_id(object.id.str());
  ASSERT_EQ(outcome_of(ask(embedder, get)), "ok");
  ASSERT_EQ(outcome_of(ask(embedder, get)), "ok");
  const RepositoryCounters counters = of_repository().counters;
  EXPECT_EQ(counters.received.frames, 1U);
  EXPECT_EQ(counters.received.bytes, frame.size());
  EXPECT_EQ(counters.sent.frames, 2U);
  EXPECT_EQ(counters.sent.bytes, 2 * frame.size());
}

TEST_F(NodeFiguresTest, RequestsAreCountedByTypeAndRefusalsByReason) {
  const RequestCounters before = node->figures().requests;
  wire::RequestProto status = request();
  status.mutable_status();
  ASSERT_EQ(outcome_of(ask(embedder, status)), "ok");
  status.set_repository(RepositoryId::from_hex(std::string(64, 'a'))->str());
  ASSERT_EQ(outcome_of(ask(embedder, status)), "no_repository");
  const RequestCounters after = node->figures().requests;
  const auto refused = [](const RequestCounters& counters, Code code) {
    return counters.refused[static_cast<std::size_t>(code)];
  };
  EXPECT_EQ(after.received[wire::RequestProto::kStatus],
            before.received[wire::RequestProto::kStatus] + 2);
  EXPECT_EQ(refused(after, Code::kNoRepository), refused(before, Code::kNoRepository) + 1);
}

TEST_F(NodeFiguresTest, WhatCannotBeAnsweredIsMalformed) {
  node->on_message(embedder, Message{Bytes(3, Byte{0xFF}), {}});
  EXPECT_EQ(node->figures().requests.malformed, 1U);
  EXPECT_EQ(responder.disconnected.size(), 1U);
}

TEST_F(NodeFiguresTest, SyncsAreTimedAndTheirFailuresCounted) {
  const auto syncs = [](const RepositoryFigures& figures) {
    std::uint64_t all = 0;
    for (const std::uint64_t count : figures.sync_seconds.counts()) all += count;
    return all;
  };
  const RepositoryFigures before = of_repository();
  const TestObject root = put_tree(repository.writer, "content");
  // Time passes whenever somebody looks: at least this long for a sync.
  clock.pace = std::chrono::seconds(1);
  const auto first = repository.manifest(repository.writer, root.id);
  ASSERT_EQ(commit(embedder, first), "ok");
  clock.pace = Duration{0};
  const RepositoryFigures after = of_repository();
  EXPECT_EQ(syncs(after), syncs(before) + 1);
  EXPECT_GE(after.sync_seconds.sum(), before.sync_seconds.sum() + 1);
  EXPECT_EQ(after.failed_syncs, 0U);

  files.syncs_fail = true;
  const TestObject other = put_tree(repository.writer, "other");
  ASSERT_NE(commit(embedder, repository.manifest(repository.writer, other.id, &first)), "ok");
  EXPECT_EQ(of_repository().failed_syncs, 1U);
  EXPECT_TRUE(of_repository().store.read_only);
  EXPECT_EQ(of_repository().store.read_only_code, Code::kIo);
}

TEST_F(NodeFiguresTest, AFullDiskIsTheReasonUntilWritesAreTakenAgain) {
  files.no_space = true;
  ASSERT_NE(put(embedder, repository.frame(repository.writer, {repository.data("x")})), "ok");
  EXPECT_EQ(of_repository().store.read_only_code, Code::kNoSpace);
  files.no_space = false;
  loop.advance(std::chrono::seconds(6));
  EXPECT_EQ(of_repository().store.read_only_code, std::nullopt);
}

TEST_F(NodeFiguresTest, AVerificationOfEveryByteIsRememberedAndAnotherIsNot) {
  put_tree(repository.writer, "content");
  verify(VerifyDepth::kStructure, 1, 1);
  verify(VerifyDepth::kSignature, 0.5, 2);
  EXPECT_EQ(of_repository().verified_at, std::nullopt);
  verify(VerifyDepth::kChecksum, 1, 3);
  EXPECT_EQ(of_repository().verified_at, clock.wall());
}

TEST_F(NodeFiguresTest, AFullVerificationWasForgottenByARestart) {
  put_tree(repository.writer, "content");
  verify(VerifyDepth::kChecksum, 1, 1);
  const UnixTime ended = clock.wall();
  clock.advance(std::chrono::hours(24));
  restart();
  EXPECT_EQ(of_repository().verified_at, ended);
}

TEST_F(NodeFiguresTest, AVerificationAheadOfTheClockIsNotTold) {
  put_tree(repository.writer, "content");
  clock.advance(std::chrono::hours(24 * 365));
  verify(VerifyDepth::kChecksum, 1, 1);
  ASSERT_EQ(of_repository().verified_at, clock.wall());
  clock.advance(std::chrono::hours(-24 * 365));
  EXPECT_EQ(of_repository().verified_at, std::nullopt);
}

TEST_F(NodeFiguresTest, EventsSayWhatTheyAreAbout) {
  ASSERT_FALSE(log.events.empty());
  EXPECT_EQ(log.events.front().kind, "repository_created");
  EXPECT_EQ(log.events.front().repository, repository.id());
  for (const Event& event : log.events) {
    EXPECT_FALSE(event.kind.empty());
    EXPECT_EQ(event.kind.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string_view::npos);
  }
}

}  // namespace
}  // namespace holdfast::repository
