// HMAC over OpenSSL's low-level SHA-256 (deprecated in 3.0 in favour of EVP, and still what EVP
// runs, SHA-NI included). A small file is one object and one HMAC, so the cost of a call counts:
// the states after the inner and the outer padded key are computed once, and a call copies them
// (112 bytes each) instead of walking through EVP's parameters and allocations.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "common/crypto/hash.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>

namespace holdfast::crypto {
namespace {

constexpr std::size_t kBlockSize = SHA256_CBLOCK;

void update(SHA256_CTX& context, ByteView bytes) {
  check(SHA256_Update(&context, bytes.data(), bytes.size()) == 1, "SHA-256 refused bytes");
}

Sha256 finish(SHA256_CTX& context) {
  Sha256 digest;
  check(SHA256_Final(digest.bytes.data(), &context) == 1, "SHA-256 did not finish");
  return digest;
}

Sha256 sha256_of(std::span<const ByteView> parts) {
  SHA256_CTX context;
  check(SHA256_Init(&context) == 1, "SHA-256 did not start");
  for (const ByteView part : parts) update(context, part);
  return finish(context);
}

// The two states of RFC 2104, after the first block of each hash. A key of any length.
class HmacStates {
 public:
  explicit HmacStates(ByteView key) {
    std::array<Byte, kBlockSize> block{};
    if (key.size() > kBlockSize) {
      const Sha256 digest = sha256(key);
      std::ranges::copy(digest.bytes, block.begin());
    } else {
      std::ranges::copy(key, block.begin());
    }
    start(inner_, block, 0x36);
    start(outer_, block, 0x5c);
    wipe(block);
  }
  ~HmacStates() {
    OPENSSL_cleanse(&inner_, sizeof inner_);
    OPENSSL_cleanse(&outer_, sizeof outer_);
  }
  HmacStates(const HmacStates&) = delete;
  HmacStates& operator=(const HmacStates&) = delete;

  Sha256 mac(std::span<const ByteView> parts) const {
    SHA256_CTX context = inner_;
    for (const ByteView part : parts) update(context, part);
    const Sha256 inner = finish(context);
    context = outer_;
    update(context, inner.view());
    return finish(context);
  }
  Sha256 mac(std::initializer_list<ByteView> parts) const {
    return mac(std::span<const ByteView>(parts.begin(), parts.size()));
  }

 private:
  static void start(SHA256_CTX& context, std::array<Byte, kBlockSize> block, Byte pad) {
    for (Byte& byte : block) byte ^= pad;
    check(SHA256_Init(&context) == 1, "SHA-256 did not start");
    update(context, block);
    wipe(block);
  }

  SHA256_CTX inner_;
  SHA256_CTX outer_;
};

}  // namespace

Sha256 sha256(ByteView bytes) { return sha256_of({&bytes, 1}); }

Sha256 sha256(std::initializer_list<ByteView> parts) {
  return sha256_of({parts.begin(), parts.size()});
}

struct HmacSha256::State : HmacStates {
  using HmacStates::HmacStates;
};

HmacSha256::HmacSha256(const SecretKey& key) : state_(std::make_unique<State>(key.view())) {}
HmacSha256::~HmacSha256() = default;
HmacSha256::HmacSha256(HmacSha256&&) noexcept = default;
HmacSha256& HmacSha256::operator=(HmacSha256&&) noexcept = default;

Sha256 HmacSha256::mac(std::span<const ByteView> parts) { return state_->mac(parts); }

void hkdf_sha256(ByteView secret, ByteView salt, ByteView info, MutableByteView out) {
  check(out.size() <= 255 * Sha256::kSize, "more than HKDF-SHA-256 can expand to");
  // An absent salt is a block of zeros, which is what the padding of an empty key gives.
  Sha256 pseudorandom_key = HmacStates(salt).mac({secret});
  const HmacStates expand(pseudorandom_key.view());
  Sha256 block;
  for (Byte counter = 1; !out.empty(); ++counter) {
    const ByteView previous = counter == 1 ? ByteView() : block.view();
    block = expand.mac({previous, info, ByteView(&counter, 1)});
    const std::size_t size = std::min(out.size(), block.bytes.size());
    std::copy_n(block.bytes.begin(), size, out.begin());
    out = out.subspan(size);
  }
  wipe(block.bytes);
  wipe(pseudorandom_key.bytes);
}

SecretKey derive_key(const SecretKey& from, ByteView info) {
  SecretKey key;
  hkdf_sha256(from.view(), {}, info, key.mutable_view());
  return key;
}

}  // namespace holdfast::crypto
