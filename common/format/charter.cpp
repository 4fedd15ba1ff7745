#include "common/format/charter.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "common/crypto/aead.h"
#include "common/format/charter.pb.h"
#include "common/format/field_scan.h"
#include "common/format/frame.h"
#include "common/format/run_key.h"
#include "common/format/signed_body.h"

namespace holdfast::format {
namespace {

constexpr std::uint32_t kFormatVersion = 1;
constexpr std::string_view kContext = "holdfast v1 charter";
// One field a node, one an agent, and room for the others.
constexpr std::size_t kMaxFields = kMaxCharterNodes + kMaxCharterAgents + 64;

Error corrupt(std::string_view what) {
  return Error(Code::kCorrupt, fmt::format("charter: {}", what));
}

template <std::size_t N>
Status read_array(std::array<Byte, N>& to, const std::string& from, std::string_view what) {
  if (from.size() != N) return corrupt(fmt::format("{} is not {} bytes", what, N));
  std::memcpy(to.data(), from.data(), N);
  return {};
}

CharterProto to_proto(const Charter& charter) {
  CharterProto proto;
  proto.set_format_version(kFormatVersion);
  proto.set_version(charter.version);
  proto.set_admin_key(to_string(charter.admin_key));
  if (charter.previous) proto.set_previous(charter.previous->str());
  proto.set_created_ns(charter.created.nanoseconds);
  proto.set_encryption_key(to_string(charter.encryption_key));
  proto.set_write_quorum(charter.write_quorum);
  proto.set_chunk_average(charter.chunking.average);
  proto.set_compression_level(charter.compression_level);
  for (const CharterNode& node : charter.nodes) {
    NodeProto* to = proto.add_nodes();
    to->set_id(node.id.str());
    to->set_name(node.name);
    to->set_endpoint(node.address.endpoint);
    to->set_server_key(to_string(node.address.server_key));
  }
  for (const CharterAgent& agent : charter.agents) {
    AgentProto* to = proto.add_agents();
    to->set_id(agent.id.str());
    to->set_name(agent.name);
    to->set_verify_key(to_string(agent.verify_key));
    to->set_curve_key(to_string(agent.curve_key));
    to->set_roles(agent.roles);
    to->set_trust_group(agent.trust_group);
    to->set_revoked(agent.revoked);
  }
  proto.set_vault_digest(charter.vault_digest.str());
  return proto;
}

Result<CharterNode> node_from(const NodeProto& proto) {
  CharterNode node;
  HOLDFAST_TRY(read_array(node.id.bytes, proto.id(), "a node's id"));
  node.name = proto.name();
  node.address.endpoint = proto.endpoint();
  HOLDFAST_TRY(read_array(node.address.server_key, proto.server_key(), "a node's key"));
  return node;
}

Result<CharterAgent> agent_from(const AgentProto& proto) {
  CharterAgent agent;
  HOLDFAST_TRY(read_array(agent.id.bytes, proto.id(), "an agent's id"));
  agent.name = proto.name();
  HOLDFAST_TRY(read_array(agent.verify_key, proto.verify_key(), "an agent's key"));
  HOLDFAST_TRY(read_array(agent.curve_key, proto.curve_key(), "an agent's CURVE key"));
  agent.roles = proto.roles();
  agent.trust_group = proto.trust_group();
  agent.revoked = proto.revoked();
  if (agent_id(agent.verify_key) != agent.id)
    return corrupt("an agent's id is not the hash of its key");
  return agent;
}

template <typename Member>
bool any_twice(const std::vector<Member>& members) {
  std::set<decltype(Member::id)> ids;
  for (const Member& member : members) ids.insert(member.id);
  return ids.size() != members.size();
}

// Everything has its size; what is left is whether it can be worked with.
Status check_values(const Charter& charter) {
  // A node named twice would be counted as two copies.
  if (any_twice(charter.nodes)) return corrupt("it names a node twice");
  if (any_twice(charter.agents)) return corrupt("it names an agent twice");
  if (charter.write_quorum == 0 || charter.write_quorum > charter.nodes.size())
    return corrupt("its write quorum does not fit its nodes");
  if (charter.compression_level < -5 || charter.compression_level > 19)
    return corrupt("its compression level is out of range");
  if (!content::Chunker::create(crypto::SecretKey(), charter.chunking))
    return corrupt("its average chunk size is out of range");
  if (!is_usable(charter.encryption_key)) return corrupt("its encryption key is of low order");
  return {};
}

Result<Charter> from_proto(const CharterProto& proto) {
  if (proto.format_version() != kFormatVersion)
    return Error(Code::kUnsupportedVersion,
                 fmt::format("charter: format version {} is not known to this program",
                             proto.format_version()));
  if (static_cast<std::size_t>(proto.nodes_size()) > kMaxCharterNodes ||
      static_cast<std::size_t>(proto.agents_size()) > kMaxCharterAgents)
    return corrupt("more nodes or agents than it may have");
  Charter charter;
  charter.version = proto.version();
  if (charter.version == 0) return corrupt("its version is zero");
  if ((charter.version == 1) != proto.previous().empty())
    return corrupt("the first charter has no previous one, every other has");
  HOLDFAST_TRY(read_array(charter.admin_key, proto.admin_key(), "its admin key"));
  if (!proto.previous().empty()) {
    charter.previous.emplace();
    HOLDFAST_TRY(read_array(charter.previous->bytes, proto.previous(), "the digest before"));
  }
  charter.created = {proto.created_ns()};
  HOLDFAST_TRY(read_array(charter.encryption_key, proto.encryption_key(), "its encryption key"));
  charter.write_quorum = proto.write_quorum();
  charter.chunking.average = proto.chunk_average();
  charter.compression_level = proto.compression_level();
  for (const NodeProto& node : proto.nodes()) {
    HOLDFAST_ASSIGN(auto parsed, node_from(node));
    charter.nodes.push_back(std::move(parsed));
  }
  for (const AgentProto& agent : proto.agents()) {
    HOLDFAST_ASSIGN(auto parsed, agent_from(agent));
    charter.agents.push_back(std::move(parsed));
  }
  HOLDFAST_TRY(read_array(charter.vault_digest.bytes, proto.vault_digest(), "the vault's digest"));
  return charter;
}

Bytes vault_aad() { return to_bytes("holdfast v1 vault"); }

Result<CharterRecordProto> parse_record(ByteView record) {
  if (record.size() > kMaxCharterSize) return corrupt("larger than any charter may be");
  CharterRecordProto proto;
  if (!proto.ParseFromArray(record.data(), static_cast<int>(record.size())))
    return corrupt("malformed");
  return proto;
}

// Protobuf leaves its strings where they were; these are wiped.
struct WipedSecretsProto {
  VaultSecretsProto proto;
  WipedSecretsProto() = default;
  WipedSecretsProto(const WipedSecretsProto&) = delete;
  WipedSecretsProto& operator=(const WipedSecretsProto&) = delete;
  ~WipedSecretsProto() {
    for (std::string* secret : {proto.mutable_encryption_key(), proto.mutable_admin_seed(),
                                proto.mutable_id_key(), proto.mutable_chunking_key(),
                                proto.mutable_owner_seed(), proto.mutable_owner_curve_key()})
      crypto::wipe({reinterpret_cast<Byte*>(secret->data()), secret->size()});
  }
};

}  // namespace

RepositoryId Charter::repository() const { return repository_id(admin_key); }

const CharterAgent* Charter::agent(const AgentId& id) const {
  const auto found =
      std::find_if(agents.begin(), agents.end(), [&](const auto& agent) { return agent.id == id; });
  return found == agents.end() ? nullptr : &*found;
}

const CharterAgent* Charter::agent_by_curve_key(const CurveKey& key) const {
  const auto found = std::find_if(agents.begin(), agents.end(), [&](const auto& agent) {
    return agent.curve_key == key && !agent.revoked;
  });
  return found == agents.end() ? nullptr : &*found;
}

RepositoryId repository_id(const crypto::VerifyKey& admin_key) {
  return RepositoryId{
      crypto::sha256({as_bytes("holdfast v1 repository"), ByteView(admin_key)}).bytes};
}

std::uint32_t default_write_quorum(std::size_t nodes) {
  return nodes <= 2 ? 1 : static_cast<std::uint32_t>(nodes / 2 + 1);
}

VaultSecrets VaultSecrets::generate(Random& random, crypto::SecretKey owner_curve_key) {
  const auto fresh = [&] { return crypto::SecretKey::generate(random); };
  return {fresh(), fresh(), fresh(), fresh(), fresh(), std::move(owner_curve_key)};
}

Result<Bytes> seal_vault(const VaultSecrets& secrets, std::string_view passphrase, Random& random,
                         const crypto::ScryptCost& cost) {
  WipedSecretsProto wiped;
  VaultSecretsProto& inner = wiped.proto;
  inner.set_encryption_key(to_string(secrets.encryption_key.view()));
  inner.set_admin_seed(to_string(secrets.admin_seed.view()));
  inner.set_id_key(to_string(secrets.id_key.view()));
  inner.set_chunking_key(to_string(secrets.chunking_key.view()));
  inner.set_owner_seed(to_string(secrets.owner_seed.view()));
  inner.set_owner_curve_key(to_string(secrets.owner_curve_key.view()));
  std::string plain = inner.SerializeAsString();

  Bytes salt(32);
  random.fill(salt);
  HOLDFAST_ASSIGN_OR(const auto key, crypto::stretch(passphrase, salt, cost), "vault");
  Bytes sealed(plain.size() + crypto::kTagSize);
  crypto::Aes256Gcm(key).seal(0, vault_aad(), as_bytes(plain), sealed);
  crypto::wipe({reinterpret_cast<Byte*>(plain.data()), plain.size()});

  VaultProto proto;
  proto.set_scrypt_n(cost.n);
  proto.set_scrypt_r(cost.r);
  proto.set_scrypt_p(cost.p);
  proto.set_salt(to_string(salt));
  proto.set_sealed(to_string(sealed));
  return to_bytes(proto.SerializeAsString());
}

Result<VaultSecrets> open_vault(ByteView vault, std::string_view passphrase) {
  VaultProto proto;
  if (vault.size() > kMaxCharterSize ||
      !proto.ParseFromArray(vault.data(), static_cast<int>(vault.size())) ||
      proto.sealed().size() < crypto::kTagSize)
    return Error(Code::kCorrupt, "vault: malformed");
  const crypto::ScryptCost cost{proto.scrypt_n(), proto.scrypt_r(), proto.scrypt_p()};
  const auto stretched = crypto::stretch(passphrase, as_bytes(proto.salt()), cost);
  if (!stretched) {
    // Costs that nobody may ask for are the vault's fault, not the caller's.
    const Error& error = stretched.error();
    const bool costs = error.code() == Code::kInvalidArgument;
    return Error(costs ? Code::kCorrupt : error.code(), error.message()).with_context("vault");
  }
  Bytes plain(proto.sealed().size() - crypto::kTagSize);
  if (!crypto::Aes256Gcm(*stretched).open(0, vault_aad(), as_bytes(proto.sealed()), plain))
    return Error(Code::kWrongPassphrase, "the passphrase does not open this repository");
  WipedSecretsProto wiped;
  VaultSecretsProto& inner = wiped.proto;
  const bool parsed = inner.ParseFromArray(plain.data(), static_cast<int>(plain.size()));
  crypto::wipe(plain);
  VaultSecrets secrets;
  const auto take = [&](crypto::SecretKey& to, const std::string& from) {
    if (from.size() != crypto::SecretKey::kSize) return false;
    to = crypto::SecretKey::from(as_bytes(from));
    return true;
  };
  if (!parsed || !take(secrets.encryption_key, inner.encryption_key()) ||
      !take(secrets.admin_seed, inner.admin_seed()) || !take(secrets.id_key, inner.id_key()) ||
      !take(secrets.chunking_key, inner.chunking_key()) ||
      !take(secrets.owner_seed, inner.owner_seed()) ||
      !take(secrets.owner_curve_key, inner.owner_curve_key()))
    return Error(Code::kCorrupt, "vault: what was sealed is malformed");
  return secrets;
}

SignedCharter sign_charter(Charter charter, ByteView vault, const crypto::SecretKey& admin_seed) {
  const crypto::SigningKey admin(admin_seed.clone());
  charter.admin_key = admin.verify_key();
  charter.vault_digest = crypto::sha256(vault);
  CharterRecordProto record;
  record.set_body(to_proto(charter).SerializeAsString());
  record.set_signature(to_string(admin.sign(signed_message(kContext, as_bytes(record.body())))));
  record.set_vault(to_string(vault));
  const Sha256 digest = crypto::sha256(as_bytes(record.body()));
  const std::string bytes = record.SerializeAsString();
  return {std::move(charter), digest, to_bytes(bytes)};
}

namespace {

// Whether the key that the body names, of which `repository` is the hash, signed it.
bool is_signed(const CharterRecordProto& record, const CharterProto& body,
               const RepositoryId& repository) {
  crypto::VerifyKey key;
  if (body.admin_key().size() != key.size()) return false;
  std::memcpy(key.data(), body.admin_key().data(), key.size());
  return repository_id(key) == repository &&
         crypto::verify(key, signed_message(kContext, as_bytes(record.body())),
                        as_bytes(record.signature()));
}

}  // namespace

Result<SignedCharter> parse_charter(ByteView record, const RepositoryId& repository) {
  HOLDFAST_ASSIGN(const CharterRecordProto proto, parse_record(record));
  if (!has_at_most_fields(as_bytes(proto.body()), kMaxFields))
    return corrupt("malformed, or more nodes and agents than it may have");
  CharterProto body;
  if (!body.ParseFromString(proto.body())) return corrupt("malformed");
  auto parsed = from_proto(body);
  // That a newer program wrote it is believed only of what is signed.
  const bool is_newer = !parsed && parsed.error().code() == Code::kUnsupportedVersion;
  if (!parsed && !is_newer) return std::move(parsed).error();
  if (parsed && parsed->repository() != repository)
    return Error(Code::kForged, "charter: it belongs to another repository");
  if (!is_signed(proto, body, repository))
    return Error(Code::kForged, "charter: the signature does not match");
  if (is_newer) return std::move(parsed).error();
  Charter charter = std::move(*parsed);
  HOLDFAST_TRY(check_values(charter));
  if (!proto.vault().empty() && crypto::sha256(as_bytes(proto.vault())) != charter.vault_digest)
    return Error(Code::kForged, "charter: the vault beside it is not the one that it names");
  const Sha256 digest = crypto::sha256(as_bytes(proto.body()));
  return SignedCharter{std::move(charter), digest, {record.begin(), record.end()}};
}

Result<Bytes> vault_of(ByteView record) {
  HOLDFAST_ASSIGN(const CharterRecordProto proto, parse_record(record));
  return to_bytes(proto.vault());
}

Result<Bytes> without_vault(ByteView record) {
  HOLDFAST_ASSIGN(CharterRecordProto proto, parse_record(record));
  proto.clear_vault();
  return to_bytes(proto.SerializeAsString());
}

}  // namespace holdfast::format
