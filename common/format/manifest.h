// The signed root of a snapshot. What nodes need to order and check it is clear; host, paths, tags
// and figures are sealed under the run's detail key.
#pragma once

#include <string>
#include <vector>

#include "common/base/digest.h"
#include "common/base/result.h"
#include "common/crypto/signature.h"
#include "common/format/run_key.h"
#include "common/ports/clock.h"

namespace holdfast::format {

constexpr std::size_t kMaxManifestSize = 1 << 20;

struct SnapshotDetail {
  std::string host, user, program;
  std::vector<std::string> paths;  // absolute; bytes
  std::vector<std::string> tags;
  UnixTime ended;
  std::uint64_t files = 0, directories = 0, others = 0, bytes = 0;
  std::uint64_t files_new = 0, files_changed = 0, files_unmodified = 0;
  std::uint64_t bytes_added = 0, bytes_stored = 0;
  std::uint64_t unreadable = 0;
  friend bool operator==(const SnapshotDetail&, const SnapshotDetail&) = default;
};

struct Manifest {
  RepositoryId repository;
  AgentId agent;
  std::uint64_t sequence = 0;          // from 1
  std::optional<ManifestId> previous;  // absent exactly when sequence is 1
  std::uint64_t charter_version = 0;
  ObjectId root;
  UnixTime claimed_time;  // when the run began, by the agent's clock
  RunEnvelope envelope;
  Bytes sealed_detail;
};

struct SignedManifest {
  ManifestId id;  // SHA-256 of the signed body: the snapshot's name
  Manifest manifest;
  Bytes bytes;  // SignedProto: what is sent and stored
};

// kInvalidArgument if the detail is so long that its manifest would be refused: asked before a
// backup begins, since paths and tags are the user's.
Status check_size(const SnapshotDetail& detail);

// Seals the detail under run.detail_key and signs. A run seals one detail: a second call with other
// detail would use a nonce twice, so sign_again() takes the sealed bytes as they are.
SignedManifest sign_manifest(Manifest manifest, const SnapshotDetail& detail, const RunKeys& run,
                             const crypto::SigningKey& agent);
// The same run, another place in the agent's order of snapshots.
SignedManifest sign_again(Manifest manifest, const crypto::SigningKey& agent);

// kCorrupt, kUnsupportedVersion. Does not check the signature.
Result<SignedManifest> parse_manifest(ByteView bytes);
// kForged.
Status verify_manifest(const SignedManifest& manifest, const crypto::VerifyKey& agent);
// kForged, kCorrupt.
Result<SnapshotDetail> open_detail(const Manifest& manifest,
                                   const crypto::SecretKey& repository_private_key);

}  // namespace holdfast::format
