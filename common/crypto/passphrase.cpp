#include "common/crypto/passphrase.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <bit>

namespace holdfast::crypto {
namespace {

constexpr std::uint64_t kMostMemory = std::uint64_t{1} << 30;
constexpr std::uint32_t kMostParallel = 16;

// What OpenSSL allocates: p blocks of 128 r bytes, N of them for the table and two to work in.
// The caller has bounded n and r, so that this does not overflow.
std::uint64_t memory_needed(const ScryptCost& cost) {
  return 128 * std::uint64_t{cost.r} * (cost.n + 2 + cost.p);
}

bool is_allowed(const ScryptCost& cost) {
  if (cost.n < 2 || !std::has_single_bit(cost.n) || cost.n > kMostMemory) return false;
  if (cost.r == 0 || cost.r > kMostMemory / 128) return false;
  if (cost.p == 0 || cost.p > kMostParallel) return false;
  // RFC 7914 section 2: N is less than 2^(128 r / 8).
  if (cost.r < 4 && cost.n >= std::uint64_t{1} << (16 * cost.r)) return false;
  return memory_needed(cost) <= kMostMemory + kMostMemory / 64;
}

}  // namespace

Result<SecretKey> stretch(std::string_view passphrase, ByteView salt, const ScryptCost& cost) {
  if (!is_allowed(cost))
    return Error(Code::kInvalidArgument,
                 fmt::format("scrypt costs N={} r={} p={} are outside what is allowed", cost.n,
                             cost.r, cost.p));
  SecretKey key;
  if (EVP_PBE_scrypt(passphrase.data(), passphrase.size(), salt.data(), salt.size(), cost.n, cost.r,
                     cost.p, 2 * kMostMemory, key.mutable_view().data(), SecretKey::kSize) != 1) {
    ERR_clear_error();
    return Error(Code::kResourceExhausted,
                 fmt::format("no memory for scrypt: {} bytes", memory_needed(cost)));
  }
  return Result<SecretKey>(std::move(key));
}

}  // namespace holdfast::crypto
