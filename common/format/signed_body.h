// Bytes and the Ed25519 signature over a context and them: what manifests and charters are made of.
#pragma once

#include <string_view>

#include "common/base/result.h"
#include "common/crypto/hash.h"
#include "common/crypto/signature.h"

namespace holdfast::format {

// The context keeps a signature over one kind of document from being taken for another's.
inline Bytes signed_message(std::string_view context, ByteView body) {
  Bytes message = to_bytes(context);
  append(message, crypto::sha256(body).view());
  return message;
}

}  // namespace holdfast::format
