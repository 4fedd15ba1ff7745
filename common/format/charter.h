// The repository's signed, versioned configuration, and the vault that the passphrase opens.
//
// The repository's id is the hash of its admin key, so that who knows the id can check every
// charter without having seen one before.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/digest.h"
#include "common/base/result.h"
#include "common/content/chunker.h"
#include "common/crypto/agreement.h"
#include "common/crypto/passphrase.h"
#include "common/crypto/signature.h"
#include "common/ports/clock.h"
#include "common/ports/transport.h"

namespace holdfast::format {

constexpr std::size_t kMaxCharterSize = 4 << 20;
constexpr std::size_t kMaxCharterNodes = 64;
constexpr std::size_t kMaxCharterAgents = 10'000;

enum Role : std::uint32_t {
  kAppend = 1,  // adds objects and its own snapshots
  kRead = 2,    // lists snapshots, fetches frames and the vault, asks for verification
  kAdmin = 4,   // replaces the charter
};

struct CharterNode {
  NodeId id;
  std::string name;
  NodeAddress address;
  friend bool operator==(const CharterNode&, const CharterNode&) = default;
};

struct CharterAgent {
  AgentId id;
  std::string name;
  crypto::VerifyKey verify_key{};
  CurveKey curve_key{};
  std::uint32_t roles = 0;
  std::uint32_t trust_group = 0;
  bool revoked = false;
  friend bool operator==(const CharterAgent&, const CharterAgent&) = default;
};

struct Charter {
  std::uint64_t version = 1;
  crypto::VerifyKey admin_key{};
  std::optional<Sha256> previous;  // absent exactly when version is 1
  UnixTime created;
  crypto::PublicKey encryption_key{};
  std::uint32_t write_quorum = 1;
  content::ChunkingParameters chunking;
  std::int32_t compression_level = 3;
  std::vector<CharterNode> nodes;
  std::vector<CharterAgent> agents;
  Sha256 vault_digest;

  RepositoryId repository() const;
  const CharterAgent* agent(const AgentId& id) const;  // revoked ones too; null if unknown
  const CharterAgent* agent_by_curve_key(const CurveKey& key) const;
};

RepositoryId repository_id(const crypto::VerifyKey& admin_key);
// W by default: 1 for one or two nodes, else a majority.
std::uint32_t default_write_quorum(std::size_t nodes);

// What the passphrase protects. Everything else can be derived or read in the charter.
struct VaultSecrets {
  crypto::SecretKey encryption_key;  // X25519
  crypto::SecretKey admin_seed;      // Ed25519
  crypto::SecretKey id_key;
  crypto::SecretKey chunking_key;
  crypto::SecretKey owner_seed;       // Ed25519 of the owner's agent
  crypto::SecretKey owner_curve_key;  // CURVE secret of the owner

  static VaultSecrets generate(Random& random, crypto::SecretKey owner_curve_key);
};

// Seals the secrets under the stretched passphrase with a fresh salt: a serialized VaultProto.
Result<Bytes> seal_vault(const VaultSecrets& secrets, std::string_view passphrase, Random& random,
                         const crypto::ScryptCost& cost = {});
// kWrongPassphrase, kCorrupt (costs that are not allowed, too), kResourceExhausted. Blocks for
// about 0.6 s.
Result<VaultSecrets> open_vault(ByteView vault, std::string_view passphrase);

struct SignedCharter {
  Charter charter;
  Sha256 digest;  // of the signed body; the next version names it as `previous`
  Bytes record;   // CharterRecordProto with the vault: what nodes store and readers are given
};

// Signs with the admin key; charter.vault_digest and admin_key are set here. What parse_charter
// would refuse is signed all the same: who changed a charter parses the outcome before it is sent.
SignedCharter sign_charter(Charter charter, ByteView vault, const crypto::SecretKey& admin_seed);
// Checks grammar, limits (no node or agent twice, a quorum that fits, chunking that exists), the
// signature, that it belongs to `repository` and that the vault, where present, is the one it
// names. kCorrupt, kForged, kUnsupportedVersion.
Result<SignedCharter> parse_charter(ByteView record, const RepositoryId& repository);
// The vault of a record, empty if it was stripped.
Result<Bytes> vault_of(ByteView record);
// The record without its vault, for who may not read.
Result<Bytes> without_vault(ByteView record);

}  // namespace holdfast::format
