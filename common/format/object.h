// What the store addresses. An object's id is HMAC-SHA-256, under the id key of its trust group, of
// its kind, its refs and its payload: a node can be asked for an id without learning content, and a
// reader can check what it was given.
#pragma once

#include <span>

#include "common/base/digest.h"
#include "common/crypto/hash.h"

namespace holdfast::format {

enum class ObjectKind : std::uint8_t {
  kData = 1,  // a chunk; no refs
  kList = 2,  // a catalog node or a list of chunks; refs
};

// Ids that lie behind one another in memory are their bytes behind one another.
static_assert(sizeof(ObjectId) == ObjectId::kSize);

// Not thread-safe: one per thread. Allocates nothing per id.
class ObjectIdentifier {
 public:
  explicit ObjectIdentifier(const crypto::SecretKey& group_id_key) : hmac_(group_id_key) {}
  ObjectId identify(ObjectKind kind, std::span<const ObjectId> refs, ByteView payload);

 private:
  crypto::HmacSha256 hmac_;
};

// The id key of a trust group, from the repository's.
crypto::SecretKey group_id_key(const crypto::SecretKey& repository_id_key, std::uint32_t group);

}  // namespace holdfast::format
