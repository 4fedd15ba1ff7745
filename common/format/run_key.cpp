#include "common/format/run_key.h"

#include "common/base/planted_bug.h"
#include "common/crypto/hash.h"

namespace holdfast::format {
namespace {

// 96 bytes from the agreed secret: the frames' key, the detail's key, the commitment. The ephemeral
// and the repository's public key are bound through the salt, the repository through the info.
RunKeys expand(const crypto::SecretKey& agreed, const crypto::PublicKey& ephemeral,
               const crypto::PublicKey& repository_key, const RepositoryId& repository) {
  Bytes salt(ephemeral.begin(), ephemeral.end());
  append(salt, repository_key);
  Bytes info = to_bytes("holdfast v1 run keys");
  append(info, repository.view());
  std::array<Byte, 96> out;
  crypto::hkdf_sha256(agreed.view(), salt, info, out);
  RunKeys keys{crypto::SecretKey::from(ByteView(out).first(32)),
               crypto::SecretKey::from(ByteView(out).subspan(32, 32)),
               {ephemeral, {}}};
  std::memcpy(keys.envelope.commitment.data(), out.data() + 64, 32);
  crypto::wipe(out);
  return keys;
}

}  // namespace

bool is_usable(const crypto::PublicKey& repository_key) {
  // X25519 clears a scalar's low bits, so any scalar meets all points of low order.
  return crypto::agree(crypto::SecretKey(), repository_key).has_value();
}

RunKeys begin_run(Random& random, const RepositoryId& repository,
                  const crypto::PublicKey& repository_key) {
  const crypto::SecretKey ephemeral = HOLDFAST_PLANTED("go on with the key of an earlier run")
                                          ? crypto::SecretKey()
                                          : crypto::SecretKey::generate(random);
  auto agreed = crypto::agree(ephemeral, repository_key);
  check(agreed.has_value(), "a run for a public key of low order");
  return expand(*agreed, crypto::public_key(ephemeral), repository_key, repository);
}

Result<RunKeys> recover_run(const RunEnvelope& envelope, const RepositoryId& repository,
                            const crypto::SecretKey& repository_private_key) {
  HOLDFAST_ASSIGN_OR(auto agreed, crypto::agree(repository_private_key, envelope.ephemeral_key),
                     "run key");
  RunKeys keys = expand(agreed, envelope.ephemeral_key, crypto::public_key(repository_private_key),
                        repository);
  if (!crypto::equal_in_constant_time(keys.envelope.commitment, envelope.commitment))
    return Error(Code::kForged,
                 "run key: the commitment does not match; this was sealed for another "
                 "repository, or altered");
  return keys;
}

}  // namespace holdfast::format
