#define XXH_STATIC_LINKING_ONLY  // the size of the streaming state, so that it lives on the stack
#include "common/content/checksum.h"

#include <xxhash.h>

namespace holdfast::content {
namespace {

Checksum canonical(XXH128_hash_t hash) {
  XXH128_canonical_t bytes;
  XXH128_canonicalFromHash(&bytes, hash);
  Checksum checksum;
  std::memcpy(checksum.data(), bytes.digest, checksum.size());
  return checksum;
}

}  // namespace

Checksum checksum(ByteView bytes) { return canonical(XXH3_128bits(bytes.data(), bytes.size())); }

Checksum checksum(std::initializer_list<ByteView> parts) {
  XXH3_state_t state;
  check(XXH3_128bits_reset(&state) == XXH_OK, "XXH3 did not start");
  for (const ByteView part : parts)
    check(XXH3_128bits_update(&state, part.data(), part.size()) == XXH_OK, "XXH3 refused bytes");
  return canonical(XXH3_128bits_digest(&state));
}

std::uint64_t checksum64(ByteView bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

}  // namespace holdfast::content
