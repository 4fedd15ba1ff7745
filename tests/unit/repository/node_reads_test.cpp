// What a restore asks of a node, damage, and verification.
#include <fstream>

#include "tests/unit/repository/node_fixture.h"

namespace holdfast::repository {
namespace {

class NodeReads : public NodeTest {
 protected:
  NodeReads() { create_repository(); }
  wire::LocateReply locate(std::span<const ObjectId> ids) {
    wire::RequestProto proto = request();
    proto.mutable_locate()->set_ids(wire::join_ids(ids));
    const auto reply = ask(reader, proto);
    EXPECT_EQ(outcome_of(reply), "ok");
    return reply.locate();
  }
  std::uint64_t get_frame(const ObjectId& id) {
    wire::RequestProto proto = request();
    proto.mutable_get_frame()->set_id(id.str());
    return send(reader, proto);
  }
  wire::VerifyReply verify(const Peer& peer, std::uint64_t run) {
    wire::RequestProto proto = request();
    proto.mutable_verify()->set_run(run);
    proto.mutable_verify()->set_depth(2);
    proto.mutable_verify()->set_fraction(1);
    const auto reply = ask(peer, proto);
    EXPECT_EQ(outcome_of(reply), "ok") << reply.error().message();
    return reply.verify();
  }
  // Asks until the run is done.
  wire::VerifyReply verify_all(std::uint64_t run) {
    for (int i = 0; i < 1'000; ++i)
      if (auto reply = verify(reader, run); reply.done()) return reply;
    ADD_FAILURE() << "the run does not end";
    return {};
  }
  // Flips a bit of a frame where it lies on the disk.
  void damage(const SharedBytes& frame) {
    int hits = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(files.root())) {
      if (!entry.is_regular_file()) continue;
      std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
      std::string content(std::istreambuf_iterator<char>(file), {});
      const auto at = content.find(as_text(frame.view()));
      if (at == std::string::npos) continue;
      const auto byte = at + frame.size() / 2;
      file.clear();
      file.seekp(static_cast<std::streamoff>(byte));
      file.put(static_cast<char>(content[byte] ^ 1));
      ++hits;
    }
    ASSERT_EQ(hits, 1);
  }
  const Peer reader = connect(repository.reader);
  const Peer writer = connect(repository.writer);
};

TEST_F(NodeReads, ObjectsAreLocatedByFrameInDiskOrder) {
  const TestObject a = repository.data("a"), b = repository.data("b"), c = repository.data("c");
  const SharedBytes first = repository.frame(repository.writer, {a, b});
  const SharedBytes second = repository.frame(repository.writer, {c});
  ASSERT_EQ(put(writer, first), "ok");
  ASSERT_EQ(put(writer, second), "ok");
  const ObjectId absent = repository.data("absent").id;
  const auto reply = locate(std::vector{c.id, absent, b.id, a.id, c.id});
  const std::vector<std::uint32_t> frames(reply.frame().begin(), reply.frame().end());
  EXPECT_EQ(frames, (std::vector<std::uint32_t>{2, 0, 1, 1, 2}));
  ASSERT_EQ(reply.frame_length_size(), 2);
  EXPECT_EQ(reply.frame_length(0), first.size());
  EXPECT_EQ(reply.frame_length(1), second.size());
}

TEST_F(NodeReads, AFrameComesBackAsItWasPut) {
  const TestObject object = repository.data("content");
  const SharedBytes frame = repository.frame(repository.writer, {object});
  ASSERT_EQ(put(writer, frame), "ok");
  const auto id = get_frame(object.id);
  EXPECT_EQ(outcome_of(reply_to(id)), "ok");
  EXPECT_EQ(as_text(responder.replies.at(id).body.view()), as_text(frame.view()));
  EXPECT_EQ(outcome_of(reply_to(get_frame(repository.data("absent").id))), "not_found");
}

TEST_F(NodeReads, ADamagedFrameIsSaidToBeSoAndIsNotPresentFromThenOn) {
  const TestObject leaf = repository.data("content that will rot");
  const TestObject root = repository.list({leaf.id}, "root");
  const SharedBytes frame = repository.frame(repository.writer, {leaf});
  ASSERT_EQ(put(writer, frame), "ok");
  ASSERT_EQ(put(writer, repository.frame(repository.writer, {root})), "ok");
  ASSERT_EQ(commit(writer, repository.manifest(repository.writer, root.id)), "ok");
  damage(frame);
  EXPECT_EQ(outcome_of(reply_to(get_frame(leaf.id))), "corrupt");
  EXPECT_FALSE(present(leaf.id));
  EXPECT_FALSE(present(root.id));
  EXPECT_EQ(locate(std::span(&leaf.id, 1)).frame(0), 0U);
  EXPECT_FALSE(log.errors.empty());

  wire::RequestProto list = request(), status = request();
  list.mutable_list_manifests();
  status.mutable_status();
  EXPECT_FALSE(ask(reader, list).list_manifests().manifests(0).complete());
  EXPECT_EQ(ask(reader, status).status().snapshots(), 1U);
  EXPECT_EQ(ask(reader, status).status().complete_snapshots(), 0U);
  EXPECT_EQ(ask(reader, status).status().damaged_objects(), 1U);

  // The next backup that has the content heals it.
  ASSERT_EQ(put(writer, repository.frame(repository.writer, {leaf})), "ok");
  EXPECT_TRUE(present(root.id));
  EXPECT_EQ(ask(reader, status).status().complete_snapshots(), 1U);
}

TEST_F(NodeReads, AReportOfDamageIsCheckedBeforeItIsBelieved) {
  const TestObject object = repository.data("content");
  const SharedBytes frame = repository.frame(repository.writer, {object});
  ASSERT_EQ(put(writer, frame), "ok");
  wire::RequestProto report = request();
  report.mutable_report_damage()->set_id(object.id.str());
  EXPECT_FALSE(ask(reader, report).report_damage().damaged());
  EXPECT_TRUE(present(object.id));
  damage(frame);
  EXPECT_TRUE(ask(reader, report).report_damage().damaged());
  EXPECT_FALSE(present(object.id));
}

TEST_F(NodeReads, AVerificationFindsWhatIsDamagedAndSaysItAgain) {
  const TestObject good = repository.data("good"), bad = repository.data("bad");
  const SharedBytes frame = repository.frame(repository.writer, {bad});
  ASSERT_EQ(put(writer, repository.frame(repository.writer, {good})), "ok");
  ASSERT_EQ(put(writer, frame), "ok");
  EXPECT_EQ(verify_all(1).damaged(), "");
  EXPECT_EQ(verify_all(1).frames(), 2U);
  damage(frame);
  EXPECT_EQ(verify_all(1).damaged(), "");  // that run is over
  const auto found = verify_all(2);
  EXPECT_EQ(found.damaged(), bad.id.str());
  EXPECT_EQ(found.problems_size(), 1);
  EXPECT_GE(found.step(), 1U);
  const auto again = verify_all(2);
  EXPECT_EQ(again.damaged(), found.damaged());
  EXPECT_EQ(again.step(), found.step());
}

TEST_F(NodeReads, ARunIsAskedAboutWithTheDepthItBeganWith) {
  wire::RequestProto proto = request();
  proto.mutable_verify()->set_run(1);
  proto.mutable_verify()->set_fraction(1);
  EXPECT_EQ(outcome_of(ask(reader, proto)), "ok");
  proto.mutable_verify()->set_depth(1);
  EXPECT_EQ(outcome_of(ask(reader, proto)), "invalid_argument");
  proto.mutable_verify()->set_depth(0);
  proto.mutable_verify()->set_fraction(0.5);
  EXPECT_EQ(outcome_of(ask(reader, proto)), "invalid_argument");
  proto.mutable_verify()->set_fraction(1);
  proto.mutable_verify()->set_seed(7);
  EXPECT_EQ(outcome_of(ask(reader, proto)), "invalid_argument");
  proto.mutable_verify()->set_seed(0);
  EXPECT_EQ(outcome_of(ask(reader, proto)), "ok");
  proto.mutable_verify()->set_run(2);
  proto.mutable_verify()->set_depth(3);
  EXPECT_EQ(outcome_of(ask(reader, proto)), "invalid_argument");
  proto.mutable_verify()->set_depth(2);
  for (const double fraction : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    proto.mutable_verify()->set_fraction(fraction);
    EXPECT_EQ(outcome_of(ask(reader, proto)), "invalid_argument") << fraction;
  }
}

TEST_F(NodeReads, ALongRunIsDoneInSlicesAndOthersWaitForTheirTurn) {
  constexpr int kFrames = 6;  // of 4 MiB: several steps of a store
  for (int i = 0; i < kFrames; ++i) {
    Bytes noise(4 << 20);
    random.fill(noise);
    ASSERT_EQ(put(writer, repository.frame(repository.writer, {repository.data(to_string(noise))})),
              "ok");
  }
  clock.pace = VerificationRuns::kSlice;  // a step takes a whole slice
  EXPECT_EQ(verify(reader, 1).step(), 1U);
  EXPECT_EQ(verify(reader, 2).step(), 0U);  // waits
  const auto second = verify(reader, 1);
  EXPECT_EQ(second.step(), 2U);
  EXPECT_FALSE(second.done());
  EXPECT_GT(second.bytes(), 0U);
  EXPECT_LT(second.bytes(), second.total_bytes());

  // Not asked about for long: the other one gets the turn, and this one begins anew afterwards.
  clock.advance(VerificationRuns::kTurn);
  EXPECT_EQ(verify(reader, 2).step(), 1U);
  EXPECT_EQ(verify(reader, 1).step(), 2U);
  EXPECT_EQ(verify_all(2).frames(), kFrames);
  EXPECT_EQ(verify(reader, 1).step(), 1U);
  EXPECT_EQ(verify_all(1).frames(), kFrames);
}

TEST_F(NodeReads, TheRunLongestNotAskedAboutIsForgotten) {
  const TestObject object = repository.data("content");
  const SharedBytes frame = repository.frame(repository.writer, {object});
  ASSERT_EQ(put(writer, frame), "ok");
  for (std::uint64_t run = 1; run <= VerificationRuns::kMaxRuns; ++run)
    EXPECT_EQ(verify_all(run).damaged(), "");
  damage(frame);
  EXPECT_EQ(verify_all(1).damaged(), "");  // kept, and now the newest
  EXPECT_EQ(verify_all(100).damaged(), object.id.str());
  EXPECT_EQ(verify_all(1).damaged(), "");
  EXPECT_NE(verify_all(2).problems_size(), 0);  // made room for 100, so begins anew
}

TEST_F(NodeReads, RunsOfDifferentReadersAreTheirOwn) {
  const TestObject object = repository.data("content");
  ASSERT_EQ(put(writer, repository.frame(repository.writer, {object})), "ok");
  EXPECT_TRUE(verify_all(1).done());
  wire::RequestProto proto = request();
  proto.mutable_verify()->set_run(1);
  proto.mutable_verify()->set_fraction(1);
  // Another depth would be refused if it were the same run.
  EXPECT_EQ(outcome_of(ask(connect(repository.owner), proto)), "ok");
}

}  // namespace
}  // namespace holdfast::repository
