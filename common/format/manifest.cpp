#include "common/format/manifest.h"

#include <fmt/format.h>

#include "common/crypto/aead.h"
#include "common/format/manifest.pb.h"
#include "common/format/signed_body.h"

namespace holdfast::format {
namespace {

constexpr std::uint32_t kManifestVersion = 1;
constexpr std::string_view kContext = "holdfast v1 manifest";
// The detail key seals nothing else, so its one nonce is a constant.
constexpr std::uint64_t kDetailNonce = 0;

Error corrupt(std::string_view what) {
  return Error(Code::kCorrupt, fmt::format("manifest: {}", what));
}

std::string to_proto(ByteView bytes) { return to_string(bytes); }

// Binds the detail to its place: it cannot be moved under another agent's or repository's manifest.
Bytes detail_aad(const Manifest& manifest) {
  Bytes aad = to_bytes("holdfast v1 detail");
  append(aad, manifest.repository.view());
  append(aad, manifest.agent.view());
  append(aad, manifest.root.view());
  return aad;
}

Bytes encode_detail(const SnapshotDetail& detail) {
  SnapshotDetailProto proto;
  proto.set_host(detail.host);
  proto.set_user(detail.user);
  proto.set_program(detail.program);
  for (const auto& path : detail.paths) proto.add_paths(path);
  for (const auto& tag : detail.tags) proto.add_tags(tag);
  proto.set_end_time_ns(detail.ended.nanoseconds);
  proto.set_files(detail.files);
  proto.set_directories(detail.directories);
  proto.set_others(detail.others);
  proto.set_bytes(detail.bytes);
  proto.set_files_new(detail.files_new);
  proto.set_files_changed(detail.files_changed);
  proto.set_files_unmodified(detail.files_unmodified);
  proto.set_bytes_added(detail.bytes_added);
  proto.set_bytes_stored(detail.bytes_stored);
  proto.set_unreadable(detail.unreadable);
  Bytes bytes(proto.ByteSizeLong());
  proto.SerializeWithCachedSizesToArray(bytes.data());
  return bytes;
}

template <typename Id>
Result<Id> id_from(const std::string& bytes, std::string_view what) {
  auto id = Id::from(as_bytes(bytes));
  if (!id) return corrupt(fmt::format("{} is not 32 bytes", what));
  return *id;
}

}  // namespace

Status check_size(const SnapshotDetail& detail) {
  // What is beside the detail takes less than 1 KiB; the figures in it may still grow.
  constexpr std::size_t kMaxDetailSize = kMaxManifestSize - (4 << 10);
  if (const std::size_t size = encode_detail(detail).size(); size > kMaxDetailSize)
    return Error(
        Code::kInvalidArgument,
        fmt::format("host, paths and tags take {} bytes of a snapshot's {}", size, kMaxDetailSize));
  return {};
}

SignedManifest sign_manifest(Manifest manifest, const SnapshotDetail& detail, const RunKeys& run,
                             const crypto::SigningKey& agent) {
  manifest.envelope = run.envelope;
  const Bytes plain = encode_detail(detail);
  manifest.sealed_detail.resize(plain.size() + crypto::kTagSize);
  crypto::Aes256Gcm(run.detail_key)
      .seal(kDetailNonce, detail_aad(manifest), plain, manifest.sealed_detail);
  return sign_again(std::move(manifest), agent);
}

SignedManifest sign_again(Manifest manifest, const crypto::SigningKey& agent) {
  ManifestProto proto;
  proto.set_version(kManifestVersion);
  proto.set_repository(to_proto(manifest.repository.view()));
  proto.set_agent(to_proto(manifest.agent.view()));
  proto.set_sequence(manifest.sequence);
  if (manifest.previous) proto.set_previous(to_proto(manifest.previous->view()));
  proto.set_charter_version(manifest.charter_version);
  proto.set_root(to_proto(manifest.root.view()));
  proto.set_claimed_time_ns(manifest.claimed_time.nanoseconds);
  proto.set_ephemeral_key(to_proto(manifest.envelope.ephemeral_key));
  proto.set_key_commitment(to_proto(manifest.envelope.commitment));
  proto.set_sealed(to_proto(manifest.sealed_detail));

  SignedProto signed_proto;
  signed_proto.set_body(proto.SerializeAsString());
  const ByteView body = as_bytes(signed_proto.body());
  signed_proto.set_signature(to_proto(agent.sign(signed_message(kContext, body))));
  const ManifestId id{crypto::sha256(body).bytes};
  const std::string bytes = signed_proto.SerializeAsString();
  return {id, std::move(manifest), to_bytes(bytes)};
}

Result<SignedManifest> parse_manifest(ByteView bytes) {
  if (bytes.size() > kMaxManifestSize) return corrupt("larger than any manifest may be");
  SignedProto signed_proto;
  ManifestProto proto;
  if (!signed_proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) ||
      !proto.ParseFromString(signed_proto.body()))
    return corrupt("malformed");
  if (proto.version() != kManifestVersion)
    return Error(Code::kUnsupportedVersion,
                 fmt::format("manifest: version {} is not known to this program", proto.version()));
  SignedManifest result{ManifestId{crypto::sha256(as_bytes(signed_proto.body())).bytes},
                        {},
                        {bytes.begin(), bytes.end()}};
  Manifest& manifest = result.manifest;
  HOLDFAST_ASSIGN(manifest.repository, id_from<RepositoryId>(proto.repository(), "repository"));
  HOLDFAST_ASSIGN(manifest.agent, id_from<AgentId>(proto.agent(), "agent"));
  HOLDFAST_ASSIGN(manifest.root, id_from<ObjectId>(proto.root(), "root"));
  manifest.sequence = proto.sequence();
  if (manifest.sequence == 0) return corrupt("its sequence number is zero");
  if ((manifest.sequence == 1) != proto.previous().empty())
    return corrupt("the first manifest has no previous one, every other has");
  if (!proto.previous().empty()) {
    HOLDFAST_ASSIGN(manifest.previous, id_from<ManifestId>(proto.previous(), "previous"));
  }
  manifest.charter_version = proto.charter_version();
  manifest.claimed_time = {proto.claimed_time_ns()};
  HOLDFAST_ASSIGN(const auto key, id_from<Sha256>(proto.ephemeral_key(), "ephemeral key"));
  HOLDFAST_ASSIGN(const auto commitment, id_from<Sha256>(proto.key_commitment(), "key commitment"));
  manifest.envelope = {key.bytes, commitment.bytes};
  manifest.sealed_detail = to_bytes(proto.sealed());
  return result;
}

Status verify_manifest(const SignedManifest& manifest, const crypto::VerifyKey& agent) {
  SignedProto proto;
  if (!proto.ParseFromArray(manifest.bytes.data(), static_cast<int>(manifest.bytes.size())))
    return corrupt("malformed");
  if (agent_id(agent) != manifest.manifest.agent ||
      !crypto::verify(agent, signed_message(kContext, as_bytes(proto.body())),
                      as_bytes(proto.signature())))
    return Error(Code::kForged,
                 fmt::format("manifest {}: the signature of agent {} does not match",
                             manifest.id.short_hex(), manifest.manifest.agent.short_hex()));
  return {};
}

Result<SnapshotDetail> open_detail(const Manifest& manifest,
                                   const crypto::SecretKey& repository_private_key) {
  HOLDFAST_ASSIGN_OR(const RunKeys run,
                     recover_run(manifest.envelope, manifest.repository, repository_private_key),
                     "manifest");
  if (manifest.sealed_detail.size() < crypto::kTagSize)
    return corrupt("its sealed part is too short");
  Bytes plain(manifest.sealed_detail.size() - crypto::kTagSize);
  HOLDFAST_TRY_OR(crypto::Aes256Gcm(run.detail_key)
                      .open(kDetailNonce, detail_aad(manifest), manifest.sealed_detail, plain),
                  "manifest");
  SnapshotDetailProto proto;
  if (!proto.ParseFromArray(plain.data(), static_cast<int>(plain.size())))
    return corrupt("malformed detail");
  SnapshotDetail detail;
  detail.host = proto.host();
  detail.user = proto.user();
  detail.program = proto.program();
  detail.paths.assign(proto.paths().begin(), proto.paths().end());
  detail.tags.assign(proto.tags().begin(), proto.tags().end());
  detail.ended = {proto.end_time_ns()};
  detail.files = proto.files();
  detail.directories = proto.directories();
  detail.others = proto.others();
  detail.bytes = proto.bytes();
  detail.files_new = proto.files_new();
  detail.files_changed = proto.files_changed();
  detail.files_unmodified = proto.files_unmodified();
  detail.bytes_added = proto.bytes_added();
  detail.bytes_stored = proto.bytes_stored();
  detail.unreadable = proto.unreadable();
  return detail;
}

}  // namespace holdfast::format
