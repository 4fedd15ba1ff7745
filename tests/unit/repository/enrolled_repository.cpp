#include "tests/unit/repository/enrolled_repository.h"

#include <algorithm>

namespace holdfast::repository {

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
  charter.nodes.push_back(
      {NodeId{crypto::sha256(as_bytes("node")).bytes}, "node", {"tcp://127.0.0.1:9", {}}});
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

}  // namespace holdfast::repository
