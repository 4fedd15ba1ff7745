#include "common/format/object.h"

#include "common/base/endian.h"

namespace holdfast::format {

ObjectId ObjectIdentifier::identify(ObjectKind kind, std::span<const ObjectId> refs,
                                    ByteView payload) {
  // The count of refs separates them from the payload: no two objects give the same input.
  Byte head[16] = {'H', 'F', 'O', 'B', 'J', '1', 0, static_cast<Byte>(kind)};
  store_le<std::uint64_t>(head + 8, refs.size());
  const ByteView ref_bytes(reinterpret_cast<const Byte*>(refs.data()), refs.size_bytes());
  return ObjectId{hmac_.mac({ByteView(head), ref_bytes, payload}).bytes};
}

crypto::SecretKey group_id_key(const crypto::SecretKey& repository_id_key, std::uint32_t group) {
  Bytes info = to_bytes("holdfast v1 group id key");
  Byte number[4];
  store_le(number, group);
  append(info, number);
  return crypto::derive_key(repository_id_key, info);
}

}  // namespace holdfast::format
