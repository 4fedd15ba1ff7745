// The main job under faults. What must hold whatever the seed: a backup that reports success can be
// restored, byte for byte, from every node that lists it, and at least W list it after any crash;
// and once the faults end, the next backup makes all nodes whole.
#include "tests/simulation/cluster.h"

#include <gtest/gtest.h>

#include "tests/simulation/lying_node.h"
#include "tests/testing/seed.h"

namespace holdfast::testing {
namespace {

struct Acknowledged {
  format::SignedManifest manifest;
  std::map<std::string, Bytes> contents;
};

void change_source(Cluster& cluster, std::size_t files) {
  for (std::size_t i = 0; i < files; ++i) {
    const std::string path = "data/" + std::to_string(cluster.random.below(8)) + "/" +
                             std::to_string(cluster.random.below(40));
    if (cluster.random.below(8) == 0 && cluster.source.contents().contains(path)) {
      cluster.source.remove(path);
      continue;
    }
    Bytes content(cluster.random.below(24'000));
    cluster.random.fill(content);
    cluster.source.put(path, std::move(content));
  }
}

std::vector<std::size_t> all_nodes(const Cluster& cluster) {
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < cluster.nodes.size(); ++i) all.push_back(i);
  return all;
}

void expect_restorable(Cluster& cluster, const Acknowledged& snapshot, std::uint32_t least) {
  std::uint32_t holders = 0;
  for (std::size_t i = 0; i < cluster.nodes.size(); ++i) {
    if (!cluster.holds(i, snapshot.manifest.id)) continue;
    ++holders;
    const auto contents = cluster.read(snapshot.manifest, {i});
    ASSERT_TRUE(contents) << cluster.nodes[i]->name() << ": " << contents.error().message();
    EXPECT_EQ(*contents, snapshot.contents) << cluster.nodes[i]->name();
  }
  EXPECT_GE(holders, least);
}

TEST(Cluster, BackupReachesAllNodesAndRestoresFromEach) {
  Cluster cluster(seed(), 3, 2);
  change_source(cluster, 60);
  const auto report = cluster.back_up();
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->committed, 3U);
  expect_restorable(cluster, {*report->manifest, cluster.source.contents()}, 3);
}

TEST(Cluster, UnchangedFilesAreNotOpenedAgain) {
  Cluster cluster(seed(), 3, 2);
  change_source(cluster, 60);
  ASSERT_TRUE(cluster.back_up());
  const std::uint64_t opened = cluster.source.opened();
  cluster.source.put("data/new", to_bytes("new"));
  const auto report = cluster.back_up();
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_TRUE(report->had_parent);
  EXPECT_EQ(cluster.source.opened(), opened + 1);
  expect_restorable(cluster, {*report->manifest, cluster.source.contents()}, 3);
}

TEST(Cluster, HugeFileIsStoredAsListsOfChunks) {
  Cluster cluster(seed(), 2, 1);
  Bytes content(8 << 20);
  cluster.random.fill(content);
  cluster.source.put("disk.img", std::move(content));
  const auto report = cluster.back_up();
  ASSERT_TRUE(report) << report.error().message();
  expect_restorable(cluster, {*report->manifest, cluster.source.contents()}, 2);
}

// The whole of a large file was read while nodes took nothing, and kept until they did.
TEST(Cluster, LargeFileIsNotReadFurtherThanTheBudgetWhileNodesTakeNothing) {
  constexpr std::size_t kSize = 96 << 20;
  constexpr std::uint64_t kFirst = 8 << 20;
  const std::uint64_t most =
      kFirst + agent::PipelineLimits().budget_bytes + 4 * agent::PipelineLimits().large_piece_bytes;
  ASSERT_LT(most, kSize);
  Cluster cluster(seed(), 2, 2);
  Bytes content(kSize);
  cluster.random.fill(content);
  cluster.source.put("disk.img", std::move(content));
  std::optional<Instant> cut_at;
  bool mended = false;
  const auto report = cluster.back_up([&] {
    if (!cut_at && cluster.source.bytes_read() > kFirst) {
      cut_at = cluster.loop.now();
      for (const auto& node : cluster.nodes) cluster.network.cut(node->name(), "");
    }
    if (!cut_at || mended) return;
    EXPECT_LE(cluster.source.bytes_read(), most);
    if (cluster.loop.now() - *cut_at < std::chrono::seconds(5)) return;
    mended = true;
    cluster.network.heal();
  });
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_TRUE(mended);
  EXPECT_EQ(report->committed, 2U);
}

// Each file held its piece of the budget until a frame was full, which their few new chunks never
// made one: nothing was read any more, and nothing sent.
TEST(Cluster, ManyLargeFilesOfWhichLittleHasChangedKeptABackupFromEnding) {
  // Eight take all the room themselves, of twelve others wait behind them.
  for (const int files : {8, 12}) {
    Cluster cluster(seed(), 2, 2);
    for (int i = 0; i < files; ++i) {
      Bytes content((1 << 20) + 1000);
      cluster.random.fill(content);
      cluster.source.put("vm/" + std::to_string(i), std::move(content));
    }
    ASSERT_TRUE(cluster.back_up());
    for (int i = 0; i < files; ++i) {
      const std::string path = "vm/" + std::to_string(i);
      Bytes content = cluster.source.contents().at(path);
      content[content.size() / 2] ^= 1;
      cluster.source.put(path, std::move(content));
    }
    const auto report = cluster.back_up();
    ASSERT_TRUE(report) << report.error().message();
    expect_restorable(cluster, {*report->manifest, cluster.source.contents()}, 2);
  }
}

TEST(Cluster, ALimitSlowerThanEveryPatienceMakesNoNodeSlowOrDown) {
  constexpr std::size_t kSize = 6 << 20;
  Cluster cluster(seed(), 3, 2);
  Bytes content(kSize);
  cluster.random.fill(content);
  cluster.source.put("disk.img", std::move(content));
  // A frame of a mebibyte every 20 seconds, a minute between those of one node.
  cluster.upload_bytes_per_s = 50'000;
  const Instant began = cluster.loop.now();
  const auto report = cluster.back_up();
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->committed, 3U);
  std::uint64_t sent = 0;
  for (const auto& node : report->nodes) {
    EXPECT_FALSE(node.caught_up) << node.name;
    sent += node.sent_bytes;
  }
  EXPECT_GE(sent, 3 * kSize);
  const double took = std::chrono::duration<double>(cluster.loop.now() - began).count();
  EXPECT_GE(took, static_cast<double>(sent - (2 << 20)) / 50'000);
  EXPECT_LE(took, static_cast<double>(sent) / 50'000 + 10);
  expect_restorable(cluster, {*report->manifest, cluster.source.contents()}, 3);
}

TEST(Cluster, NodeThatIsDownLeavesAQuorumAndIsCaughtUpByTheNextBackup) {
  Cluster cluster(seed(), 3, 2);
  change_source(cluster, 60);
  cluster.nodes[2]->crash(simulation::CrashKeeps::kNothing);
  const auto first = cluster.back_up();
  ASSERT_TRUE(first) << first.error().message();
  EXPECT_EQ(first->committed, 2U);
  const Acknowledged snapshot{*first->manifest, cluster.source.contents()};

  cluster.nodes[2]->start();
  const std::uint64_t opened = cluster.source.opened();
  const auto second = cluster.back_up();
  ASSERT_TRUE(second) << second.error().message();
  EXPECT_EQ(second->committed, 3U);
  EXPECT_GT(cluster.source.opened(), opened);
  // The snapshot that it missed is complete there now, too: the tree did not change.
  expect_restorable(cluster, snapshot, 3);
}

TEST(Cluster, MissedSnapshotIsCompletedAlthoughAFolderAboveChangedSince) {
  Cluster cluster(seed(), 3, 2);
  change_source(cluster, 60);
  cluster.nodes[2]->crash(simulation::CrashKeeps::kNothing);
  const auto first = cluster.back_up();
  ASSERT_TRUE(first) << first.error().message();
  const Acknowledged snapshot{*first->manifest, cluster.source.contents()};
  cluster.nodes[2]->start();
  cluster.source.touch_folder("data");
  const auto second = cluster.back_up();
  ASSERT_TRUE(second) << second.error().message();
  EXPECT_EQ(second->committed, 3U);
  EXPECT_NE(second->manifest->manifest.root, first->manifest->manifest.root);
  expect_restorable(cluster, snapshot, 3);
}

TEST(Cluster, FewerThanTheQuorumFailsAndLeavesNothingVisible) {
  Cluster cluster(seed(), 3, 2);
  change_source(cluster, 20);
  cluster.nodes[0]->crash(simulation::CrashKeeps::kNothing);
  cluster.nodes[1]->crash(simulation::CrashKeeps::kNothing);
  const auto report = cluster.back_up();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), Code::kUnavailable);
  cluster.nodes[0]->start();
  cluster.nodes[1]->start();
  const auto next = cluster.back_up();
  ASSERT_TRUE(next) << next.error().message();
  EXPECT_EQ(next->manifest->manifest.sequence, 1U);
}

TEST(Cluster, DamagedNodeIsHealedByTheNextBackup) {
  Cluster cluster(seed(), 3, 2);
  change_source(cluster, 60);
  const auto first = cluster.back_up();
  ASSERT_TRUE(first) << first.error().message();
  const Acknowledged snapshot{*first->manifest, cluster.source.contents()};
  auto& node = *cluster.nodes[1];
  const std::string segment = node.a_segment(cluster.repository);
  for (std::uint64_t part = 2; part < 9; part += 2)
    node.disk().flip_bit(segment, node.disk().size_of(segment) * part / 10, 3);
  // Reading from it alone finds the damage; reading from all of them gives what was stored.
  const auto alone = cluster.read(snapshot.manifest, {1});
  EXPECT_FALSE(alone && *alone == snapshot.contents);
  const auto together = cluster.read(snapshot.manifest, all_nodes(cluster));
  ASSERT_TRUE(together) << together.error().message();
  EXPECT_EQ(*together, snapshot.contents);
  EXPECT_FALSE(cluster.holds(1, snapshot.manifest.id));

  const auto second = cluster.back_up();
  ASSERT_TRUE(second) << second.error().message();
  EXPECT_EQ(second->committed, 3U);
  expect_restorable(cluster, snapshot, 3);
}

TEST(Cluster, NodeRolledBackToAnOldImageIsNoticedAndCompletedByTheNextBackup) {
  Cluster cluster(seed(), 3, 2);
  change_source(cluster, 30);
  ASSERT_TRUE(cluster.back_up());
  ClusterNode& node = *cluster.nodes[1];
  const ClusterNode::Image image = node.image();
  change_source(cluster, 30);
  const auto second = cluster.back_up();
  ASSERT_TRUE(second) << second.error().message();
  const Acknowledged snapshot{*second->manifest, cluster.source.contents()};

  for (const bool index_is_of_now : {false, true}) {
    node.crash(simulation::CrashKeeps::kNothing);
    node.restore(image, !index_is_of_now);
    ASSERT_TRUE(node.start());
    EXPECT_FALSE(cluster.holds(1, snapshot.manifest.id));
    // What it does not list and others do is said to whoever lists.
    ClusterAgent& owner = *cluster.agents.front();
    const ListingRun listing(cluster.ports(owner), cluster.dialer(owner), cluster.charter(),
                             owner.reader);
    ASSERT_TRUE(cluster.finish(listing));
    ASSERT_EQ(listing.list().snapshots.size(), index_is_of_now ? 3U : 2U);
    EXPECT_EQ(listing.list().snapshots[1].copies.size(), 2U);

    const auto next = cluster.back_up();
    ASSERT_TRUE(next) << next.error().message();
    EXPECT_EQ(next->committed, 3U);
    expect_restorable(cluster, snapshot, 3);
  }
}

TEST(Cluster, EmptiedNodeIsFilledByTheNextBackupOnceItHasTheCharter) {
  Cluster cluster(seed(), 3, 2);
  change_source(cluster, 30);
  ASSERT_TRUE(cluster.back_up());
  ClusterNode& node = *cluster.nodes[2];
  node.crash(simulation::CrashKeeps::kNothing);
  node.lose_disk();
  ASSERT_TRUE(node.start());
  const auto without = cluster.back_up();
  ASSERT_TRUE(without) << without.error().message();
  EXPECT_EQ(without->committed, 2U);

  const auto charters = cluster.begin_charters();
  ASSERT_TRUE(cluster.finish(*charters));
  EXPECT_EQ(charters->up_to_date(), 3U);
  const auto with = cluster.back_up();
  ASSERT_TRUE(with) << with.error().message();
  EXPECT_EQ(with->committed, 3U);
  expect_restorable(cluster, {*with->manifest, cluster.source.contents()}, 3);
}

TEST(Cluster, NodeThatDropsWhatItAcknowledgesCannotTakeASnapshotFromTheOthers) {
  Cluster cluster(seed(), 3, 3);
  cluster.nodes[0]->set_lies(make_lies(Lie::kDropsWhatItAcknowledges, cluster.random));
  change_source(cluster, 30);
  const auto report = cluster.back_up();
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_FALSE(cluster.holds(0, report->manifest->id));
  const auto contents = cluster.read(*report->manifest, all_nodes(cluster));
  ASSERT_TRUE(contents) << contents.error().message();
  EXPECT_EQ(*contents, cluster.source.contents());
}

TEST(Cluster, NodeThatDamagesFramesNeverGetsWrongBytesRestored) {
  Cluster cluster(seed(), 3, 2);
  change_source(cluster, 30);
  const auto report = cluster.back_up();
  ASSERT_TRUE(report) << report.error().message();
  cluster.nodes[0]->set_lies(make_lies(Lie::kDamagesFrames, cluster.random));
  cluster.nodes[1]->set_lies(make_lies(Lie::kGarbage, cluster.random));
  const auto contents = cluster.read(*report->manifest, all_nodes(cluster));
  ASSERT_TRUE(contents) << contents.error().message();
  EXPECT_EQ(*contents, cluster.source.contents());
}

TEST(Cluster, AgentThatLostItsCatalogGoesOnInItsSequence) {
  Cluster cluster(seed(), 3, 2);
  change_source(cluster, 30);
  ASSERT_TRUE(cluster.back_up());
  cluster.agents.front()->disk.restore(nullptr);
  change_source(cluster, 5);
  const auto report = cluster.back_up();
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_FALSE(report->had_parent);
  EXPECT_EQ(report->manifest->manifest.sequence, 2U);
  EXPECT_EQ(report->committed, 3U);
}

// W is a number of copies, not a vote: with W = 1 an agent that lost its catalog and reaches just
// the node that missed its last snapshot takes that one's number again.
TEST(Cluster, AgentWhoseNodesHaveTwoSnapshotsOfOneNumberReachesBothAgain) {
  Cluster cluster(seed(), 2, 1);
  std::vector<Acknowledged> forks;
  for (const std::size_t down : {1, 0}) {
    cluster.nodes[down]->crash(simulation::CrashKeeps::kNothing);
    change_source(cluster, 10);
    const auto report = cluster.back_up();
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(report->manifest->manifest.sequence, 1U);
    forks.push_back({*report->manifest, cluster.source.contents()});
    cluster.agents.front()->disk.restore(nullptr);
    ASSERT_TRUE(cluster.nodes[down]->start());
  }
  const auto joined = cluster.back_up();
  ASSERT_TRUE(joined) << joined.error().message();
  EXPECT_EQ(joined->committed, 2U);
  expect_restorable(cluster, {*joined->manifest, cluster.source.contents()}, 2);
  for (const Acknowledged& fork : forks) expect_restorable(cluster, fork, 1);
  const auto next = cluster.back_up();
  ASSERT_TRUE(next) << next.error().message();
  EXPECT_EQ(next->committed, 2U);
}

// Keeps the frames that go to one node.
class FrameKeeper final : public NetworkWatcher {
 public:
  FrameKeeper(Cluster& cluster, std::string node) : cluster_(cluster), node_(std::move(node)) {
    cluster_.network.watch(this);
  }
  ~FrameKeeper() override { cluster_.network.watch(nullptr); }
  void on_request(const std::string& node, const Peer&, const Message& message) override {
    if (node == node_ && !message.body.empty()) frames_.push_back(message);
  }
  void on_arrival(const std::string&, const Peer&) override {}
  void on_reply(const std::string&, const Peer&, const Message&) override {}
  const std::vector<Message>& frames() const { return frames_; }

 private:
  Cluster& cluster_;
  const std::string node_;
  std::vector<Message> frames_;
};

TEST(Cluster, CommitOfAHealedSnapshotWasAcknowledgedBeforeItsBytesWereSynced) {
  Cluster cluster(seed(), 1, 1);
  ClusterNode& node = *cluster.nodes[0];
  change_source(cluster, 30);
  const FrameKeeper keeper(cluster, node.name());
  const auto report = cluster.back_up();
  ASSERT_TRUE(report) << report.error().message();
  const std::string segment = node.segments(cluster.repository).front();
  for (std::uint64_t part = 2; part < 9; ++part)
    node.disk().flip_bit(segment, node.disk().size_of(segment) * part / 10, 3);
  ASSERT_FALSE(cluster.read(*report->manifest, {0}));
  ASSERT_FALSE(cluster.holds(0, report->manifest->id));

  // The frames come again, and with them all that the snapshot needs; nothing syncs them.
  for (const Message& frame : keeper.frames()) ASSERT_TRUE(node.ask(frame));
  ASSERT_TRUE(cluster.holds(0, report->manifest->id));
  wire::RequestProto commit;
  commit.set_id(77);
  commit.set_repository(cluster.repository.str());
  commit.mutable_commit()->set_manifest(to_string(report->manifest->bytes));
  const bool acknowledged = node.ask(wire::encode(commit)).has_value();
  node.crash(simulation::CrashKeeps::kNothing);
  ASSERT_TRUE(node.start());
  EXPECT_TRUE(!acknowledged || cluster.holds(0, report->manifest->id));
}

class ClusterUnderFaults : public ::testing::TestWithParam<std::uint64_t> {};

// Messages are lost, repeated and reordered; nodes crash and lose what they had not synced.
void run_with_faults(Cluster& cluster, std::vector<Acknowledged>& acknowledged) {
  cluster.network.set_faults({20, 20, 100});
  for (int round = 0; round < 4; ++round) {
    change_source(cluster, 25);
    const auto contents = cluster.source.contents();
    const auto report = cluster.back_up([&] {
      ClusterNode& node = *cluster.nodes[cluster.random.below(cluster.nodes.size())];
      if (node.running()) {
        if (cluster.random.below(250) == 0)
          node.crash(static_cast<simulation::CrashKeeps>(cluster.random.below(3)));
      } else if (cluster.random.below(60) == 0) {
        node.start();
      }
    });
    if (report) acknowledged.push_back({*report->manifest, contents});
  }
  cluster.network.set_faults({});
  for (const auto& node : cluster.nodes) {
    if (node->running()) node->crash(simulation::CrashKeeps::kNothing);
    node->start();
  }
}

TEST_P(ClusterUnderFaults, NothingAcknowledgedIsLostAndAllNodesBecomeWhole) {
  const std::uint64_t drawn = seed() + GetParam();
  SCOPED_TRACE("seed " + std::to_string(drawn));
  Cluster cluster(drawn, 3, 2);
  std::vector<Acknowledged> acknowledged;
  run_with_faults(cluster, acknowledged);
  for (const Acknowledged& snapshot : acknowledged) expect_restorable(cluster, snapshot, 2);
  const auto last = cluster.back_up();
  ASSERT_TRUE(last) << last.error().message();
  EXPECT_EQ(last->committed, 3U);
  expect_restorable(cluster, {*last->manifest, cluster.source.contents()}, 3);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ClusterUnderFaults, ::testing::Range<std::uint64_t>(0, 12));

TEST(Cluster, SameSeedGivesTheSameRun) {
  std::uint64_t traces[2];
  for (std::uint64_t& trace : traces) {
    Cluster cluster(seed(), 3, 2);
    std::vector<Acknowledged> acknowledged;
    run_with_faults(cluster, acknowledged);
    trace = cluster.loop.trace();
  }
  EXPECT_EQ(traces[0], traces[1]);
}

}  // namespace
}  // namespace holdfast::testing
