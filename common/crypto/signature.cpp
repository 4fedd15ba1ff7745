#include "common/crypto/signature.h"

#include <openssl/err.h>
#include <openssl/evp.h>

namespace holdfast::crypto {
namespace {

struct PkeyDeleter {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Pkey = std::unique_ptr<EVP_PKEY, PkeyDeleter>;

struct ContextDeleter {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, ContextDeleter>;

Context new_context() {
  Context context(EVP_MD_CTX_new());
  check(context != nullptr, "no memory for a signature context");
  return context;
}

}  // namespace

SigningKey::SigningKey(SecretKey seed)
    : seed_(std::move(seed)),
      key_(EVP_PKEY_new_raw_private_key_ex(nullptr, "ED25519", nullptr, seed_.view().data(),
                                           SecretKey::kSize),
           PkeyDeleter()) {
  std::size_t size = verify_key_.size();
  check(key_ != nullptr &&
            EVP_PKEY_get_raw_public_key(key_.get(), verify_key_.data(), &size) == 1 &&
            size == verify_key_.size(),
        "Ed25519 refused a seed");
}

Signature SigningKey::sign(ByteView message) const {
  // A context a call: the key is shared between threads, a context must not be.
  const Context context = new_context();
  Signature signature;
  std::size_t size = signature.size();
  check(EVP_DigestSignInit_ex(context.get(), nullptr, nullptr, nullptr, nullptr, key_.get(),
                              nullptr) == 1 &&
            EVP_DigestSign(context.get(), signature.data(), &size, message.data(),
                           message.size()) == 1 &&
            size == signature.size(),
        "Ed25519 did not sign");
  return signature;
}

bool verify(const VerifyKey& key, ByteView message, ByteView signature) {
  if (signature.size() != std::tuple_size_v<Signature>) return false;
  const Pkey pkey(
      EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr, key.data(), key.size()));
  check(pkey != nullptr, "no memory for a public key");  // any 32 bytes are taken here
  const Context context = new_context();
  check(EVP_DigestVerifyInit_ex(context.get(), nullptr, nullptr, nullptr, nullptr, pkey.get(),
                                nullptr) == 1,
        "OpenSSL cannot verify Ed25519");
  const bool good = EVP_DigestVerify(context.get(), signature.data(), signature.size(),
                                     message.data(), message.size()) == 1;
  if (!good) ERR_clear_error();
  return good;
}

}  // namespace holdfast::crypto
