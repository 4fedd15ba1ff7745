// What every byte and every small file pays for being named, sealed and signed.
#include <benchmark/benchmark.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "common/crypto/aead.h"
#include "common/crypto/agreement.h"
#include "common/crypto/hash.h"
#include "common/crypto/signature.h"
#include "tests/testing/seeded_random.h"

namespace holdfast::crypto {
namespace {

using holdfast::testing::seeded_bytes;
using holdfast::testing::SeededRandom;

SecretKey key() { return SecretKey::from(seeded_bytes(1, SecretKey::kSize)); }

void count_bytes(benchmark::State& state) {
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void hmac(benchmark::State& state) {
  HmacSha256 hmac(key());
  const Bytes bytes = seeded_bytes(2, static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(hmac.mac({bytes}));
  count_bytes(state);
}
BENCHMARK(hmac)->Arg(64)->Arg(4 << 10)->Arg(64 << 10)->Arg(1 << 20);

// The other way to use a key again, which HmacSha256 avoids.
void hmac_by_evp(benchmark::State& state) {
  EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  EVP_MAC_CTX* const context = EVP_MAC_CTX_new(mac);
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  const SecretKey secret = key();
  EVP_MAC_init(context, secret.view().data(), SecretKey::kSize, parameters);
  const Bytes bytes = seeded_bytes(2, static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    Sha256 out;
    std::size_t size = 0;
    EVP_MAC_init(context, nullptr, 0, nullptr);
    EVP_MAC_update(context, bytes.data(), bytes.size());
    EVP_MAC_final(context, out.bytes.data(), &size, out.bytes.size());
    benchmark::DoNotOptimize(out);
  }
  count_bytes(state);
  EVP_MAC_CTX_free(context);
  EVP_MAC_free(mac);
}
BENCHMARK(hmac_by_evp)->Arg(64)->Arg(4 << 10)->Arg(64 << 10);

void sha256_of_a_frame(benchmark::State& state) {
  const Bytes bytes = seeded_bytes(2, static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(sha256(bytes));
  count_bytes(state);
}
BENCHMARK(sha256_of_a_frame)->Arg(1 << 20);

void gcm_seal(benchmark::State& state) {
  Aes256Gcm gcm(key());
  const auto size = static_cast<std::size_t>(state.range(0));
  Bytes buffer = seeded_bytes(3, size + kTagSize);
  const Bytes aad(64);
  std::uint64_t nonce = 0;
  for (auto _ : state) {
    gcm.seal(nonce++, aad, ByteView(buffer).first(size), buffer);
    benchmark::DoNotOptimize(buffer.data());
  }
  count_bytes(state);
}
BENCHMARK(gcm_seal)->Arg(64)->Arg(4 << 10)->Arg(64 << 10)->Arg(1 << 20);

void gcm_open(benchmark::State& state) {
  Aes256Gcm gcm(key());
  const auto size = static_cast<std::size_t>(state.range(0));
  const Bytes plaintext = seeded_bytes(3, size);
  Bytes sealed(size + kTagSize), out(size);
  gcm.seal(1, {}, plaintext, sealed);
  for (auto _ : state)
    if (!gcm.open(1, {}, sealed, out)) state.SkipWithError("refused");
  count_bytes(state);
}
BENCHMARK(gcm_open)->Arg(64)->Arg(4 << 10)->Arg(64 << 10)->Arg(1 << 20);

void gcm_new_key(benchmark::State& state) {
  const SecretKey secret = key();
  for (auto _ : state) benchmark::DoNotOptimize(Aes256Gcm(secret));
}
BENCHMARK(gcm_new_key);

void ed25519_sign(benchmark::State& state) {
  const SigningKey signing(key());
  const Bytes digest = seeded_bytes(4, 32);
  for (auto _ : state) benchmark::DoNotOptimize(signing.sign(digest));
}
BENCHMARK(ed25519_sign);

void ed25519_verify(benchmark::State& state) {
  const SigningKey signing(key());
  const Bytes digest = seeded_bytes(4, 32);
  const Signature signature = signing.sign(digest);
  for (auto _ : state)
    if (!verify(signing.verify_key(), digest, signature)) state.SkipWithError("refused");
}
BENCHMARK(ed25519_verify);

void x25519_agree(benchmark::State& state) {
  SeededRandom random(5);
  const PublicKey other = public_key(SecretKey::generate(random));
  const SecretKey own = key();
  for (auto _ : state) benchmark::DoNotOptimize(agree(own, other));
}
BENCHMARK(x25519_agree);

void hkdf_two_keys(benchmark::State& state) {
  const SecretKey secret = key();
  Bytes out(64);
  for (auto _ : state) {
    hkdf_sha256(secret.view(), {}, as_bytes("holdfast"), out);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(hkdf_two_keys);

}  // namespace
}  // namespace holdfast::crypto
