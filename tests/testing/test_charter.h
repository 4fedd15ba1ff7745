// A charter with its vault, a credential and an invite, each from one seed.
#pragma once

#include <string>

#include "common/format/charter.h"
#include "common/format/credential.h"
#include "common/format/frame.h"
#include "tests/testing/seeded_random.h"

namespace holdfast::testing {

// The least that scrypt takes: tests stretch many passphrases.
constexpr crypto::ScryptCost kCheapScrypt{2, 1, 1};

template <std::size_t N>
std::array<Byte, N> random_array(SeededRandom& random) {
  std::array<Byte, N> bytes;
  random.fill(bytes);
  return bytes;
}

inline format::CharterNode test_node(SeededRandom& random, const std::string& name) {
  return {NodeId{random_array<32>(random)},
          name,
          {"tcp://" + name + ".example:7450", random_array<32>(random)}};
}

inline format::CharterAgent test_agent(SeededRandom& random, const std::string& name) {
  const auto key = crypto::SigningKey::generate(random).verify_key();
  return {format::agent_id(key), name, key, random_array<32>(random), format::kAppend, 0, false};
}

// The second version of a repository's charter: three nodes, two agents.
struct TestCharter {
  explicit TestCharter(std::uint64_t seed)
      : random(seed),
        secrets(format::VaultSecrets::generate(random, crypto::SecretKey::generate(random))),
        vault(*format::seal_vault(secrets, "passphrase", random, kCheapScrypt)) {
    charter.version = 2;
    charter.previous = Sha256{random_array<32>(random)};
    charter.created = {1'763'870'400'000'000'000};
    charter.encryption_key = crypto::public_key(secrets.encryption_key);
    charter.write_quorum = 2;
    charter.chunking.average = 1 << 17;
    charter.compression_level = -1;
    for (const char* const name : {"north", "south", "east"})
      charter.nodes.push_back(test_node(random, name));
    charter.agents = {test_agent(random, "owner"), test_agent(random, "laptop")};
    charter.agents[0].roles = format::kAppend | format::kRead | format::kAdmin;
    charter.agents[1].trust_group = 5;
  }
  format::SignedCharter sign() const {
    return format::sign_charter(charter, vault, secrets.admin_seed);
  }
  RepositoryId repository() const {
    return format::repository_id(crypto::SigningKey(secrets.admin_seed.clone()).verify_key());
  }

  SeededRandom random;
  format::VaultSecrets secrets;
  Bytes vault;
  format::Charter charter;
};

inline format::Credential test_credential(SeededRandom& random) {
  format::Credential credential;
  credential.name = "laptop";
  credential.repository = RepositoryId{random_array<32>(random)};
  credential.nodes = {test_node(random, "north"), test_node(random, "south")};
  credential.encryption_key = crypto::public_key(crypto::SecretKey::generate(random));
  credential.curve_secret = crypto::SecretKey::generate(random);
  credential.roles = format::kAppend;
  credential.writer.emplace(format::Credential::Writer{crypto::SecretKey::generate(random),
                                                       crypto::SecretKey::generate(random),
                                                       crypto::SecretKey::generate(random)});
  return credential;
}

inline format::Invite test_invite(SeededRandom& random) {
  return {test_node(random, "north"), crypto::SecretKey::generate(random)};
}

}  // namespace holdfast::testing
