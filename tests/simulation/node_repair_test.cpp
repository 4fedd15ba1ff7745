// Bringing a node whole from the others, without any source of files.
#include "agent/node_repair.h"

#include <gtest/gtest.h>

#include "tests/simulation/cluster.h"
#include "tests/testing/seed.h"

namespace holdfast::testing {
namespace {

using simulation::CrashKeeps;

class RepairingANode : public ::testing::Test {
 protected:
  void change_source(std::size_t files, std::size_t most_bytes = 24'000) {
    for (std::size_t i = 0; i < files; ++i) {
      Bytes content(cluster_.random.below(most_bytes));
      cluster_.random.fill(content);
      cluster_.source.put("data/" + std::to_string(cluster_.random.below(8)) + "/" +
                              std::to_string(cluster_.random.below(40)),
                          std::move(content));
    }
  }
  void back_up() {
    const auto report = cluster_.back_up();
    ASSERT_TRUE(report) << report.error().message();
    made_.emplace_back(*report->manifest, cluster_.source.contents());
  }
  // A disk that came in the place of the one that died; it has the charter and nothing else.
  void replace_disk(std::size_t node) {
    cluster_.nodes[node]->crash(CrashKeeps::kNothing);
    cluster_.nodes[node]->lose_disk();
    ASSERT_TRUE(cluster_.nodes[node]->start());
    ASSERT_TRUE(cluster_.finish(*cluster_.begin_charters()));
  }
  std::unique_ptr<RepairRun> repair(const std::function<void()>& during = {}) {
    auto run = cluster_.begin_repair(*cluster_.agents.front());
    EXPECT_TRUE(cluster_.finish(*run, during)) << "it never ends";
    return run;
  }
  void expect_whole(std::size_t node) {
    for (const auto& [manifest, contents] : made_) {
      EXPECT_TRUE(cluster_.holds(node, manifest.id)) << manifest.manifest.sequence;
      const auto read = cluster_.read(manifest, {node});
      ASSERT_TRUE(read) << read.error().message();
      EXPECT_EQ(*read, contents) << manifest.manifest.sequence;
    }
  }

  Cluster cluster_{seed(), 3, 2};
  std::vector<std::pair<format::SignedManifest, Files>> made_;
};

TEST_F(RepairingANode, ADiskThatIsEmptyGetsAllSnapshotsFromTheOthersAlone) {
  for (int i = 0; i < 3; ++i) {
    change_source(60);
    back_up();
  }
  Bytes large(6 << 20);
  cluster_.random.fill(large);
  cluster_.source.put("disk.img", std::move(large));
  back_up();
  cluster_.source.remove("disk.img");
  back_up();
  replace_disk(2);
  const std::uint64_t read_before = cluster_.source.bytes_read();
  const auto run = repair();
  EXPECT_EQ(cluster_.source.bytes_read(), read_before);
  ASSERT_EQ(run->reports().size(), 1U);
  const agent::RepairReport& report = run->reports().at(2);
  EXPECT_TRUE(report.is_whole());
  EXPECT_EQ(report.completed.size(), made_.size());
  EXPECT_GT(report.sent_bytes, 6U << 20);
  expect_whole(2);
  EXPECT_TRUE(repair()->reports().empty()) << "nothing is left to do";
}

TEST_F(RepairingANode, WhatTheNodeHasIsNotSentAgain) {
  Bytes large(4 << 20);
  cluster_.random.fill(large);
  cluster_.source.put("disk.img", std::move(large));
  change_source(20);
  back_up();
  cluster_.nodes[1]->crash(CrashKeeps::kNothing);
  cluster_.source.put("new", to_bytes("new"));
  back_up();
  cluster_.nodes[1]->start();
  const auto run = repair();
  EXPECT_TRUE(run->reports().at(1).is_whole());
  EXPECT_LT(run->reports().at(1).sent_bytes, 100'000U);
  expect_whole(1);
}

TEST_F(RepairingANode, ANodeThatRestartsMeanwhileIsBegunWithAgain) {
  change_source(200);
  back_up();
  change_source(200);
  back_up();
  replace_disk(0);
  bool crashed = false, back = false;
  const auto run = repair([&] {
    const std::string segment = cluster_.nodes[0]->a_segment(cluster_.repository);
    if (!crashed && !segment.empty() && cluster_.nodes[0]->disk().size_of(segment) > 1 << 20) {
      crashed = true;
      cluster_.nodes[0]->crash(CrashKeeps::kNothing);
      cluster_.loop.after(std::chrono::seconds(3), [&] { back = cluster_.nodes[0]->start(); });
    }
  });
  EXPECT_TRUE(crashed);
  EXPECT_TRUE(back);
  EXPECT_TRUE(run->reports().at(0).is_whole());
  expect_whole(0);
}

TEST_F(RepairingANode, ANodeThatStaysAwayEndsIt) {
  change_source(200);
  back_up();
  replace_disk(0);
  bool crashed = false;
  const auto run = repair([&] {
    const std::string segment = cluster_.nodes[0]->a_segment(cluster_.repository);
    if (crashed || segment.empty() || cluster_.nodes[0]->disk().size_of(segment) < 100'000) return;
    crashed = true;
    cluster_.nodes[0]->crash(CrashKeeps::kNothing);
  });
  EXPECT_TRUE(crashed);
  const auto& ended = run->reports().at(0).ended;
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->code(), Code::kUnavailable);
}

TEST_F(RepairingANode, ItEndsWhenNoneOfTheOthersAnswers) {
  change_source(200);
  back_up();
  replace_disk(0);
  bool cut = false;
  const auto run = repair([&] {
    const std::string segment = cluster_.nodes[0]->a_segment(cluster_.repository);
    if (cut || segment.empty() || cluster_.nodes[0]->disk().size_of(segment) < 100'000) return;
    cut = true;
    for (const std::size_t other : {1, 2}) cluster_.network.cut(cluster_.nodes[other]->name(), "");
  });
  EXPECT_TRUE(cut);
  const auto& ended = run->reports().at(0).ended;
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->message(), "none of the other nodes answers any more");
  cluster_.network.heal();
  EXPECT_TRUE(repair()->reports().at(0).is_whole());
  expect_whole(0);
}

TEST_F(RepairingANode, WhatOneSourceHasDamagedComesFromTheOther) {
  change_source(100);
  back_up();
  replace_disk(0);
  auto& damaged = *cluster_.nodes[1];
  const std::string segment = damaged.a_segment(cluster_.repository);
  for (std::uint64_t part = 2; part < 9; ++part)
    damaged.disk().flip_bit(segment, damaged.disk().size_of(segment) * part / 10, 3);
  const auto run = repair();
  EXPECT_TRUE(run->reports().at(0).is_whole());
  expect_whole(0);
}

TEST_F(RepairingANode, WhatIsOnNoNodeIsSaidAndTheOtherSnapshotsAreCopied) {
  using Sizes = std::map<std::string, std::uint64_t>;
  const auto sizes = [&](std::size_t node) {
    Sizes all;
    for (const std::string& path : cluster_.nodes[node]->segments(cluster_.repository))
      all[path] = cluster_.nodes[node]->disk().size_of(path);
    return all;
  };
  change_source(60);
  back_up();
  const Sizes before[] = {sizes(1), sizes(2)};
  Bytes unlucky(100'000);
  cluster_.random.fill(unlucky);
  cluster_.source.put("data/unlucky", std::move(unlucky));
  back_up();
  cluster_.source.remove("data/unlucky");
  back_up();
  replace_disk(0);
  // The file that only the second backup had is lost on both others.
  for (const std::size_t other : {1, 2}) {
    for (const auto& [path, size] : sizes(other)) {
      const auto known = before[other - 1].find(path);
      const std::uint64_t at = (known == before[other - 1].end() ? 0 : known->second) + 50'000;
      if (at < size) cluster_.nodes[other]->disk().flip_bit(path, at, 1);
    }
  }
  const auto run = repair();
  const agent::RepairReport& report = run->reports().at(0);
  EXPECT_FALSE(report.ended);
  ASSERT_EQ(report.failed.size(), 1U);
  EXPECT_EQ(report.failed.front().snapshot, made_[1].first.id);
  EXPECT_NE(report.failed.front().reason.message().find("no node gives object"), std::string::npos)
      << report.failed.front().reason.message();
  EXPECT_EQ(report.completed.size(), 2U);
  made_.erase(made_.begin() + 1);
  expect_whole(0);
}

// With two nodes that could not see each other, each of which was enough, one number was given
// twice; neither node took the other's, and each stayed the only copy of what it had.
TEST(Repairing, TwoSnapshotsOfOneNumberStayedOnOneNodeEach) {
  Cluster cluster(seed(), 2, 1);
  std::vector<format::SignedManifest> made;
  for (const std::size_t away : {1, 0}) {
    cluster.nodes[away]->crash(CrashKeeps::kNothing);
    static_cast<void>(cluster.agent_disk().remove("/catalog"));
    cluster.source.put("at", to_bytes(std::to_string(away)));
    const auto report = cluster.back_up();
    ASSERT_TRUE(report) << report.error().message();
    made.push_back(*report->manifest);
    cluster.nodes[away]->start();
  }
  ASSERT_EQ(made[0].manifest.sequence, made[1].manifest.sequence);
  const auto run = cluster.begin_repair(*cluster.agents.front());
  ASSERT_TRUE(cluster.finish(*run));
  for (const auto& [node, report] : run->reports()) EXPECT_TRUE(report.is_whole()) << node;
  for (const std::size_t node : {0, 1}) {
    for (std::size_t i = 0; i < made.size(); ++i) {
      EXPECT_TRUE(cluster.holds(node, made[i].id));
      const auto read = cluster.read(made[i], {node});
      ASSERT_TRUE(read) << read.error().message();
      EXPECT_EQ(read->at("at"), to_bytes(i == 0 ? "1" : "0"));
    }
    // Also once it has read its disk again.
    cluster.nodes[node]->crash(CrashKeeps::kNothing);
    ASSERT_TRUE(cluster.nodes[node]->start());
    EXPECT_TRUE(cluster.holds(node, made[0].id));
    EXPECT_TRUE(cluster.holds(node, made[1].id));
  }
  // And the agent goes on behind one of them, on both.
  cluster.source.put("at", to_bytes("later"));
  const auto report = cluster.back_up();
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->committed, 2U);
  EXPECT_EQ(report->manifest->manifest.sequence, made[0].manifest.sequence + 1);
}

}  // namespace
}  // namespace holdfast::testing
