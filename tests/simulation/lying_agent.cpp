// Each attack ends with what its author hopes for: an object or a snapshot of somebody else, or
// content. Requests go out on raw channels, past everything that makes an agent polite.
#include "tests/simulation/lying_agent.h"

#include "common/format/frame_sealer.h"
#include "tests/testing/test_repository.h"

namespace holdfast::testing {
namespace {

constexpr CurveKey kStranger = {0xEE, 0xEE, 0xEE};

ObjectId drawn_id(Random& random) {
  ObjectId id;
  random.fill(id.bytes);
  return id;
}

}  // namespace

LyingAgent::LyingAgent(Cluster& cluster, WireChecker& wire, ClusterAgent& agent, Random& random)
    : cluster_(cluster),
      wire_(wire),
      agent_(agent),
      random_(random),
      next_id_(random.uint64() >> 1),
      run_(format::begin_run(random, cluster.repository, cluster.charter().encryption_key)) {
  for (const CurveKey& key : {agent.entry.curve_key, kStranger}) {
    dialers_.push_back(std::make_unique<SimNetwork::Client>(cluster.network, key, agent.name));
    for (const format::CharterNode& node : cluster.charter().nodes) {
      auto channel = dialers_.back()->dial(node.address, [](const Message&) {});
      check(channel.has_value(), "a simulated node can be dialled");
      channels_.push_back(*std::move(channel));
    }
  }
}

std::string LyingAgent::attack() {
  switch (random_.below(6)) {
    case 0:
      flood();
      return "a flood of requests";
    case 1:
      send_garbage();
      return "garbage";
    case 2:
      put_forged_frames();
      return "forged frames";
    case 3:
      commit_forged_manifests();
      return "forged manifests";
    case 4:
      commit_two_of_one_number();
      return "two snapshots of one number";
    default:
      ask_for_content();
      return "questions for content";
  }
}

std::uint64_t LyingAgent::send(wire::RequestProto request, SharedBytes body) {
  const std::uint64_t id = next_id_++;
  request.set_id(id);
  if (request.repository().empty()) request.set_repository(cluster_.repository.str());
  const Message message = wire::encode(request, body);
  for (const auto& channel : channels_) channel->send(message);
  return id;
}

void LyingAgent::forge(wire::RequestProto request, SharedBytes body) {
  wire_.expect_refusal(send(std::move(request), std::move(body)));
}

// More than a connection may have unanswered.
void LyingAgent::flood() {
  const format::SignedManifest valid = manifest(1, drawn_id(random_));
  for (int i = 0; i < 300; ++i) {
    wire::RequestProto request;
    if (i % 3 == 0)
      request.mutable_prepare()->set_root(drawn_id(random_).str());
    else
      request.mutable_commit()->set_manifest(to_string(valid.bytes));
    forge(std::move(request));
  }
  // What has its root waits for the sync that makes it durable.
  const ObjectId root = put_object();
  for (int i = 0; i < 300; ++i) {
    wire::RequestProto request;
    request.mutable_prepare()->set_root(root.str());
    send(std::move(request));
  }
}

void LyingAgent::send_garbage() {
  for (int i = 0; i < 20; ++i) {
    Message message;
    message.head.resize(random_.below(300));
    random_.fill(message.head);
    if (random_.below(2) == 0) {
      Buffer body(random_.below(2'000));
      random_.fill(body.mutable_view());
      message.body = SharedBytes(std::move(body));
    }
    for (const auto& channel : channels_) channel->send(message);
  }
  wire::RequestProto request;
  request.mutable_present()->set_ids(std::string(33, 'x'));
  forge(request);
  request.set_repository("short");
  forge(std::move(request));
}

Bytes LyingAgent::frame(const std::vector<ObjectId>& refs, const ObjectId& id) {
  format::FrameContent content(refs.empty() ? format::FrameRole::kData
                                            : format::FrameRole::kMetadata);
  Bytes payload(1 + random_.below(500));
  random_.fill(payload);
  // Whatever id it claims, it is not the payload's.
  content.add(id, refs, payload);
  const SharedBytes sealed =
      format::FrameSealer(run_, cluster_.repository, agent_.writer->signing_key, counter_, 1)
          .seal(content);
  return {sealed.view().begin(), sealed.view().end()};
}

// Random bytes under a random id, which nobody can tell from an object.
ObjectId LyingAgent::put_object() {
  const ObjectId id = drawn_id(random_);
  wire::RequestProto request;
  request.mutable_put_frame();
  send(std::move(request), SharedBytes(Buffer::copy_of(frame({}, id))));
  return id;
}

void LyingAgent::put_forged_frames() {
  wire::RequestProto request;
  request.mutable_put_frame();
  const auto put = [&](const Bytes& bytes) { forge(request, SharedBytes(Buffer::copy_of(bytes))); };
  put_object();
  put(frame({drawn_id(random_)}, drawn_id(random_)));  // refers to nothing
  for (int i = 0; i < 3; ++i) {
    Bytes damaged = frame({}, drawn_id(random_));
    damaged[random_.below(damaged.size())] ^= static_cast<Byte>(1 + random_.below(255));
    put(damaged);
  }
  // Checksum and signature fit, but somebody else signed it.
  Bytes unsigned_frame = frame({}, drawn_id(random_));
  make_good(unsigned_frame, crypto::SigningKey::generate(random_));
  put(unsigned_frame);
}

format::SignedManifest LyingAgent::manifest(std::uint64_t sequence, const ObjectId& root) {
  format::Manifest forged;
  forged.repository = cluster_.repository;
  forged.agent = agent_.entry.id;
  forged.sequence = sequence;
  if (sequence != 1) {
    ManifestId previous;
    random_.fill(previous.bytes);
    forged.previous = previous;
  }
  forged.charter_version = random_.below(5);
  forged.root = root;
  forged.claimed_time = {static_cast<std::int64_t>(random_.uint64() >> 1)};
  forged.envelope = run_.envelope;
  forged.sealed_detail = Bytes(32);
  return format::sign_again(std::move(forged), agent_.writer->signing_key);
}

void LyingAgent::commit_forged_manifests() {
  const std::uint64_t sequences[] = {1, 2, random_.uint64(), ~std::uint64_t{0}};
  for (const std::uint64_t sequence : sequences) {
    format::SignedManifest forged =
        manifest(std::max<std::uint64_t>(1, sequence), drawn_id(random_));
    wire::RequestProto request;
    request.mutable_commit()->set_manifest(to_string(forged.bytes));
    forge(request);
    // The owner's name over its own signature.
    forged.manifest.agent = cluster_.agents.front()->entry.id;
    forged = format::sign_again(std::move(forged.manifest), agent_.writer->signing_key);
    request.mutable_commit()->set_manifest(to_string(forged.bytes));
    forge(std::move(request));
  }
  // Nothing is wrong with it but that somebody else signed it.
  const format::SignedManifest unsigned_one =
      format::sign_again(manifest(2 + random_.below(1'000'000), put_object()).manifest,
                         crypto::SigningKey::generate(random_));
  wire::RequestProto request;
  request.mutable_commit()->set_manifest(to_string(unsigned_one.bytes));
  forge(std::move(request));
}

// Each is as good as the other, so that whichever comes second must be refused.
void LyingAgent::commit_two_of_one_number() {
  const ObjectId root = put_object();
  wire::RequestProto request;
  for (int i = 0; i < 4; ++i) {
    request.mutable_commit()->set_manifest(to_string(manifest(1, root).bytes));
    send(request);
  }
}

void LyingAgent::ask_for_content() {
  wire::RequestProto request;
  request.mutable_list_manifests();
  send(request);
  request.mutable_get_charter();
  send(request);
  request.mutable_head()->set_agent(cluster_.agents.front()->entry.id.str());
  forge(request);
  request.mutable_locate()->set_ids(drawn_id(random_).str());
  forge(request);
  request.mutable_get_frame()->set_id(drawn_id(random_).str());
  forge(request);
  request.mutable_verify()->set_run(random_.uint64());
  forge(request);
  request.mutable_report_damage()->set_id(drawn_id(random_).str());
  forge(request);
  request.mutable_put_charter()->set_record(to_string(cluster_.charters().front().record));
  forge(std::move(request));
}

}  // namespace holdfast::testing
