// A repository with one agent for each set of roles, and the charters, frames and manifests that
// these agents sign.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/format/charter.h"
#include "common/format/frame_sealer.h"
#include "common/format/manifest.h"
#include "repository/asker.h"

namespace holdfast::repository {

// An agent with all its keys.
struct TestAgent {
  TestAgent(Random& random, std::string its_name, std::uint32_t its_roles);
  format::CharterAgent entry() const;
  AgentId id() const { return format::agent_id(signing.verify_key()); }

  std::string name;
  std::uint32_t roles;
  bool revoked = false;
  crypto::SigningKey signing;
  CurveKey curve{};
};

struct TestObject {
  ObjectId id;
  std::vector<ObjectId> refs;
  std::string payload;
};

// What makes a repository: keys and agents. Each call of charter() gives the next version.
class EnrolledRepository {
 public:
  explicit EnrolledRepository(Random& random);

  RepositoryId id() const { return format::repository_id(admin_.verify_key()); }
  // Signed, with a vault.
  format::SignedCharter charter(std::uint64_t version, std::optional<Sha256> previous) const;
  format::SignedCharter first_charter() const { return charter(1, std::nullopt); }

  TestObject data(std::string payload);
  TestObject list(std::vector<ObjectId> refs, std::string payload);
  SharedBytes frame(const TestAgent& agent, const std::vector<TestObject>& objects);
  // The manifest behind `previous` (the first without one) of the agent.
  format::SignedManifest manifest(const TestAgent& agent, const ObjectId& root,
                                  const format::SignedManifest* previous = nullptr);
  // Any number and any link.
  format::SignedManifest manifest(const TestAgent& agent, const ObjectId& root,
                                  std::uint64_t sequence, std::optional<ManifestId> previous);

  // One of each; `owner` has all roles.
  TestAgent owner, writer, other_writer, reader, admin, powerless, revoked;

 private:
  std::vector<const TestAgent*> agents() const {
    return {&owner, &writer, &other_writer, &reader, &admin, &powerless, &revoked};
  }
  Random& random_;
  crypto::SigningKey admin_;
  crypto::SecretKey id_key_;
  crypto::SecretKey encryption_key_;
};

}  // namespace holdfast::repository
