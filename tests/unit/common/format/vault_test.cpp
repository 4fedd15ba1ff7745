#include <gtest/gtest.h>

#include <chrono>
#include <set>

#include "common/crypto/aead.h"
#include "common/format/charter.h"
#include "common/format/charter.pb.h"
#include "tests/testing/seed.h"
#include "tests/testing/test_charter.h"

namespace holdfast::format {
namespace {

using holdfast::testing::kCheapScrypt;
using holdfast::testing::seed;
using holdfast::testing::SeededRandom;

VaultSecrets some_secrets(SeededRandom& random) {
  return VaultSecrets::generate(random, crypto::SecretKey::generate(random));
}

VaultProto proto_of(ByteView vault) {
  VaultProto proto;
  check(proto.ParseFromArray(vault.data(), static_cast<int>(vault.size())), "a sealed vault");
  return proto;
}

Code opened(const VaultProto& proto, std::string_view passphrase) {
  const auto secrets = open_vault(to_bytes(proto.SerializeAsString()), passphrase);
  return secrets ? Code::kAlreadyExists : secrets.error().code();
}

TEST(Vault, OpensWithItsPassphrase) {
  SeededRandom random(seed());
  const VaultSecrets secrets = some_secrets(random);
  const auto vault = seal_vault(secrets, "correct horse", random, kCheapScrypt);
  const auto opened_secrets = open_vault(*vault, "correct horse");
  ASSERT_TRUE(opened_secrets.has_value()) << opened_secrets.error().message();
  const auto same = [](const crypto::SecretKey& a, const crypto::SecretKey& b) {
    return std::ranges::equal(a.view(), b.view());
  };
  EXPECT_TRUE(same(opened_secrets->encryption_key, secrets.encryption_key));
  EXPECT_TRUE(same(opened_secrets->admin_seed, secrets.admin_seed));
  EXPECT_TRUE(same(opened_secrets->id_key, secrets.id_key));
  EXPECT_TRUE(same(opened_secrets->chunking_key, secrets.chunking_key));
  EXPECT_TRUE(same(opened_secrets->owner_seed, secrets.owner_seed));
  EXPECT_TRUE(same(opened_secrets->owner_curve_key, secrets.owner_curve_key));
}

TEST(Vault, RefusesAnotherPassphraseByName) {
  SeededRandom random(seed());
  const auto vault = seal_vault(some_secrets(random), "correct horse", random, kCheapScrypt);
  for (const std::string_view wrong : {"", "correct horse ", "Correct horse", "correct"})
    EXPECT_EQ(open_vault(*vault, wrong).error().code(), Code::kWrongPassphrase) << wrong;
}

TEST(Vault, TakesAnyBytesAsAPassphrase) {
  SeededRandom random(seed());
  const VaultSecrets secrets = some_secrets(random);
  for (const std::string& passphrase :
       {std::string(), std::string("\0nul", 4), std::string("\xFF\xFE"), std::string(5000, 'p')}) {
    const auto vault = seal_vault(secrets, passphrase, random, kCheapScrypt);
    EXPECT_TRUE(open_vault(*vault, passphrase).has_value());
    EXPECT_FALSE(open_vault(*vault, passphrase + '\0' + "x").has_value());
  }
}

// Nonce 0 is safe because the key is another each time.
TEST(Vault, IsSaltedAfreshEachTime) {
  SeededRandom random(seed());
  const VaultSecrets secrets = some_secrets(random);
  std::set<std::string> salts, sealed;
  for (int i = 0; i < 20; ++i) {
    const VaultProto proto = proto_of(*seal_vault(secrets, "same", random, kCheapScrypt));
    salts.insert(proto.salt());
    sealed.insert(proto.sealed());
    EXPECT_EQ(proto.salt().size(), 32U);
  }
  EXPECT_EQ(salts.size(), 20U);
  EXPECT_EQ(sealed.size(), 20U);
}

TEST(Vault, AlteredAnywhereDoesNotOpen) {
  SeededRandom random(seed());
  // The costs are not flipped: another is another vault, tried below.
  const VaultProto good =
      proto_of(*seal_vault(some_secrets(random), "passphrase", random, kCheapScrypt));
  ASSERT_EQ(opened(good, "passphrase"), Code::kAlreadyExists);
  for (std::size_t i = 0; i < good.sealed().size(); ++i) {
    VaultProto changed = good;
    (*changed.mutable_sealed())[i] ^= 1;
    EXPECT_EQ(opened(changed, "passphrase"), Code::kWrongPassphrase);
  }
  for (std::size_t i = 0; i < good.salt().size(); ++i) {
    VaultProto changed = good;
    (*changed.mutable_salt())[i] ^= 1;
    EXPECT_EQ(opened(changed, "passphrase"), Code::kWrongPassphrase);
  }
  VaultProto cost = good;
  cost.set_scrypt_n(good.scrypt_n() * 2);
  EXPECT_EQ(opened(cost, "passphrase"), Code::kWrongPassphrase);
}

TEST(Vault, TruncatedAnywhereDoesNotOpen) {
  SeededRandom random(seed());
  const Bytes vault = *seal_vault(some_secrets(random), "passphrase", random, kCheapScrypt);
  for (std::size_t size = 0; size < vault.size(); ++size)
    EXPECT_EQ(open_vault(ByteView(vault).first(size), "passphrase").error().code(), Code::kCorrupt)
        << size;
}

TEST(Vault, WithHostileCostsIsRefusedAtOnce) {
  SeededRandom random(seed());
  const VaultProto good =
      proto_of(*seal_vault(some_secrets(random), "passphrase", random, kCheapScrypt));
  const crypto::ScryptCost costs[] = {
      {0, 8, 1},           {1, 8, 1},           {3, 8, 1},         {1ULL << 63, 8, 1},
      {1ULL << 21, 8, 1},  {16, 0, 1},          {16, 8, 0},        {16, 8, 17},
      {16, 0xFFFFFFFF, 1}, {16, 8, 0xFFFFFFFF}, {~0ULL, ~0U, ~0U}, {1ULL << 62, 1U << 30, 16},
  };
  const auto start = std::chrono::steady_clock::now();
  for (const crypto::ScryptCost& cost : costs) {
    VaultProto proto = good;
    proto.set_scrypt_n(cost.n);
    proto.set_scrypt_r(cost.r);
    proto.set_scrypt_p(cost.p);
    EXPECT_EQ(opened(proto, "passphrase"), Code::kCorrupt)
        << cost.n << ' ' << cost.r << ' ' << cost.p;
  }
  // Any one of them, had it been tried, would take a gigabyte or seconds.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
  // Asked for by the caller, the same is the caller's mistake.
  EXPECT_EQ(seal_vault(some_secrets(random), "passphrase", random, {3, 8, 1}).error().code(),
            Code::kInvalidArgument);
}

// Sealed under the right passphrase by a broken writer.
TEST(Vault, WithMalformedSecretsIsCorrupt) {
  SeededRandom random(seed());
  VaultProto proto =
      proto_of(*seal_vault(some_secrets(random), "passphrase", random, kCheapScrypt));
  const auto key = crypto::stretch("passphrase", as_bytes(proto.salt()), kCheapScrypt);
  const auto reseal = [&](std::string_view plain) {
    Bytes sealed(plain.size() + crypto::kTagSize);
    crypto::Aes256Gcm(*key).seal(0, as_bytes("holdfast v1 vault"), as_bytes(plain), sealed);
    proto.set_sealed(to_string(sealed));
    return opened(proto, "passphrase");
  };
  VaultSecretsProto secrets;
  for (std::string* field : {secrets.mutable_encryption_key(), secrets.mutable_admin_seed(),
                             secrets.mutable_id_key(), secrets.mutable_chunking_key(),
                             secrets.mutable_owner_seed(), secrets.mutable_owner_curve_key()})
    field->assign(32, 's');
  EXPECT_EQ(reseal(secrets.SerializeAsString()), Code::kAlreadyExists);  // the resealing is right
  EXPECT_EQ(reseal(""), Code::kCorrupt);
  EXPECT_EQ(reseal("garbage"), Code::kCorrupt);
  for (std::string* field : {secrets.mutable_encryption_key(), secrets.mutable_admin_seed(),
                             secrets.mutable_id_key(), secrets.mutable_chunking_key(),
                             secrets.mutable_owner_seed(), secrets.mutable_owner_curve_key()}) {
    field->pop_back();
    EXPECT_EQ(reseal(secrets.SerializeAsString()), Code::kCorrupt);
    field->push_back('s');
  }
}

TEST(Vault, GarbageIsCorrupt) {
  EXPECT_EQ(open_vault({}, "passphrase").error().code(), Code::kCorrupt);
  EXPECT_EQ(open_vault(as_bytes("garbage"), "passphrase").error().code(), Code::kCorrupt);
  EXPECT_EQ(open_vault(Bytes(kMaxCharterSize + 1), "passphrase").error().code(), Code::kCorrupt);
}

}  // namespace
}  // namespace holdfast::format
