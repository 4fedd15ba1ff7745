// The key of one backup run. Agreed between an ephemeral X25519 key and the repository's public
// key, so that who writes cannot read what it wrote; never stored, never resumed after a crash, so
// that a nonce (a frame's number, which only counts up) is used once.
#pragma once

#include <atomic>

#include "common/base/result.h"
#include "common/crypto/agreement.h"
#include "common/crypto/secret.h"
#include "common/format/frame.h"

namespace holdfast::format {

struct RunKeys {
  crypto::SecretKey frame_key;   // seals frames
  crypto::SecretKey detail_key;  // seals the manifest's detail, once, with nonce 0
  RunEnvelope envelope;
};

// False for a point of low order, on which nothing can be agreed. Who parses a repository's public
// key asks, so that begin_run() is only given good ones.
bool is_usable(const crypto::PublicKey& repository_key);
// For a writer: a fresh run. Aborts if the key is not usable.
RunKeys begin_run(Random& random, const RepositoryId& repository,
                  const crypto::PublicKey& repository_key);
// For a reader. kForged if the commitment does not match: the frame was not sealed for this
// repository's key, or its envelope was altered.
Result<RunKeys> recover_run(const RunEnvelope& envelope, const RepositoryId& repository,
                            const crypto::SecretKey& repository_private_key);

// Hands out each frame number of a run once. Thread-safe.
class FrameCounter {
 public:
  std::uint64_t next() { return next_.fetch_add(1, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> next_{1};
};

}  // namespace holdfast::format
