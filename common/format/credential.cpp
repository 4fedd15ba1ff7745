#include "common/format/credential.h"

#include <fmt/format.h>

#include "common/base/endian.h"
#include "common/content/checksum.h"
#include "common/format/credential.pb.h"
#include "common/format/field_scan.h"
#include "common/format/run_key.h"

namespace holdfast::format {
namespace {

constexpr std::uint32_t kCredentialVersion = 1;
constexpr std::string_view kBegin = "-----BEGIN HOLDFAST CREDENTIAL-----";
constexpr std::string_view kEnd = "-----END HOLDFAST CREDENTIAL-----";
constexpr std::string_view kInvitePrefix = "holdfast-invite-1.";
constexpr std::size_t kMaxText = 1 << 20;
constexpr std::size_t kLineLength = 64;
// One field a node, and room for the others.
constexpr std::size_t kMaxFields = kMaxCharterNodes + 64;

Error corrupt(std::string_view what) { return Error(Code::kCorrupt, std::string(what)); }

// The payload and, behind it, its XXH3-64: a letter lost in copying is noticed, not decrypted.
std::string armor(const std::string& payload) {
  Bytes bytes = to_bytes(payload);
  Byte sum[8];
  store_le(sum, content::checksum64(as_bytes(payload)));
  append(bytes, sum);
  return base64url_encode(bytes);
}

Result<std::string> dearmor(std::string_view text, std::string_view what) {
  auto bytes = base64url_decode(text);
  if (!bytes || bytes->size() < 8)
    return corrupt(fmt::format("{}: malformed; was it copied whole?", what));
  const ByteView payload = ByteView(*bytes).first(bytes->size() - 8);
  if (load_le<std::uint64_t>(bytes->data() + payload.size()) != content::checksum64(payload))
    return corrupt(fmt::format("{}: its checksum does not match; was it copied whole?", what));
  return to_string(payload);
}

void put_node(CredentialNodeProto& to, const CharterNode& node) {
  to.set_name(node.name);
  to.set_endpoint(node.address.endpoint);
  to.set_server_key(to_string(node.address.server_key));
  to.set_id(node.id.str());
}

template <std::size_t N>
bool take(std::array<Byte, N>& to, const std::string& from) {
  if (from.size() != N) return false;
  std::memcpy(to.data(), from.data(), N);
  return true;
}

bool take(crypto::SecretKey& to, const std::string& from) {
  if (from.size() != crypto::SecretKey::kSize) return false;
  to = crypto::SecretKey::from(as_bytes(from));
  return true;
}

bool take_node(CharterNode& to, const CredentialNodeProto& from) {
  to.name = from.name();
  to.address.endpoint = from.endpoint();
  return take(to.address.server_key, from.server_key()) && take(to.id.bytes, from.id());
}

Status check_version(std::uint32_t version, std::string_view what) {
  if (version == kCredentialVersion) return {};
  return Error(Code::kUnsupportedVersion,
               fmt::format("{}: version {} is not known to this program; a newer one wrote it",
                           what, version));
}

Result<CredentialProto> parse_proto(const std::string& payload, std::string_view what) {
  CredentialProto proto;
  if (!has_at_most_fields(as_bytes(payload), kMaxFields) || !proto.ParseFromString(payload))
    return corrupt(fmt::format("{}: malformed", what));
  HOLDFAST_TRY(check_version(proto.version(), what));
  return proto;
}

}  // namespace

std::string encode_credential(const Credential& credential) {
  CredentialProto proto;
  proto.set_version(kCredentialVersion);
  proto.set_name(credential.name);
  proto.set_repository(credential.repository.str());
  for (const CharterNode& node : credential.nodes) put_node(*proto.add_nodes(), node);
  proto.set_encryption_key(to_string(credential.encryption_key));
  proto.set_curve_secret(to_string(credential.curve_secret.view()));
  proto.set_roles(credential.roles);
  if (credential.writer) {
    proto.set_signing_seed(to_string(credential.writer->signing_seed.view()));
    proto.set_id_key(to_string(credential.writer->id_key.view()));
    proto.set_chunking_key(to_string(credential.writer->chunking_key.view()));
  }
  const std::string block = armor(proto.SerializeAsString());
  std::string text = fmt::format("{}\n", kBegin);
  for (std::size_t at = 0; at < block.size(); at += kLineLength)
    text += block.substr(at, kLineLength) + "\n";
  return text + fmt::format("{}\n", kEnd);
}

Result<Credential> parse_credential(std::string_view text) {
  if (text.size() > kMaxText) return corrupt("credential: larger than any may be");
  const auto begin = text.find(kBegin);
  if (begin != std::string_view::npos) text.remove_prefix(begin + kBegin.size());
  const auto end = text.find(kEnd);
  if (begin == std::string_view::npos || end == std::string_view::npos)
    return corrupt("credential: this is not a Holdfast credential file");
  std::string block;
  for (const char c : text.substr(0, end))
    if (c != '\n' && c != '\r' && c != ' ' && c != '\t') block += c;
  HOLDFAST_ASSIGN(const std::string payload, dearmor(block, "credential"));
  HOLDFAST_ASSIGN(const CredentialProto proto, parse_proto(payload, "credential"));
  Credential credential;
  credential.name = proto.name();
  credential.roles = proto.roles();
  bool whole = take(credential.repository.bytes, proto.repository()) &&
               take(credential.encryption_key, proto.encryption_key()) &&
               take(credential.curve_secret, proto.curve_secret()) && proto.nodes_size() > 0;
  for (const auto& node : proto.nodes())
    whole = whole && take_node(credential.nodes.emplace_back(), node);
  if (!proto.signing_seed().empty()) {
    auto& writer = credential.writer.emplace();
    whole = whole && take(writer.signing_seed, proto.signing_seed()) &&
            take(writer.id_key, proto.id_key()) && take(writer.chunking_key, proto.chunking_key());
  }
  if (!whole) return corrupt("credential: a field is missing or has another size");
  if (!is_usable(credential.encryption_key))
    return corrupt("credential: its encryption key is of low order");
  return credential;
}

std::string encode_invite(const Invite& invite) {
  CredentialProto proto;
  proto.set_version(kCredentialVersion);
  put_node(*proto.add_nodes(), invite.node);
  proto.set_curve_secret(to_string(invite.curve_secret.view()));
  return std::string(kInvitePrefix) + armor(proto.SerializeAsString());
}

Result<Invite> parse_invite(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  if (text.size() > kMaxText || !text.starts_with(kInvitePrefix))
    return corrupt("invite: this is not what `holdfast-node invite` prints");
  HOLDFAST_ASSIGN(const std::string payload, dearmor(text.substr(kInvitePrefix.size()), "invite"));
  HOLDFAST_ASSIGN(const CredentialProto proto, parse_proto(payload, "invite"));
  Invite invite;
  if (!proto.repository().empty()) return corrupt("invite: this is a credential");
  if (proto.nodes_size() != 1 || !take_node(invite.node, proto.nodes(0)) ||
      !take(invite.curve_secret, proto.curve_secret()))
    return corrupt("invite: a field is missing or has another size");
  return invite;
}

}  // namespace holdfast::format
