// Manifests, charters and vaults: as they are (0), with a body that is signed (1) or a plaintext
// that is sealed (2 of a manifest, 1 of a vault), and with their grammar alone looked at (3).
#include "common/crypto/aead.h"
#include "common/format/charter.h"
#include "common/format/charter.pb.h"
#include "common/format/manifest.h"
#include "common/format/manifest.pb.h"
#include "common/format/signed_body.h"
#include "tests/fuzz/allocation_budget.h"
#include "tests/fuzz/promises.h"
#include "tests/fuzz/targets.h"
#include "tests/testing/test_charter.h"
#include "tests/testing/test_repository.h"

namespace holdfast::fuzz {
namespace {

using holdfast::testing::kCheapScrypt;
using holdfast::testing::TestCharter;
using holdfast::testing::TestRepository;

constexpr std::string_view kPassphrase = "passphrase";

TestRepository& repository() {
  static TestRepository repository_of_seed(1);
  return repository_of_seed;
}
TestCharter& test_charter() {
  static TestCharter charter_of_seed(1);
  return charter_of_seed;
}

std::optional<format::SignedManifest> read_manifest_grammar(ByteView bytes) {
  const AllocationBudget budget(bytes.size());
  auto parsed = format::parse_manifest(bytes);
  if (!succeeded(parsed, {Code::kCorrupt, Code::kUnsupportedVersion})) return std::nullopt;
  check(parsed->bytes == Bytes(bytes.begin(), bytes.end()), "a manifest of other bytes");
  return std::move(*parsed);
}

void read_manifest(ByteView bytes, bool is_made_good) {
  const auto parsed = read_manifest_grammar(bytes);
  if (!parsed) return;
  const auto verified = format::verify_manifest(*parsed, repository().agent.verify_key());
  succeeded(verified, {Code::kForged});
  if (is_made_good) {
    check(verified.has_value(), "a manifest that was made good and is refused");
  } else if (verified) {
    // There is one signature of these bytes by this key.
    format::SignedProto proto;
    check(proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) &&
              proto.signature() == to_string(repository().agent.sign(format::signed_message(
                                       "holdfast v1 manifest", as_bytes(proto.body())))),
          "a manifest that nobody signed");
  }
  {
    const AllocationBudget budget(bytes.size());
    const auto detail = format::open_detail(parsed->manifest, repository().private_key);
    succeeded(detail, {Code::kCorrupt, Code::kForged});
  }
  const auto again = format::sign_again(parsed->manifest, repository().agent);
  const auto reparsed = format::parse_manifest(again.bytes);
  check(reparsed.has_value() && reparsed->id == again.id, "a manifest signed again is refused");
  check(format::sign_again(reparsed->manifest, repository().agent).bytes == again.bytes,
        "a manifest that comes back otherwise");
}

// A signed body that ends with what makes it this agent's and this run's.
void read_manifest_body(ByteView body) {
  format::ManifestProto names;
  names.set_agent(format::agent_id(repository().agent.verify_key()).str());
  names.set_repository(repository().id.str());
  names.set_ephemeral_key(to_string(repository().run.envelope.ephemeral_key));
  names.set_key_commitment(to_string(repository().run.envelope.commitment));
  format::SignedProto proto;
  proto.set_body(to_string(body) + names.SerializeAsString());
  proto.set_signature(to_string(repository().agent.sign(
      format::signed_message("holdfast v1 manifest", as_bytes(proto.body())))));
  const std::string bytes = proto.SerializeAsString();
  // Fields that are cut off take the names in.
  read_manifest(as_bytes(bytes), format::ManifestProto().ParseFromString(to_string(body)));
}

void read_detail(ByteView plaintext) {
  format::Manifest manifest;
  manifest.repository = repository().id;
  manifest.agent = format::agent_id(repository().agent.verify_key());
  manifest.sequence = 1;
  manifest.envelope = repository().run.envelope;
  Bytes aad = to_bytes("holdfast v1 detail");
  for (const ByteView part :
       {manifest.repository.view(), manifest.agent.view(), manifest.root.view()})
    append(aad, part);
  manifest.sealed_detail.resize(plaintext.size() + crypto::kTagSize);
  crypto::Aes256Gcm(repository().run.detail_key).seal(0, aad, plaintext, manifest.sealed_detail);
  const AllocationBudget budget(plaintext.size());
  const auto detail = format::open_detail(manifest, repository().private_key);
  if (succeeded(detail, {Code::kCorrupt}))
    succeeded(format::check_size(*detail), {Code::kInvalidArgument});
}

constexpr std::initializer_list<Code> kCharterCodes{Code::kCorrupt, Code::kForged,
                                                    Code::kUnsupportedVersion};

Result<format::SignedCharter> parse_charter(ByteView record, const RepositoryId& id) {
  const AllocationBudget budget(record.size());
  auto parsed = format::parse_charter(record, id);
  succeeded(parsed, kCharterCodes);
  return parsed;
}

// It belongs to another repository than is asked for, which is noticed before the signature is.
void read_charter_grammar(ByteView record) {
  const auto parsed = parse_charter(record, RepositoryId{{7}});
  check(!parsed.has_value(), "another repository's charter");
}

void read_charter(ByteView record) {
  const auto vault = format::vault_of(record);
  const auto stripped = format::without_vault(record);
  succeeded(vault, {Code::kCorrupt});
  check(vault.has_value() == stripped.has_value(), "a record that is one only for some");
  const auto parsed = parse_charter(record, test_charter().repository());
  if (!parsed) return;
  check(format::parse_charter(*stripped, test_charter().repository())->digest == parsed->digest,
        "another charter without its vault");
  for (const auto& agent : parsed->charter.agents)
    check(parsed->charter.agent(agent.id) == &agent, "an agent that is not found");
  const auto again =
      format::sign_charter(parsed->charter, *vault, test_charter().secrets.admin_seed);
  const auto reparsed = format::parse_charter(again.record, test_charter().repository());
  check(reparsed.has_value(), "a charter signed again is refused");
  check(format::sign_charter(reparsed->charter, *vault, test_charter().secrets.admin_seed).record ==
            again.record,
        "a charter that comes back otherwise");
}

void read_charter_body(ByteView body) {
  const crypto::SigningKey admin(test_charter().secrets.admin_seed.clone());
  format::CharterProto names;
  names.set_admin_key(to_string(admin.verify_key()));
  format::CharterRecordProto record;
  record.set_body(to_string(body) + names.SerializeAsString());
  record.set_signature(to_string(
      admin.sign(format::signed_message("holdfast v1 charter", as_bytes(record.body())))));
  const std::string bytes = record.SerializeAsString();
  const auto parsed = format::parse_charter(as_bytes(bytes), test_charter().repository());
  check(parsed.has_value() || parsed.error().code() != Code::kForged ||
            !format::CharterProto().ParseFromString(to_string(body)),
        "a charter that was made good and is called forged");
  read_charter(as_bytes(bytes));
}

// Costs that are allowed and take long would only slow the search down.
bool is_costly(ByteView vault) {
  format::VaultProto proto;
  if (!proto.ParseFromArray(vault.data(), static_cast<int>(vault.size()))) return false;
  const auto n = proto.scrypt_n();
  const bool is_allowed = n < 1 << 24 && proto.scrypt_r() < 1 << 24 && proto.scrypt_p() <= 16;
  return is_allowed && n * proto.scrypt_r() * proto.scrypt_p() > 1 << 10;
}

void read_sealed_secrets(ByteView plaintext) {
  static const crypto::SecretKey kKey =
      *crypto::stretch(kPassphrase, as_bytes("salt"), kCheapScrypt);
  Bytes sealed(plaintext.size() + crypto::kTagSize);
  crypto::Aes256Gcm(kKey).seal(0, as_bytes("holdfast v1 vault"), plaintext, sealed);
  format::VaultProto proto;
  proto.set_scrypt_n(kCheapScrypt.n);
  proto.set_scrypt_r(kCheapScrypt.r);
  proto.set_scrypt_p(kCheapScrypt.p);
  proto.set_salt("salt");
  proto.set_sealed(to_string(sealed));
  const std::string vault = proto.SerializeAsString();
  const auto secrets = format::open_vault(as_bytes(vault), kPassphrase);
  if (!succeeded(secrets, {Code::kCorrupt})) return;
  holdfast::testing::SeededRandom random(1);
  const auto again = format::seal_vault(*secrets, "another", random, kCheapScrypt);
  check(format::open_vault(*again, "another").has_value(), "a vault sealed again is refused");
}

}  // namespace

void manifest(ByteView input) {
  const Input parts(input);
  if (parts.mode == 1) return read_manifest_body(parts.rest);
  if (parts.mode == 2) return read_detail(parts.rest);
  if (parts.mode == 3) return static_cast<void>(read_manifest_grammar(parts.rest));
  read_manifest(parts.rest, false);
}

void charter(ByteView input) {
  const Input parts(input);
  if (parts.mode == 1) return read_charter_body(parts.rest);
  if (parts.mode == 3) return read_charter_grammar(parts.rest);
  read_charter(parts.rest);
}

void vault(ByteView input) {
  const Input parts(input);
  if (parts.mode == 1) return read_sealed_secrets(parts.rest);
  if (is_costly(parts.rest)) return;
  const AllocationBudget budget(parts.rest.size());
  succeeded(format::open_vault(parts.rest, kPassphrase),
            {Code::kCorrupt, Code::kWrongPassphrase, Code::kResourceExhausted});
}

}  // namespace holdfast::fuzz
