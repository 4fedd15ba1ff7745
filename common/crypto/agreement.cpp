#include "common/crypto/agreement.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <memory>

namespace holdfast::crypto {
namespace {

struct PkeyDeleter {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Pkey = std::unique_ptr<EVP_PKEY, PkeyDeleter>;

struct ContextDeleter {
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_PKEY_CTX, ContextDeleter>;

Pkey private_key(const SecretKey& scalar) {
  Pkey key(EVP_PKEY_new_raw_private_key_ex(nullptr, "X25519", nullptr, scalar.view().data(),
                                           SecretKey::kSize));
  check(key != nullptr, "X25519 refused a scalar");
  return key;
}

}  // namespace

PublicKey public_key(const SecretKey& scalar) {
  const Pkey key = private_key(scalar);
  PublicKey result;
  std::size_t size = result.size();
  check(EVP_PKEY_get_raw_public_key(key.get(), result.data(), &size) == 1 && size == result.size(),
        "X25519 gave no public key");
  return result;
}

Result<SecretKey> agree(const SecretKey& scalar, const PublicKey& other) {
  const Pkey own = private_key(scalar);
  const Pkey peer(
      EVP_PKEY_new_raw_public_key_ex(nullptr, "X25519", nullptr, other.data(), other.size()));
  check(peer != nullptr, "no memory for a public key");  // any 32 bytes are a point of the curve
  const Context context(EVP_PKEY_CTX_new_from_pkey(nullptr, own.get(), nullptr));
  check(context != nullptr && EVP_PKEY_derive_init(context.get()) == 1 &&
            EVP_PKEY_derive_set_peer(context.get(), peer.get()) == 1,
        "OpenSSL cannot agree by X25519");
  SecretKey shared;
  std::size_t size = SecretKey::kSize;
  // OpenSSL refuses an all-zero result; that it does is tested, and not relied on.
  const bool derived = EVP_PKEY_derive(context.get(), shared.mutable_view().data(), &size) == 1;
  if (!derived || equal_in_constant_time(shared.view(), SecretKey().view())) {
    ERR_clear_error();
    return Error(Code::kForged, "the other X25519 public key is a point of low order");
  }
  check(size == SecretKey::kSize, "X25519 gave a secret of another size");
  return Result<SecretKey>(std::move(shared));
}

}  // namespace holdfast::crypto
