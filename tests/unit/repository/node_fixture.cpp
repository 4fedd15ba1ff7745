#include "tests/unit/repository/node_fixture.h"

#include <algorithm>

#include "repository/store/memory_index.h"

namespace holdfast::repository {
namespace {

Sha256 digest_of(const std::string& text) { return crypto::sha256(as_bytes(text)); }

}  // namespace

TestAgent::TestAgent(Random& random, std::string its_name, std::uint32_t its_roles)
    : name(std::move(its_name)), roles(its_roles), signing(crypto::SigningKey::generate(random)) {
  random.fill(curve);  // no handshake is made with it
}

format::CharterAgent TestAgent::entry() const {
  format::CharterAgent entry;
  entry.id = id();
  entry.name = name;
  entry.verify_key = signing.verify_key();
  entry.curve_key = curve;
  entry.roles = roles;
  entry.revoked = revoked;
  return entry;
}

EnrolledRepository::EnrolledRepository(Random& random)
    : owner(random, "owner", kAllRoles),
      writer(random, "writer", format::kAppend),
      other_writer(random, "other writer", format::kAppend),
      reader(random, "reader", format::kRead),
      admin(random, "admin", format::kAdmin),
      powerless(random, "powerless", 0),
      revoked(random, "revoked", kAllRoles),
      random_(random),
      admin_(crypto::SigningKey::generate(random)),
      id_key_(crypto::SecretKey::generate(random)),
      encryption_key_(crypto::SecretKey::generate(random)) {
  revoked.revoked = true;
}

format::SignedCharter EnrolledRepository::charter(std::uint64_t version,
                                                  std::optional<Sha256> previous) const {
  format::Charter charter;
  charter.version = version;
  charter.previous = previous;
  charter.encryption_key = crypto::public_key(encryption_key_);
  charter.nodes.push_back({NodeId{digest_of("node").bytes}, "node", {"tcp://127.0.0.1:9", {}}});
  for (const TestAgent* agent : agents()) charter.agents.push_back(agent->entry());
  return format::sign_charter(std::move(charter), as_bytes("a vault"), admin_.seed());
}

TestObject EnrolledRepository::data(std::string payload) {
  const ObjectId id =
      format::ObjectIdentifier(id_key_).identify(format::ObjectKind::kData, {}, as_bytes(payload));
  return {id, {}, std::move(payload)};
}

TestObject EnrolledRepository::list(std::vector<ObjectId> refs, std::string payload) {
  const ObjectId id = format::ObjectIdentifier(id_key_).identify(format::ObjectKind::kList, refs,
                                                                 as_bytes(payload));
  return {id, std::move(refs), std::move(payload)};
}

SharedBytes EnrolledRepository::frame(const TestAgent& agent,
                                      const std::vector<TestObject>& objects) {
  const auto run = format::begin_run(random_, id(), crypto::public_key(encryption_key_));
  format::FrameCounter counter;
  format::FrameSealer sealer(run, id(), agent.signing, counter, 1);
  const bool lists = std::any_of(objects.begin(), objects.end(),
                                 [](const TestObject& object) { return !object.refs.empty(); });
  format::FrameContent content(lists ? format::FrameRole::kMetadata : format::FrameRole::kData);
  for (const TestObject& object : objects)
    content.add(object.id, object.refs, as_bytes(object.payload));
  return sealer.seal(content);
}

format::SignedManifest EnrolledRepository::manifest(const TestAgent& agent, const ObjectId& root,
                                                    const format::SignedManifest* previous) {
  return previous == nullptr ? manifest(agent, root, 1, std::nullopt)
                             : manifest(agent, root, previous->manifest.sequence + 1, previous->id);
}

format::SignedManifest EnrolledRepository::manifest(const TestAgent& agent, const ObjectId& root,
                                                    std::uint64_t sequence,
                                                    std::optional<ManifestId> previous) {
  format::Manifest manifest;
  manifest.repository = id();
  manifest.agent = agent.id();
  manifest.sequence = sequence;
  manifest.previous = previous;
  manifest.charter_version = 1;
  manifest.root = root;
  const auto run = format::begin_run(random_, id(), crypto::public_key(encryption_key_));
  return format::sign_manifest(std::move(manifest), {}, run, agent.signing);
}

NodeTest::NodeTest() {
  options.id = NodeId{digest_of("node").bytes};
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
