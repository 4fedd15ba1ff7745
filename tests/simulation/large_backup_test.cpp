// Backups of more than fits into their windows: entries behind one that is not done, list objects
// of several frames, chunks of a frame, and nodes that take nothing.
#include <gmock/gmock.h>

#include "tests/simulation/cluster.h"
#include "tests/simulation/lying_node.h"
#include "tests/testing/seed.h"

namespace holdfast::testing {
namespace {

using ::testing::HasSubstr;

class LargeBackup : public ::testing::Test {
 protected:
  void put_random(const std::string& path, std::size_t size) {
    Bytes content(size);
    cluster_.random.fill(content);
    cluster_.source.put(path, std::move(content));
  }
  // Backs up while a node answers nothing for a second from when the first file was read.
  Result<agent::BackupReport> back_up_with_a_stop(const std::function<void()>& stopped) {
    std::optional<Instant> cut_at;
    bool mended = false;
    auto report = cluster_.back_up([&] {
      if (!cut_at && cluster_.source.opened() > 0) {
        cut_at = cluster_.loop.now();
        cluster_.network.cut(cluster_.nodes[0]->name(), "");
      }
      if (!cut_at || mended || cluster_.loop.now() - *cut_at < std::chrono::seconds(1)) return;
      mended = true;
      cluster_.network.heal();
      stopped();
    });
    EXPECT_TRUE(mended);
    return report;
  }

  // More than are kept behind one whose content is on its way.
  static constexpr int kEntries = 17'000;
  Cluster cluster_{seed(), 3, 1};
};

class BackupOfManyEntries : public LargeBackup {
 protected:
  BackupOfManyEntries() {
    for (std::size_t node = 1; node < 3; ++node)
      cluster_.nodes[node]->crash(simulation::CrashKeeps::kNothing);
    put_random("a", 500);
    for (int i = 0; i < kEntries; ++i) cluster_.source.put("b/" + std::to_string(i), {});
  }
};

TEST_F(BackupOfManyEntries, BehindOneThatIsNotDoneWaitsForIt) {
  const auto report = back_up_with_a_stop([] {});
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->detail.files, kEntries + 1U);
  const auto contents = cluster_.read(*report->manifest, {0});
  ASSERT_TRUE(contents) << contents.error().message();
  EXPECT_TRUE(*contents == cluster_.source.contents());
}

TEST_F(BackupOfManyEntries, WhoseCatalogCannotBeWrittenFailsOnceWithTheReason) {
  const auto report =
      back_up_with_a_stop([&] { cluster_.agent_disk().fail_call(1, Code::kNoSpace, true); });
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), Code::kNoSpace);
  EXPECT_THAT(report.error().message(), HasSubstr("local catalog"));
  cluster_.agent_disk().clear_faults();
  EXPECT_TRUE(cluster_.back_up());
}

// As many as half a frame may have, in less than a frame's bytes.
TEST_F(LargeBackup, OfCountlessTinyFilesIsSentInFramesThatANodeTakes) {
  for (std::uint32_t i = 0; i < format::kMaxFrameObjects / 2 + 1000; ++i) {
    Bytes content(sizeof i);
    std::memcpy(content.data(), &i, sizeof i);
    cluster_.source.put(std::to_string(i), std::move(content));
  }
  const auto report = cluster_.back_up();
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->committed, 3U);
  const auto contents = cluster_.read(*report->manifest, {2});
  ASSERT_TRUE(contents) << contents.error().message();
  EXPECT_TRUE(*contents == cluster_.source.contents());
}

// Whichever of them was the first to say nothing at all.
TEST_F(LargeBackup, NodesThatTakeNothingAreLeftBehindAndCaughtUpOnceTheyDo) {
  for (const std::size_t first : {1, 2}) {
    put_random("disk.img", 40 << 20);
    const std::uint64_t before = cluster_.source.bytes_read();
    const auto run = cluster_.begin_backup(*cluster_.agents.front());
    bool left = false, cut = false;
    ASSERT_TRUE(cluster_.finish(*run, [&] {
      if (left) return;
      const std::uint64_t read = cluster_.source.bytes_read() - before;
      if (read >= (4 << 20) && !cluster_.nodes[1]->lies())
        for (const std::size_t node : {1, 2})
          cluster_.nodes[node]->set_lies(
              std::make_unique<SilenceAbout>(wire::RequestProto::kPutFrame));
      const auto nodes = run->progress().nodes;
      if (!cut && nodes[1].pending_bytes > 0 && nodes[2].pending_bytes > 0) {
        cut = true;
        cluster_.network.cut(cluster_.nodes[first]->name(), "");
      }
      left = nodes[1].state.starts_with("behind: ") && nodes[2].state.starts_with("behind: ");
      if (!left) return;
      cluster_.network.heal();
      for (const auto& node : cluster_.nodes) node->set_lies(nullptr);
    }));
    ASSERT_TRUE(run->result()) << run->result().error().message();
    EXPECT_TRUE(left);
    EXPECT_EQ(run->result()->committed, 3U);
    EXPECT_FALSE(run->result()->nodes[0].caught_up);
    EXPECT_TRUE(run->result()->nodes[1].caught_up);
    EXPECT_TRUE(run->result()->nodes[2].caught_up);
  }
}

}  // namespace
}  // namespace holdfast::testing
