// The liar is a real node whose every answer is given to the script before it goes out: most lies
// are small changes of what is true, because anything else is refused by the first check.
#include "tests/fuzz/fuzzed_agent.h"

#include <algorithm>

#include "agent/catalog_file.h"
#include "common/base/endian.h"
#include "common/format/frame.pb.h"
#include "common/format/manifest.pb.h"
#include "common/format/signed_body.h"

namespace holdfast::fuzz {

using holdfast::testing::TestRepository;

namespace {

constexpr Duration kLatency = std::chrono::microseconds(200);
constexpr std::uint64_t kMostSteps = 200'000;  // of the loop: an hour of idle ticks takes fewer
constexpr std::size_t kMostTold = 64;          // answers that are kept to be given again
constexpr const char* kCatalog = "/catalog";
const CurveKey kAgentKey{1};

SharedBytes shared(ByteView bytes) { return SharedBytes(Buffer::copy_of(bytes)); }

Bytes text(std::size_t size, Byte first) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<Byte>(first + i % 23);
  return bytes;
}

void write_file(FileSystem& disk, const std::string& path, const Bytes& content) {
  const auto file = *disk.open(path, OpenMode::kCreateNew);
  check(file->write_at(0, {content}).has_value(), "no file");
}

// Who reads them finds the objects of the snapshot: chunks of whole files, and the catalog's lists.
std::map<ObjectId, Bytes> objects_of(const FuzzedSnapshot& snapshot, FileSystem& disk) {
  std::map<ObjectId, Bytes> objects;
  for (const auto& [path, content] : snapshot.source.contents())
    if (!content.empty())
      objects.emplace(snapshot.keys.identify(format::FrameRole::kData, {{}, content}), content);
  auto catalog = *agent::CatalogFileReader::open(disk, kCatalog);
  for (auto list = *catalog.next(); list; list = *catalog.next())
    objects.emplace(list->id, list->payload);
  return objects;
}

// Flips bits of the frame at offsets (u16, mask u8 each), and makes checksum and signature good.
SharedBytes altered_frame(const SharedBytes& frame, ByteView edits) {
  Bytes bytes(frame.view().begin(), frame.view().end());
  for (; edits.size() >= 3 && !bytes.empty(); edits = edits.subspan(3))
    bytes[load_le<std::uint16_t>(edits.data()) % bytes.size()] ^= edits[2];
  if (bytes.size() > format::kFramePreludeSize + format::kFrameSignatureSize)
    holdfast::testing::make_good(bytes, fuzzed_snapshot().keys.agent);
  return shared(bytes);
}

// role u8, length u16, that much of a header; the rest is sealed as plaintext.
SharedBytes sealed_frame(ByteView input) {
  if (input.size() < 3) return shared(input);
  const TestRepository& keys = fuzzed_snapshot().keys;
  const auto role = input[0] % 2 == 0 ? format::FrameRole::kData : format::FrameRole::kMetadata;
  const std::size_t length =
      std::min<std::size_t>(load_le<std::uint16_t>(input.data() + 1), input.size() - 3);
  format::FrameHeaderProto names;
  names.set_agent(format::agent_id(keys.agent.verify_key()).str());
  names.set_repository(keys.id.str());
  names.set_ephemeral_key(to_string(keys.run.envelope.ephemeral_key));
  names.set_key_commitment(to_string(keys.run.envelope.commitment));
  const std::string header = to_string(input.subspan(3, length)) + names.SerializeAsString();
  format::FrameHeaderProto proto;
  const bool parsed = proto.ParseFromString(header);
  return shared(holdfast::testing::forge_frame(
      keys, role, as_bytes(header), input.subspan(3 + length), parsed ? proto.number() : 1));
}

std::string signed_manifest(ByteView fields) {
  const TestRepository& keys = fuzzed_snapshot().keys;
  format::ManifestProto names;
  names.set_agent(format::agent_id(keys.agent.verify_key()).str());
  names.set_repository(keys.id.str());
  format::SignedProto proto;
  proto.set_body(to_string(fields) + names.SerializeAsString());
  proto.set_signature(to_string(
      keys.agent.sign(format::signed_message("holdfast v1 manifest", as_bytes(proto.body())))));
  return proto.SerializeAsString();
}

}  // namespace

const FuzzedSnapshot& fuzzed_snapshot() {
  static const FuzzedSnapshot snapshot;
  return snapshot;
}

FuzzedSnapshot::FuzzedSnapshot() {
  const auto admin = crypto::SecretKey::generate(keys.random);
  keys.id = format::repository_id(crypto::SigningKey(admin.clone()).verify_key());
  keys.run = format::begin_run(keys.random, keys.id, keys.public_key);
  charter.encryption_key = keys.public_key;
  charter.chunking.average = 4096;
  charter.nodes = {{NodeId{{1}}, kLiar, {kLiar, {}}}, {NodeId{{2}}, kHonest, {kHonest, {}}}};
  format::CharterAgent owner;
  owner.id = format::agent_id(keys.agent.verify_key());
  owner.name = "owner";
  owner.verify_key = keys.agent.verify_key();
  owner.curve_key = kAgentKey;
  owner.roles = repository::kAllRoles;
  charter.agents = {owner};
  const format::SignedCharter record = format::sign_charter(charter, as_bytes("a vault"), admin);
  charter = record.charter;
  writer = std::make_unique<agent::WriterKeys>(agent::WriterKeys{
      keys.id, keys.public_key, crypto::SigningKey(keys.agent.seed().clone()),
      keys.group_key.clone(),
      *content::Chunker::create(crypto::SecretKey::generate(keys.random), charter.chunking), 1});
  reader = std::make_shared<agent::ReaderKeys>(
      agent::ReaderKeys{keys.id, keys.private_key.clone(), keys.group_key.clone()});
  source.put("home/letter", text(300, 'a'));
  source.put("home/novel", text(900, 'n'));
  source.put("home/copy of letter", text(300, 'a'));
  source.put("etc/motd", text(5, 'm'));
  source.put("empty", {});
  source.put_symlink("home/link", "letter");

  repository::MemoryIndex index;
  files = found_repository(record, index, [](repository::Store&) {});
  AgentAmongLiars nodes(*this);
  testing::BackupRun backup(nodes.ports(), nodes.dialer(), nodes.charter(), *writer, source);
  nodes.finish(backup);
  check(backup.result().has_value() && backup.result()->committed == 1, "no snapshot");
  manifest = *backup.result()->manifest;
  const Buffer copy = *read_file(nodes.disk(), kCatalog, 1 << 20);
  catalog.assign(copy.view().begin(), copy.view().end());
  objects = objects_of(*this, nodes.disk());
  files = nodes.files_of_liar();
}

// What the liar or the honest node is asked reaches it at once; the answers take their time.
class AgentAmongLiars::Wire final : public Channel {
 public:
  Wire(AgentAmongLiars& nodes, bool is_liar, Dialer::Receive receive)
      : nodes_(nodes),
        is_liar_(is_liar),
        receive_(std::make_shared<Dialer::Receive>(std::move(receive))) {}

  void send(Message message) override {
    std::vector<Answer> answers;
    if (is_liar_)
      answers = nodes_.answers_of_liar(message);
    else
      for (FuzzedNode::Reply& reply : nodes_.truth(*nodes_.honest_, message))
        answers.push_back({wire::encode(reply.proto, std::move(reply.body)), kLatency});
    for (Answer& answer : answers)
      nodes_.loop_.after(answer.after, [receive = std::weak_ptr(receive_),
                                        arriving = std::move(answer.message)]() mutable {
        if (const auto open = receive.lock()) (*open)(std::move(arriving));
      });
  }

 private:
  AgentAmongLiars& nodes_;
  const bool is_liar_;
  std::shared_ptr<Dialer::Receive> receive_;
};

class AgentAmongLiars::Wires final : public Dialer {
 public:
  explicit Wires(AgentAmongLiars& nodes) : nodes_(nodes) {}
  Result<std::unique_ptr<Channel>> dial(const NodeAddress& address, Receive receive) override {
    return std::unique_ptr<Channel>(
        std::make_unique<Wire>(nodes_, address.endpoint == kLiar, std::move(receive)));
  }

 private:
  AgentAmongLiars& nodes_;
};

AgentAmongLiars::AgentAmongLiars(const FuzzedSnapshot& unfinished)
    : charter_(unfinished.charter), always_true_(true), liar_(unfinished.files) {
  charter_.nodes.resize(1);
  liar_.start();
}

AgentAmongLiars::AgentAmongLiars(ByteView script, bool is_beside_honest)
    : charter_(fuzzed_snapshot().charter), script_(script), liar_(fuzzed_snapshot().files) {
  liar_.start();
  if (is_beside_honest) {
    honest_ = std::make_unique<FuzzedNode>(fuzzed_snapshot().files);
    honest_->start();
  } else {
    charter_.nodes.resize(1);
  }
}

void AgentAmongLiars::remember_snapshot() {
  write_file(disk_, kCatalog, fuzzed_snapshot().catalog);
}

std::unique_ptr<Dialer> AgentAmongLiars::dialer() { return std::make_unique<Wires>(*this); }

void AgentAmongLiars::finish(testing::Run& run) {
  while (!run.done()) {
    check(loop_.step(), "nothing is left that could end what was begun");
    check(loop_.steps() < kMostSteps, "what was begun does not end");
  }
  loop_.run_for(std::chrono::milliseconds(1));  // what it gave to the executor
}

bool AgentAmongLiars::honest_node_lists(const ManifestId& id) {
  wire::RequestProto request;
  request.set_id(1);
  request.set_repository(fuzzed_snapshot().keys.id.str());
  request.mutable_list_manifests();
  for (const auto& reply : truth(*honest_, wire::encode(request)))
    for (const auto& entry : reply.proto.list_manifests().manifests()) {
      const auto manifest = format::parse_manifest(as_bytes(entry.manifest()));
      if (manifest && manifest->id == id) return entry.complete();
    }
  return false;
}

std::vector<FuzzedNode::Reply> AgentAmongLiars::truth(FuzzedNode& node, const Message& message) {
  return node.send({1, kAgentKey}, message);
}

std::optional<AgentAmongLiars::Lie> AgentAmongLiars::next_lie() {
  if (always_true_) return Lie{kTruth, {}};
  const auto field = script_.next();
  if (!field) return std::nullopt;
  return Lie{static_cast<Byte>((field->number - 1) % kLies), field->content};
}

std::vector<AgentAmongLiars::Answer> AgentAmongLiars::answers_of_liar(const Message& message) {
  std::vector<FuzzedNode::Reply> replies = truth(liar_, message);
  const std::optional<Lie> lie = next_lie();
  if (!lie || replies.empty()) return {};
  FuzzedNode::Reply reply = std::move(replies.front());
  if (told_.size() < kMostTold) told_.push_back(reply);
  std::vector<Answer> answers(1);
  answers[0].after = kLatency;
  switch (lie->how) {
    case kSilence:
      return {};
    case kBytes:
      answers[0].message = {{lie->bytes.begin(), lie->bytes.end()}, reply.body};
      lied_bytes_ += lie->bytes.size();
      return answers;
    case kLate:
      if (lie->bytes.size() >= 2)
        answers[0].after +=
            std::chrono::milliseconds(10) * load_le<std::uint16_t>(lie->bytes.data());
      break;
    case kTwice:
      answers.resize(2, answers[0]);
      break;
    default:
      tell(*lie, reply);
  }
  if (other_incarnation_ != 0) reply.proto.set_incarnation(other_incarnation_);
  for (Answer& answer : answers) {
    answer.message = wire::encode(reply.proto, reply.body);
    lied_bytes_ += answer.message.head.size() + answer.message.body.size();
  }
  return answers;
}

// Makes of a true reply what the script says.
void AgentAmongLiars::tell(const Lie& lie, FuzzedNode::Reply& reply) {
  const std::uint64_t id = reply.proto.id(), incarnation = reply.proto.incarnation();
  switch (lie.how) {
    case kMoreFields: {
      wire::ReplyProto more;
      if (more.ParseFromArray(lie.bytes.data(), static_cast<int>(lie.bytes.size())))
        reply.proto.MergeFrom(more);
      break;
    }
    case kOtherFields: {
      wire::ReplyProto other;
      if (other.ParseFromArray(lie.bytes.data(), static_cast<int>(lie.bytes.size())))
        reply.proto = std::move(other);
      break;
    }
    case kOtherBody:
      reply.body = shared(lie.bytes);
      break;
    case kAlteredFrame:
      if (reply.proto.has_get_frame()) reply.body = altered_frame(reply.body, lie.bytes);
      break;
    case kSealedFrame:
      if (reply.proto.has_get_frame()) reply.body = sealed_frame(lie.bytes);
      break;
    case kEarlierAnswer:
      if (!lie.bytes.empty()) reply = told_[lie.bytes[0] % told_.size()];
      break;
    case kRestart:
      other_incarnation_ = lie.bytes.empty() ? 1 : lie.bytes[0];
      break;
    case kSignedManifest: {
      auto* const entry = reply.proto.mutable_list_manifests()->add_manifests();
      entry->set_manifest(signed_manifest(lie.bytes));
      entry->set_complete(true);
      has_forged_manifest_ = true;
      break;
    }
    default:
      break;
  }
  reply.proto.set_id(id);
  reply.proto.set_incarnation(incarnation);
}

}  // namespace holdfast::fuzz
