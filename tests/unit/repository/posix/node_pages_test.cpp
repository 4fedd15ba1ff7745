#include "repository/posix/node_pages.h"

#include <gtest/gtest.h>

#include "tests/unit/repository/node_ports.h"

namespace holdfast::repository {
namespace {

class NodePagesTest : public ::testing::Test {
 protected:
  NodePagesTest() {
    figures.listening = true;
    RepositoryFigures repository;
    repository.id = *RepositoryId::from_hex(std::string(64, 'a'));
    repository.snapshots = 3;
    repository.complete_snapshots = 2;
    repository.agents.push_back({*AgentId::from_hex(std::string(64, 'b')), "the \"web\" server", 7,
                                 UnixTime{1'700'000'000'500'000'000},
                                 UnixTime{1'700'000'100'000'000'000}});
    repository.agents.push_back({*AgentId::from_hex(std::string(64, 'c')), "new", 0, {}, {}});
    figures.node.repositories.push_back(repository);
  }
  RepositoryFigures& repository() { return figures.node.repositories.front(); }
  std::string metrics() { return pages.page("/metrics").text; }
  // The line of the sample begins so.
  bool has(std::string_view line) {
    return ("\n" + metrics()).find("\n" + std::string(line) + "\n") != std::string::npos;
  }

  ManualClock clock;
  HostFigures figures;
  int asked = 0;
  bool loop_answers = true;
  NodePages pages{clock, [this](Duration) -> Result<std::shared_ptr<const HostFigures>> {
                    ++asked;
                    if (!loop_answers) return Error(Code::kTimedOut, "the loop hangs");
                    return std::make_shared<const HostFigures>(figures);
                  }};
};

TEST_F(NodePagesTest, MetricsNameRepositoriesAndAgents) {
  EXPECT_TRUE(has("holdfast_node_snapshots{repository=\"aaaaaaaa\",state=\"complete\"} 2"));
  EXPECT_TRUE(has("holdfast_node_snapshots{repository=\"aaaaaaaa\",state=\"incomplete\"} 1"));
  const std::string web =
      R"({repository="aaaaaaaa",agent="bbbbbbbb",agent_name="the \"web\" server"})";
  EXPECT_TRUE(has("holdfast_node_newest_snapshot_sequence" + web + " 7"));
  EXPECT_TRUE(has("holdfast_node_newest_snapshot_timestamp_seconds" + web + " 1700000000.5"));
  EXPECT_TRUE(has("holdfast_node_newest_snapshot_received_timestamp_seconds" + web + " 1700000100"))
      << metrics();
}

TEST_F(NodePagesTest, AnAgentWithoutASnapshotHasNoTimeRatherThanOneOfLongAgo) {
  const std::string fresh = R"({repository="aaaaaaaa",agent="cccccccc",agent_name="new"})";
  EXPECT_TRUE(has("holdfast_node_newest_snapshot_sequence" + fresh + " 0"));
  EXPECT_EQ(metrics().find("timestamp_seconds{repository=\"aaaaaaaa\",agent=\"cccccccc\""),
            std::string::npos);
}

TEST_F(NodePagesTest, RefusalsAreNamedByTheirReasons) {
  figures.node.requests.refuse(Code::kPermissionDenied);
  figures.node.requests.received[wire::RequestProto::kPutFrame] = 4;
  figures.listener.cut["a head beyond its limit"] = 2;
  figures.handshakes.not_admitted = 9;
  EXPECT_TRUE(has("holdfast_node_requests_refused_total{reason=\"permission_denied\"} 1"));
  EXPECT_TRUE(has("holdfast_node_requests_total{type=\"put_frame\"} 4"));
  EXPECT_TRUE(has("holdfast_node_connections_cut_total{reason=\"a head beyond its limit\"} 2"));
  EXPECT_TRUE(has("holdfast_node_handshakes_refused_total{reason=\"not_admitted\"} 9"));
}

TEST_F(NodePagesTest, EveryRequestOfTheProtocolHasAName) {
  std::size_t names = 0;
  const std::string text = metrics();
  for (auto at = text.find("requests_total{type="); at != std::string::npos;
       at = text.find("requests_total{type=", at + 1))
    ++names;
  // Its `what`, and "unknown"; the fields beside it are `id` and `repository`.
  EXPECT_EQ(names, 16U);
}

TEST_F(NodePagesTest, AReadOnlyRepositoryHasItsReason) {
  repository().store.read_only = true;
  repository().store.read_only_code = Code::kNoSpace;
  EXPECT_TRUE(has("holdfast_node_read_only{repository=\"aaaaaaaa\"} 1"));
  EXPECT_TRUE(has("holdfast_node_read_only_reason{repository=\"aaaaaaaa\",reason=\"no_space\"} 1"));
  EXPECT_TRUE(has("holdfast_node_healthy 0"));
}

TEST_F(NodePagesTest, WhatIsNotKnownIsLeftOutAndWhatIsBadIsZero) {
  EXPECT_TRUE(has("holdfast_node_listening 1"));
  EXPECT_TRUE(has("holdfast_node_disk_healthy 1"));
  figures.listening = false;
  figures.disk_trouble = Error(Code::kIo, "write: Input/output error");
  repository().store.read_only = true;  // for a reason that has no code
  repository().complete_snapshots.reset();
  clock.advance(std::chrono::seconds(2));
  EXPECT_TRUE(has("holdfast_node_listening 0"));
  EXPECT_TRUE(has("holdfast_node_disk_healthy 0"));
  EXPECT_EQ(metrics().find("read_only_reason{"), std::string::npos);
  EXPECT_EQ(metrics().find("holdfast_node_snapshots{"), std::string::npos);
}

TEST_F(NodePagesTest, ANodeIsWellUnlessSomethingKeepsItFromItsWork) {
  const auto healthz = [&] {
    clock.advance(std::chrono::seconds(2));
    return pages.page("/healthz");
  };
  EXPECT_EQ(healthz().status, 200);
  figures.listening = false;
  EXPECT_EQ(healthz().status, 503);
  figures.listening = true;
  figures.disk_trouble = Error(Code::kIo, "write: Input/output error");
  EXPECT_EQ(healthz().status, 503);
  EXPECT_EQ(healthz().text, "write: Input/output error\n");
  figures.disk_trouble.reset();
  repository().store.read_only = true;
  EXPECT_EQ(healthz().status, 503);
  repository().store.read_only = false;
  figures.node.unopened.push_back(repository().id);
  EXPECT_EQ(healthz().status, 503);
  figures.node.unopened.clear();
  EXPECT_EQ(healthz().status, 200);
}

TEST_F(NodePagesTest, ALoopThatDoesNotAnswerIsUnwell) {
  loop_answers = false;
  EXPECT_EQ(pages.page("/healthz").status, 503);
  EXPECT_EQ(pages.page("/healthz").text, "the loop hangs\n");
  EXPECT_EQ(pages.page("/metrics").status, 503);
}

TEST_F(NodePagesTest, TheLoopIsAskedOnceASecondHoweverManyAsk) {
  for (int i = 0; i < 10; ++i) EXPECT_EQ(pages.page("/metrics").status, 200);
  EXPECT_EQ(asked, 1);
  clock.advance(std::chrono::seconds(1));
  pages.page("/healthz");
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(pages.page("/elsewhere").status, 404);
  EXPECT_EQ(asked, 2);
}

}  // namespace
}  // namespace holdfast::repository
