// A node from start to stop: what it says of itself, running out of room, and ending.
#include "tests/unit/repository/node_fixture.h"

namespace holdfast::repository {
namespace {

class NodeLife : public NodeTest {
 protected:
  wire::HelloReply hello(const Peer& peer) {
    wire::RequestProto proto = request();
    proto.mutable_hello()->set_protocol(9);
    const auto reply = ask(peer, proto);
    EXPECT_EQ(outcome_of(reply), "ok");
    return reply.hello();
  }
};

TEST_F(NodeLife, HelloSaysWhoAnswersAndWhatTheAskerMay) {
  create_repository();
  const auto said = hello(connect(repository.writer));
  EXPECT_EQ(said.protocol(), wire::kProtocolVersion);
  EXPECT_EQ(said.node(), options.id.str());
  EXPECT_EQ(said.charter_version(), 1U);
  EXPECT_EQ(said.roles(), format::kAppend);
  EXPECT_EQ(said.window_bytes(), std::uint64_t{32} << 20);
  EXPECT_FALSE(said.read_only());
  EXPECT_EQ(hello(embedder).roles(), kAllRoles);
}

TEST_F(NodeLife, HelloBeforeThereIsARepositorySaysThatThereIsNone) {
  EXPECT_EQ(hello(embedder).charter_version(), 0U);
}

TEST_F(NodeLife, StatusCountsWhatIsThere) {
  create_repository();
  const TestObject root = put_tree(repository.writer, "content");
  ASSERT_EQ(commit(embedder, repository.manifest(repository.writer, root.id)), "ok");
  clock.advance(std::chrono::seconds(90));
  wire::RequestProto proto = request();
  proto.mutable_status();
  const auto status = ask(embedder, proto).status();
  EXPECT_EQ(status.node(), options.id.str());
  EXPECT_EQ(status.objects(), 2U);
  EXPECT_EQ(status.snapshots(), 1U);
  EXPECT_EQ(status.complete_snapshots(), 1U);
  EXPECT_EQ(status.charter_version(), 1U);
  EXPECT_EQ(status.uptime_s(), 90U);
  EXPECT_GT(status.stored_bytes(), 0U);
}

TEST_F(NodeLife, WithoutRoomItRefusesWritesWithTheReasonAndGoesOnReading) {
  create_repository();
  const TestObject root = put_tree(repository.writer, "content");
  const auto manifest = repository.manifest(repository.writer, root.id);
  ASSERT_EQ(commit(embedder, manifest), "ok");
  files.no_space = true;
  const SharedBytes more = repository.frame(repository.writer, {repository.data("more")});
  const std::string first = put(embedder, more);
  EXPECT_TRUE(first == "no_space" || first == "read_only") << first;
  const std::string second = put(embedder, more);
  EXPECT_TRUE(second == "no_space" || second == "read_only") << second;
  const auto said = hello(embedder);
  EXPECT_TRUE(said.read_only());
  EXPECT_FALSE(said.read_only_reason().empty());
  EXPECT_FALSE(log.errors.empty());
  EXPECT_EQ(listed(embedder), std::vector{manifest.id});
  wire::RequestProto get = request();
  get.mutable_get_frame()->set_id(root.id.str());
  EXPECT_EQ(outcome_of(ask(embedder, get)), "ok");
}

TEST_F(NodeLife, ItTakesWritesAgainByItselfOnceThereIsRoom) {
  create_repository();
  const SharedBytes frame = repository.frame(repository.writer, {repository.data("content")});
  files.no_space = true;
  ASSERT_NE(put(embedder, frame), "ok");
  loop.advance(std::chrono::seconds(6));
  EXPECT_TRUE(hello(embedder).read_only());
  files.no_space = false;
  loop.advance(std::chrono::seconds(6));
  EXPECT_FALSE(hello(embedder).read_only());
  EXPECT_EQ(put(embedder, frame), "ok");
  EXPECT_EQ(loop.timers(), 0U);  // nothing ticks on a node that is well
}

TEST_F(NodeLife, ARequestToWriteTriesAgainButNotMoreThanOnceASecond) {
  create_repository();
  const SharedBytes frame = repository.frame(repository.writer, {repository.data("content")});
  clock.advance(std::chrono::seconds(2));
  files.no_space = true;
  ASSERT_NE(put(embedder, frame), "ok");
  ASSERT_NE(put(embedder, frame), "ok");  // tries, in vain
  files.no_space = false;
  EXPECT_NE(put(embedder, frame), "ok");  // too soon to try again
  clock.advance(std::chrono::seconds(2));
  EXPECT_EQ(put(embedder, frame), "ok");
}

TEST_F(NodeLife, StopMakesDurableWhatIsNotAndTakesNoMoreWrites) {
  create_repository();
  const TestObject root = put_tree(repository.writer, "content");
  const auto manifest = repository.manifest(repository.writer, root.id);
  const auto id = send(embedder, commit_request(manifest));
  std::optional<Status> stopped;
  node->stop([&](const Status& result) { stopped = result; });
  EXPECT_FALSE(stopped.has_value());
  EXPECT_EQ(put(embedder, repository.frame(repository.writer, {repository.data("late")})),
            "unavailable");
  const auto next = repository.charter(2, repository.first_charter().digest);
  EXPECT_EQ(outcome_of(reply_to(send(embedder, charter_request(next)))), "unavailable");
  run();
  ASSERT_TRUE(stopped.has_value());
  EXPECT_TRUE(stopped->has_value());
  EXPECT_EQ(outcome_of(reply_to(id)), "ok");
  EXPECT_EQ(listed(embedder), std::vector{manifest.id});
}

TEST_F(NodeLife, StopOfANodeThatHasNothingToMakeDurableIsDoneAtOnceAndNotFromInside) {
  create_repository();
  std::optional<Status> stopped;
  node->stop([&](const Status& result) { stopped = result; });
  EXPECT_FALSE(stopped.has_value());
  EXPECT_EQ(executor.waiting(), 0U);
  run();
  ASSERT_TRUE(stopped.has_value());
  EXPECT_TRUE(stopped->has_value());
}

TEST_F(NodeLife, TheOutcomeOfASyncThatComesAfterTheEndIsDropped) {
  create_repository();
  const TestObject root = put_tree(repository.writer, "content");
  const auto id = send(embedder, commit_request(repository.manifest(repository.writer, root.id)));
  ASSERT_TRUE(executor.run_one());
  node.reset();
  loop.run_posted();
  EXPECT_FALSE(answered(id));
}

// The numbers that a node draws are never zero, nor twice the same in a row.
TEST_F(NodeLife, AnIncarnationIsAnotherNumberAndNotZero) {
  class Scripted final : public Random {
   public:
    explicit Scripted(std::deque<std::uint64_t> numbers) : numbers_(std::move(numbers)) {}
    void fill(MutableByteView out) override {
      check(out.size() == 8 && !numbers_.empty(), "a number that is not in the script");
      store_le(out.data(), numbers_.front());
      numbers_.pop_front();
    }

   private:
    std::deque<std::uint64_t> numbers_;
  } scripted({0, 7, 7, 0, 9});
  create_repository();
  node.reset();
  node = std::make_unique<Node>(
      options, NodePorts{loop, executor, clock, scripted, responder, *shelf, invitations, log});
  ASSERT_TRUE(node->start());
  EXPECT_EQ(node->incarnation(), 7U);
  files.syncs_fail = true;
  put_tree(repository.writer, "content");
  node->stop([](const Status&) {});
  run();
  EXPECT_EQ(node->incarnation(), 9U);
}

TEST_F(NodeLife, StopSaysThatBytesWereLost) {
  create_repository();
  put_tree(repository.writer, "content");
  files.syncs_fail = true;
  std::optional<Status> stopped;
  node->stop([&](const Status& result) { stopped = result; });
  run();
  ASSERT_TRUE(stopped.has_value());
  EXPECT_FALSE(stopped->has_value());
}

TEST_F(NodeLife, ARepositoryThatCannotBeOpenedDoesNotKeepTheOthersDown) {
  create_repository();
  const std::string broken = files.root() + "/repositories/" + std::string(64, 'a');
  ASSERT_TRUE(files.make_directory(broken));
  restart();
  EXPECT_EQ(node->repositories(), 1U);
  EXPECT_FALSE(log.errors.empty());
  wire::RequestProto proto = request();
  proto.mutable_status();
  EXPECT_EQ(outcome_of(ask(embedder, proto)), "ok");
  const RepositoryId unopened = *RepositoryId::from_hex(std::string(64, 'a'));
  EXPECT_EQ(node->figures().unopened, std::vector{unopened});
  proto.set_repository(unopened.str());
  EXPECT_NE(outcome_of(ask(embedder, proto)), "ok");
}

}  // namespace
}  // namespace holdfast::repository
