// What one holder has: where the repository is and which of its keys it may use. A text file of one
// armored block, mode 0600. Three kinds come from one shape:
//   owner's (`init`)           all fields; with the passphrase it can do everything
//   agent's (`agent add`)      can add snapshots and read nothing
//   recovery (`key export`)    no signing seed: reads, with the passphrase
#pragma once

#include <string>
#include <vector>

#include "common/format/charter.h"

namespace holdfast::format {

struct Credential {
  std::string name;
  RepositoryId repository;
  std::vector<CharterNode> nodes;
  crypto::PublicKey encryption_key{};
  crypto::SecretKey curve_secret;
  std::uint32_t roles = 0;
  struct Writer {
    crypto::SecretKey signing_seed;
    crypto::SecretKey id_key;  // of the agent's trust group
    crypto::SecretKey chunking_key;
  };
  std::optional<Writer> writer;
};

std::string encode_credential(const Credential& credential);
// kCorrupt with what to do for text that is no credential or was altered, kUnsupportedVersion.
Result<Credential> parse_credential(std::string_view text);

// One word that lets `init` or `node add` use a node: where it listens, its key and a one-time
// secret.
struct Invite {
  CharterNode node;
  crypto::SecretKey curve_secret;
};
std::string encode_invite(const Invite& invite);
Result<Invite> parse_invite(std::string_view text);

}  // namespace holdfast::format
