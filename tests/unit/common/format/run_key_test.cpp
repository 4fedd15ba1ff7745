#include "common/format/run_key.h"

#include <gtest/gtest.h>

#include "common/crypto/hash.h"
#include "tests/testing/seed.h"
#include "tests/testing/test_repository.h"

namespace holdfast::format {
namespace {

using holdfast::testing::seed;
using holdfast::testing::TestRepository;

TEST(RunKeys, AreTheSameForWriterAndReader) {
  TestRepository repository(seed());
  const auto recovered =
      recover_run(repository.run.envelope, repository.id, repository.private_key);
  ASSERT_TRUE(recovered.has_value());
  EXPECT_TRUE(std::ranges::equal(recovered->frame_key.view(), repository.run.frame_key.view()));
  EXPECT_TRUE(std::ranges::equal(recovered->detail_key.view(), repository.run.detail_key.view()));
  EXPECT_EQ(recovered->envelope, repository.run.envelope);
}

TEST(RunKeys, AreRefusedToAnotherKeyAndForAnotherRepository) {
  TestRepository repository(seed()), other(seed() + 1);
  EXPECT_EQ(recover_run(repository.run.envelope, repository.id, other.private_key).error().code(),
            Code::kForged);
  EXPECT_EQ(recover_run(repository.run.envelope, RepositoryId{{9}}, repository.private_key)
                .error()
                .code(),
            Code::kForged);
}

TEST(RunKeys, AreRefusedWhenTheEnvelopeWasAltered) {
  TestRepository repository(seed());
  for (std::size_t bit = 0; bit < 256; ++bit) {
    RunEnvelope envelope = repository.run.envelope;
    envelope.commitment[bit / 8] ^= static_cast<Byte>(1U << bit % 8);
    EXPECT_FALSE(recover_run(envelope, repository.id, repository.private_key).has_value());
    envelope = repository.run.envelope;
    // X25519 ignores the highest bit; the salt of the derivation does not.
    envelope.ephemeral_key[bit / 8] ^= static_cast<Byte>(1U << bit % 8);
    EXPECT_FALSE(recover_run(envelope, repository.id, repository.private_key).has_value()) << bit;
  }
}

// The derivation once more, by hand: docs/format.md is enough to write a reader.
TEST(RunKeys, AreDerivedAsTheFormatSays) {
  TestRepository repository(seed());
  const auto& ephemeral = repository.run.envelope.ephemeral_key;
  const auto agreed = crypto::agree(repository.private_key, ephemeral);
  Bytes salt(ephemeral.begin(), ephemeral.end());
  append(salt, repository.public_key);
  Bytes info = to_bytes("holdfast v1 run keys");
  append(info, repository.id.view());
  Bytes out(96);
  crypto::hkdf_sha256(agreed->view(), salt, info, out);
  EXPECT_TRUE(std::ranges::equal(ByteView(out).first(32), repository.run.frame_key.view()));
  EXPECT_TRUE(std::ranges::equal(ByteView(out).subspan(32, 32), repository.run.detail_key.view()));
  EXPECT_TRUE(std::ranges::equal(ByteView(out).last(32), repository.run.envelope.commitment));
}

// The points of low order (RFC 7748 section 6.1; the list is cr.yp.to/ecdh.html's).
TEST(RepositoryKey, OfLowOrderIsNotUsable) {
  const char* const points[] = {
      "0000000000000000000000000000000000000000000000000000000000000000",
      "0100000000000000000000000000000000000000000000000000000000000000",
      "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
      "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  };
  TestRepository repository(seed());
  EXPECT_TRUE(is_usable(repository.public_key));
  for (const char* const hex : points) {
    const auto point = Sha256::from_hex(hex)->bytes;
    EXPECT_FALSE(is_usable(point)) << hex;
    EXPECT_EQ(recover_run({point, {}}, repository.id, repository.private_key).error().code(),
              Code::kForged)
        << hex;
  }
}

TEST(RepositoryKeyDeathTest, OfLowOrderBeginsNoRun) {
  TestRepository repository(seed());
  EXPECT_DEATH((void)begin_run(repository.random, repository.id, crypto::PublicKey{}), "low order");
}

}  // namespace
}  // namespace holdfast::format
