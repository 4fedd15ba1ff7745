// Two OpenSSL contexts a key, one for each direction, because a context cannot change direction
// without its key. The key schedule and the GHASH table are computed once; a call only sets a
// nonce.
#include "common/crypto/aead.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "common/base/endian.h"

namespace holdfast::crypto {
namespace {

constexpr std::size_t kNonceSize = 12;
constexpr std::size_t kLargestStep = 1 << 30;  // OpenSSL counts in int; a multiple of the block

struct ContextDeleter {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, ContextDeleter>;

// Looked up once; a lookup by name takes a lock and costs more than sealing a small frame.
const EVP_CIPHER* aes_256_gcm() {
  static EVP_CIPHER* const kCipher = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  check(kCipher != nullptr, "OpenSSL has no AES-256-GCM");
  return kCipher;
}

Context keyed_context(const SecretKey& key, bool sealing) {
  Context context(EVP_CIPHER_CTX_new());
  check(context != nullptr, "no memory for a cipher context");
  check(EVP_CipherInit_ex2(context.get(), aes_256_gcm(), key.view().data(), nullptr,
                           sealing ? 1 : 0, nullptr) == 1,
        "AES-256-GCM refused a key");
  return context;
}

std::array<Byte, kNonceSize> nonce_bytes(std::uint64_t nonce) {
  std::array<Byte, kNonceSize> bytes{};
  store_le(bytes.data() + 4, nonce);
  return bytes;
}

// Runs `from` through the cipher into `to`; as associated data if `to` is null.
void update(EVP_CIPHER_CTX* context, ByteView from, Byte* to) {
  while (!from.empty()) {
    const std::size_t step = std::min(from.size(), kLargestStep);
    int written = 0;
    check(EVP_CipherUpdate(context, to, &written, from.data(), static_cast<int>(step)) == 1 &&
              static_cast<std::size_t>(written) == step,
          "AES-256-GCM refused bytes");
    from = from.subspan(step);
    if (to != nullptr) to += step;
  }
}

}  // namespace

struct Aes256Gcm::State {
  Context sealing;
  Context opening;
};

Aes256Gcm::Aes256Gcm(const SecretKey& key)
    : state_(new State{keyed_context(key, true), keyed_context(key, false)}) {}
Aes256Gcm::~Aes256Gcm() = default;
Aes256Gcm::Aes256Gcm(Aes256Gcm&&) noexcept = default;
Aes256Gcm& Aes256Gcm::operator=(Aes256Gcm&&) noexcept = default;

void Aes256Gcm::seal(std::uint64_t nonce, ByteView aad, ByteView plaintext, MutableByteView out) {
  check(out.size() == plaintext.size() + kTagSize, "sealed bytes into a place of another size");
  EVP_CIPHER_CTX* const context = state_->sealing.get();
  const auto iv = nonce_bytes(nonce);
  check(EVP_EncryptInit_ex2(context, nullptr, nullptr, iv.data(), nullptr) == 1,
        "AES-256-GCM refused a nonce");
  update(context, aad, nullptr);
  update(context, plaintext, out.data());
  Byte* const tag = out.data() + plaintext.size();
  int written = 0;
  check(EVP_EncryptFinal_ex(context, tag, &written) == 1 && written == 0 &&
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTagSize, tag) == 1,
        "AES-256-GCM gave no tag");
}

Status Aes256Gcm::open(std::uint64_t nonce, ByteView aad, ByteView sealed, MutableByteView out) {
  if (sealed.size() < kTagSize) return Error(Code::kForged, "sealed bytes shorter than their tag");
  const ByteView ciphertext = sealed.first(sealed.size() - kTagSize);
  check(out.size() == ciphertext.size(), "opened bytes into a place of another size");
  std::array<Byte, kTagSize> tag;  // a copy: OpenSSL takes it as a mutable pointer
  std::ranges::copy(sealed.last(kTagSize), tag.begin());
  EVP_CIPHER_CTX* const context = state_->opening.get();
  const auto iv = nonce_bytes(nonce);
  check(EVP_DecryptInit_ex2(context, nullptr, nullptr, iv.data(), nullptr) == 1 &&
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTagSize, tag.data()) == 1,
        "AES-256-GCM refused a nonce");
  update(context, aad, nullptr);
  update(context, ciphertext, out.data());
  int written = 0;
  Byte nothing = 0;  // GCM writes nothing at the end, but the pointer must not be null
  if (EVP_DecryptFinal_ex(context, &nothing, &written) != 1) {
    ERR_clear_error();
    wipe(out);
    return Error(Code::kForged, "sealed bytes do not match their tag");
  }
  return {};
}

}  // namespace holdfast::crypto
