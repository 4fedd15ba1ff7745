// The keys of a repository as far as one holder has them.
#pragma once

#include <optional>

#include "common/base/digest.h"
#include "common/content/chunker.h"
#include "common/crypto/agreement.h"
#include "common/crypto/signature.h"

namespace holdfast::agent {

// What adding snapshots takes.
struct WriterKeys {
  RepositoryId repository;
  crypto::PublicKey encryption_key{};
  crypto::SigningKey signing_key;
  crypto::SecretKey id_key;  // of the trust group
  content::Chunker chunker;
  int compression_level = 3;
};

// What reading takes.
struct ReaderKeys {
  RepositoryId repository;
  crypto::SecretKey private_key;
  crypto::SecretKey id_key;  // of the trust group
};

}  // namespace holdfast::agent
