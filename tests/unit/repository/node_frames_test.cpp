// What a node takes from an agent, and what it does not let itself be told.
#include "tests/unit/repository/node_fixture.h"

namespace holdfast::repository {
namespace {

class NodeFrames : public NodeTest {
 protected:
  NodeFrames() { create_repository(); }
  SharedBytes altered(const SharedBytes& frame, std::size_t at) {
    Buffer copy = Buffer::copy_of(frame.view());
    copy.data()[at] ^= 1;
    return SharedBytes(std::move(copy));
  }
  Peer writer = connect(repository.writer);
};

TEST_F(NodeFrames, AFrameIsStoredOnceHoweverOftenItComes) {
  const TestObject object = repository.data("content");
  const SharedBytes frame = repository.frame(repository.writer, {object});
  wire::RequestProto proto = request();
  proto.mutable_put_frame();
  EXPECT_FALSE(present(object.id));
  EXPECT_EQ(ask(writer, proto, frame).put_frame().new_objects(), 1U);
  EXPECT_TRUE(present(object.id));
  const wire::ReplyProto again = ask(writer, proto, frame);
  EXPECT_EQ(outcome_of(again), "ok");
  EXPECT_EQ(again.put_frame().new_objects(), 0U);
}

TEST_F(NodeFrames, EveryAlteredByteIsNoticed) {
  const TestObject object = repository.data("content");
  const SharedBytes frame = repository.frame(repository.writer, {object});
  for (std::size_t at = 0; at < frame.size(); ++at)
    EXPECT_NE(put(writer, altered(frame, at)), "ok") << "byte " << at << " of " << frame.size();
  EXPECT_FALSE(present(object.id));
}

TEST_F(NodeFrames, ATruncatedOrMissingFrameIsRefused) {
  const SharedBytes frame = repository.frame(repository.writer, {repository.data("content")});
  for (std::size_t size = 0; size < frame.size(); ++size)
    EXPECT_NE(put(writer, frame.slice(0, size)), "ok") << size;
}

TEST_F(NodeFrames, ASignatureOfAnotherAgentIsForged) {
  // The charter's keys are right; the agent signs with another one but claims to be the writer.
  const SharedBytes frame = repository.frame(repository.writer, {repository.data("content")});
  // The checksum leaves the signature out, so an altered signature is found by itself.
  EXPECT_EQ(put(writer, altered(frame, frame.size() - 1)), "forged");
}

TEST_F(NodeFrames, AFrameForAnotherRepositoryIsRefused) {
  EnrolledRepository other(random);
  const SharedBytes frame = other.frame(repository.writer, {other.data("content")});
  EXPECT_EQ(put(writer, frame), "forged");
}

TEST_F(NodeFrames, FramesOfAgentsThatMayNotAppendAreRefusedWhoeverBringsThem) {
  TestAgent stranger(random, "stranger", format::kAppend);
  for (const TestAgent* agent :
       {&repository.reader, &repository.powerless, &repository.revoked, &stranger}) {
    const SharedBytes frame = repository.frame(*agent, {repository.data("by " + agent->name)});
    EXPECT_EQ(put(embedder, frame), "permission_denied") << agent->name;
  }
}

TEST_F(NodeFrames, WhoMayOnlyAppendBringsItsOwnFramesAndAReaderEverybodys) {
  const SharedBytes frame = repository.frame(repository.other_writer, {repository.data("content")});
  EXPECT_EQ(put(writer, frame), "permission_denied");
  EXPECT_EQ(put(connect(repository.owner), frame), "ok");
}

TEST_F(NodeFrames, AListWithoutWhatItRefersToIsRefusedAndNamesIt) {
  const TestObject here = repository.data("here");
  const TestObject absent = repository.data("absent");
  ASSERT_EQ(put(writer, repository.frame(repository.writer, {here})), "ok");
  const TestObject root = repository.list({here.id, absent.id}, "root");
  wire::RequestProto proto = request();
  proto.mutable_put_frame();
  const auto reply = ask(writer, proto, repository.frame(repository.writer, {root}));
  EXPECT_EQ(outcome_of(reply), "missing_objects");
  EXPECT_EQ(reply.error().missing(), absent.id.str());
  EXPECT_FALSE(present(root.id));
}

TEST_F(NodeFrames, NoMoreMissingIdsAreNamedThanAnErrorMayHave) {
  std::vector<ObjectId> absent;
  for (std::size_t i = 0; i < wire::kMaxMissingPerError + 10; ++i)
    absent.push_back(repository.data(std::to_string(i)).id);
  wire::RequestProto proto = request();
  proto.mutable_put_frame();
  const auto reply =
      ask(writer, proto, repository.frame(repository.writer, {repository.list(absent, "root")}));
  EXPECT_EQ(outcome_of(reply), "missing_objects");
  EXPECT_EQ(reply.error().missing().size(), wire::kMaxMissingPerError * ObjectId::kSize);
}

TEST_F(NodeFrames, ALargeUnsyncedTailIsSyncedWithoutACommit) {
  options.limits.unsynced_bytes = 1;
  restart();
  wire::RequestProto proto = request();
  proto.mutable_put_frame();
  const auto id =
      send(writer, proto, repository.frame(repository.writer, {repository.data("content")}));
  EXPECT_TRUE(answered(id));  // the sync holds nobody up
  EXPECT_EQ(executor.waiting(), 1U);
}

TEST_F(NodeFrames, GarbageIsAnsweredWhereItHasAnIdAndEndsTheConnectionWhereNot) {
  Message garbage;
  garbage.head = to_bytes("\xff\xff\xff\xff\xff");
  node->on_message(writer, garbage);
  ASSERT_EQ(responder.disconnected.size(), 1U);
  EXPECT_EQ(responder.disconnected[0], writer);

  wire::RequestProto proto;
  proto.set_id(77'000'000);
  garbage.head = to_bytes(proto.SerializeAsString() + "\xff\xff");
  node->on_message(writer, garbage);
  EXPECT_EQ(responder.disconnected.size(), 1U);
  EXPECT_EQ(outcome_of(reply_to(77'000'000)), "protocol");
}

TEST_F(NodeFrames, RandomHeadsNeverDoMoreThanFail) {
  for (int i = 0; i < 2'000; ++i) {
    Message message;
    message.head.resize(random.below(200));
    random.fill(message.head);
    node->on_message(connect(repository.owner), std::move(message));
    run();
    responder.replies.clear();
  }
}

TEST_F(NodeFrames, MalformedFieldsAreProtocolErrors) {
  wire::RequestProto proto = request();
  proto.set_repository("short");
  proto.mutable_ping();
  EXPECT_EQ(outcome_of(ask(embedder, proto)), "protocol");
  proto = request();
  proto.mutable_present()->set_ids("not a whole id");
  EXPECT_EQ(outcome_of(ask(embedder, proto)), "protocol");
  proto.mutable_present()->set_ids(
      std::string((wire::kMaxIdsPerRequest + 1) * ObjectId::kSize, 'x'));
  EXPECT_EQ(outcome_of(ask(embedder, proto)), "protocol");
  proto = request();
  proto.mutable_get_frame()->set_id("short");
  EXPECT_EQ(outcome_of(ask(embedder, proto)), "protocol");
  proto.mutable_report_damage()->set_id("short");
  EXPECT_EQ(outcome_of(ask(embedder, proto)), "protocol");
  proto.mutable_locate()->set_ids("not a whole id");
  EXPECT_EQ(outcome_of(ask(embedder, proto)), "protocol");
  proto.mutable_prepare()->set_root("short");
  EXPECT_EQ(outcome_of(ask(embedder, proto)), "protocol");
  proto.mutable_head()->set_agent("short");
  EXPECT_EQ(outcome_of(ask(embedder, proto)), "protocol");
  proto = request();
  proto.mutable_hello();
  EXPECT_EQ(outcome_of(ask(embedder, proto)), "protocol");  // no version
  proto = request();
  proto.mutable_ping();
  EXPECT_EQ(outcome_of(ask(embedder, proto, SharedBytes(Buffer(10)))), "protocol");  // a body
  EXPECT_EQ(outcome_of(ask(embedder, request())), "unsupported_version");
}

}  // namespace
}  // namespace holdfast::repository
