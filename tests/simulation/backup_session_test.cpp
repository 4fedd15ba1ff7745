// What single backups do where the source, the local catalog or a node is not as it was.
#include "agent/backup_session.h"

#include <gmock/gmock.h>

#include "tests/simulation/cluster.h"
#include "tests/testing/seed.h"

namespace holdfast::testing {
namespace {

using agent::CatalogFileWriter;
using simulation::CrashKeeps;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class BackingUp : public ::testing::Test {
 protected:
  Cluster& make(std::size_t nodes, std::uint32_t write_quorum) {
    cluster_ = std::make_unique<Cluster>(seed(), nodes, write_quorum);
    return *cluster_;
  }
  void put_random(const std::string& path, std::size_t size) {
    Bytes content(size);
    cluster_->random.fill(content);
    cluster_->source.put(path, std::move(content));
  }
  // The source as it is, on so many nodes.
  agent::BackupReport back_up_well(std::size_t committed) {
    const auto report = cluster_->back_up();
    EXPECT_TRUE(report) << report.error().message();
    if (!report) return {};
    EXPECT_EQ(report->committed, committed);
    const auto contents = cluster_->read(*report->manifest, {0});
    EXPECT_TRUE(contents && *contents == cluster_->source.contents());
    return *report;
  }

  std::unique_ptr<Cluster> cluster_;
};

TEST_F(BackingUp, ANodeThatLacksAFileWhichHasChangedSinceStaysBehindUntilTheNextTime) {
  Cluster& cluster = make(3, 2);
  put_random("data/a", 900);
  cluster.nodes[2]->crash(CrashKeeps::kNothing);
  back_up_well(2);
  ASSERT_TRUE(cluster.nodes[2]->start());
  const auto run = cluster.begin_backup(*cluster.agents.front());
  put_random("data/a", 900);  // behind the back of its scan
  ASSERT_TRUE(cluster.finish(*run));
  const auto& report = run->result();
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->committed, 2U);
  EXPECT_FALSE(report->nodes[2].committed);
  ASSERT_TRUE(report->nodes[2].error);
  EXPECT_EQ(report->nodes[2].error->code(), Code::kChanged);
  EXPECT_THAT(report->nodes[2].error->message(), HasSubstr("whole with a later snapshot"));
  back_up_well(3);
}

TEST_F(BackingUp, ACatalogOfAnotherAgentGivesNoNumberToGoOnFrom) {
  Cluster& cluster = make(2, 2);
  put_random("data/a", 900);
  back_up_well(2);
  back_up_well(2);
  ClusterAgent& second = cluster.add_agent("second", format::kAppend | format::kRead);
  const auto charters = cluster.begin_charters();
  ASSERT_TRUE(cluster.finish(*charters));
  second.disk.restore(cluster.agent_disk().image());
  second.source.put("data/b", to_bytes("of the second"));
  const auto run = cluster.begin_backup(second);
  ASSERT_TRUE(cluster.finish(*run));
  ASSERT_TRUE(run->result()) << run->result().error().message();
  EXPECT_EQ(run->result()->manifest->manifest.sequence, 1U);
  EXPECT_EQ(run->result()->manifest->manifest.previous, std::nullopt);
}

TEST_F(BackingUp, ALocalCatalogWithoutAManifestIsNotGoneOnFrom) {
  Cluster& cluster = make(1, 1);
  put_random("data/a", 900);
  const auto first = back_up_well(1);
  for (const Bytes& none : {Bytes{}, to_bytes("garbage")}) {
    auto writer = CatalogFileWriter::create(cluster.agent_disk(), "/catalog").value();
    ASSERT_TRUE(writer.finish(first.manifest->manifest.root, none));
    EXPECT_FALSE(back_up_well(1).had_parent);
  }
  EXPECT_TRUE(back_up_well(1).had_parent);
}

TEST_F(BackingUp, AFileThatChangesWhileItIsReadIsNamedAndReadAgainTheNextTime) {
  Cluster& cluster = make(1, 1);
  put_random("data/growing", 9 << 20);
  bool changed = false;
  const auto report = cluster.back_up([&] {
    if (changed || cluster.source.bytes_read() == 0) return;
    changed = true;
    put_random("data/growing", 9 << 20);
  });
  ASSERT_TRUE(report) << report.error().message();
  ASSERT_EQ(report->problem_count, 1U);
  EXPECT_EQ(report->problems[0].path, "/data/growing");
  EXPECT_EQ(report->problems[0].error.message(), "changed while it was read");
  EXPECT_EQ(report->detail.unreadable, 1U);
  EXPECT_EQ(report->detail.files, 1U);
  EXPECT_EQ(back_up_well(1).problem_count, 0U);
}

TEST_F(BackingUp, ANodeThatIsDownIsSaidAsSoonAsThatIsKnown) {
  Cluster& cluster = make(2, 2);
  put_random("data/a", 900);
  cluster.nodes[1]->crash(CrashKeeps::kNothing);
  const auto run = cluster.begin_backup(*cluster.agents.front());
  std::set<std::string> said;
  ASSERT_TRUE(cluster.finish(*run, [&] { said.insert(run->progress().nodes[1].state); }));
  EXPECT_THAT(said, ::testing::UnorderedElementsAre("connecting", StartsWith("failed: ")));
  EXPECT_EQ(run->result().error().code(), Code::kUnavailable);
}

TEST_F(BackingUp, OfManyProblemsAThousandAreNamedAndAllAreCounted) {
  Cluster& cluster = make(1, 1);
  for (int i = 0; i < 1'100; ++i) {
    const std::string path = "data/" + std::to_string(i);
    cluster.source.put(path, to_bytes("x"));
    cluster.source.make_unreadable(path);
  }
  const auto report = cluster.back_up();
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->problem_count, 1'100U);
  EXPECT_EQ(report->problems.size(), 1'000U);
  EXPECT_EQ(report->detail.unreadable, 1'100U);
}

}  // namespace
}  // namespace holdfast::testing
