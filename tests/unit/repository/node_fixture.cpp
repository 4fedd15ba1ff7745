#include "tests/unit/repository/node_fixture.h"

#include "repository/store/memory_index.h"

namespace holdfast::repository {
NodeTest::NodeTest() {
  options.id = NodeId{crypto::sha256(as_bytes("node")).bytes};
  options.embedded = true;
  shelf = std::make_unique<FolderShelf>(
      files, files.root() + "/repositories", options.id,
      [](const std::string&) -> Result<std::unique_ptr<ObjectIndex>> {
        return std::unique_ptr<ObjectIndex>(std::make_unique<MemoryIndex>());
      });
  start_node();
  embedder = connect(CurveKey{});
}

NodeTest::~NodeTest() {
  executor.forget_everything();
  node.reset();
}

void NodeTest::start_node() {
  node = std::make_unique<Node>(
      options, NodePorts{loop, executor, clock, random, responder, *shelf, invitations, log});
  const Status started = node->start();
  ASSERT_TRUE(started) << started.error().message();
  run();
}

void NodeTest::restart() {
  executor.forget_everything();
  node.reset();
  loop.forget_everything();
  start_node();
}

Peer NodeTest::connect(const CurveKey& key) { return {next_connection_++, key}; }

std::uint64_t NodeTest::send(const Peer& peer, wire::RequestProto request, SharedBytes body) {
  const std::uint64_t id = next_request_++;
  request.set_id(id);
  node->on_message(peer, wire::encode(request, std::move(body)));
  return id;
}

wire::ReplyProto NodeTest::reply_to(std::uint64_t id) const {
  const auto found = responder.replies.find(id);
  if (found != responder.replies.end()) return found->second.proto;
  ADD_FAILURE() << "request " << id << " has no answer";
  return {};
}

wire::ReplyProto NodeTest::ask(const Peer& peer, wire::RequestProto request, SharedBytes body) {
  const std::uint64_t id = send(peer, std::move(request), std::move(body));
  run();
  return reply_to(id);
}

void NodeTest::run() {
  while (loop.run_posted() || executor.run_one()) continue;
}

void NodeTest::create_repository() {
  const auto reply = ask(embedder, charter_request(repository.first_charter()));
  ASSERT_EQ(outcome_of(reply), "ok") << reply.error().message();
}

wire::RequestProto NodeTest::request() const {
  wire::RequestProto request;
  request.set_repository(repository.id().str());
  return request;
}

wire::RequestProto NodeTest::commit_request(const format::SignedManifest& manifest) const {
  wire::RequestProto proto = request();
  proto.mutable_commit()->set_manifest(to_string(manifest.bytes));
  return proto;
}

wire::RequestProto NodeTest::charter_request(const format::SignedCharter& charter) const {
  wire::RequestProto proto = request();
  proto.mutable_put_charter()->set_record(to_string(charter.record));
  return proto;
}

std::string NodeTest::put(const Peer& peer, const SharedBytes& frame) {
  wire::RequestProto proto = request();
  proto.mutable_put_frame();
  return outcome_of(ask(peer, std::move(proto), frame));
}

std::string NodeTest::commit(const Peer& peer, const format::SignedManifest& manifest) {
  return outcome_of(ask(peer, commit_request(manifest)));
}

bool NodeTest::present(const ObjectId& id) {
  wire::RequestProto proto = request();
  proto.mutable_present()->set_ids(wire::join_ids(std::span(&id, 1)));
  const auto bits = wire::decode_bitmap(ask(embedder, std::move(proto)).present().bitmap(), 1);
  EXPECT_TRUE(bits.has_value());
  return bits.has_value() && bits->front();
}

std::vector<ManifestId> NodeTest::listed(const Peer& peer) {
  wire::RequestProto proto = request();
  proto.mutable_list_manifests();
  const wire::ReplyProto reply = ask(peer, std::move(proto));
  EXPECT_EQ(outcome_of(reply), "ok");
  EXPECT_FALSE(reply.list_manifests().more());
  std::vector<ManifestId> ids;
  for (const auto& entry : reply.list_manifests().manifests()) {
    const auto manifest = format::parse_manifest(as_bytes(entry.manifest()));
    EXPECT_TRUE(manifest.has_value());
    if (manifest) ids.push_back(manifest->id);
  }
  return ids;
}

TestObject NodeTest::put_tree(const TestAgent& agent, const std::string& content) {
  const TestObject leaf = repository.data(content);
  const TestObject root = repository.list({leaf.id}, "root over " + content);
  const Peer peer = connect(agent);
  EXPECT_EQ(put(peer, repository.frame(agent, {leaf})), "ok");
  EXPECT_EQ(put(peer, repository.frame(agent, {root})), "ok");
  return root;
}

std::string outcome_of(const wire::ReplyProto& reply) {
  return reply.has_error() ? reply.error().code() : "ok";
}

}  // namespace holdfast::repository
