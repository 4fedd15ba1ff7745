// What a single node that lies must not bring about while another one is honest. Each of these was
// once so.
#include "tests/simulation/lying_node.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/simulation/cluster.h"
#include "tests/testing/seed.h"

namespace holdfast::testing {
namespace {

// Changes what the node answers as a test says.
class Lies final : public NodeLies {
 public:
  using Alter = std::function<void(wire::ReplyProto&)>;
  explicit Lies(Alter change) : change_(std::move(change)) {}
  bool swallows(const Message&, const std::function<void(Message)>&) override { return false; }
  void alter(Message& reply) override {
    auto decoded = wire::decode_reply(reply.head);
    check(decoded.has_value(), "a node sent what is no reply");
    change_(*decoded);
    reply = wire::encode(*decoded, reply.body);
  }

 private:
  Alter change_;
};

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
    cluster.nodes[0]->set_lies(std::make_unique<Lies>([&](wire::ReplyProto& reply) {
      if (!reply.has_head()) return;
      reply.mutable_head()->set_sequence(sequence);
      reply.mutable_head()->set_manifest_id(id);
      reply.mutable_head()->set_complete(true);
    }));
    expect_backup(cluster, "first", 1);
    expect_backup(cluster, "second", 2);
  }
}

TEST(LyingNode, AListThatNeverEndsKeptABackupFromEnding) {
  Cluster cluster(seed(), 2, 1);
  expect_backup(cluster, "first", 1);
  std::optional<wire::ListManifestsReply> page;
  cluster.nodes[0]->set_lies(std::make_unique<Lies>([&](wire::ReplyProto& reply) {
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
