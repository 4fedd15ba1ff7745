// A passphrase stretched into a key by scrypt (RFC 7914), by OpenSSL.
#pragma once

#include <string_view>

#include "common/base/result.h"
#include "common/crypto/secret.h"

namespace holdfast::crypto {

// What one guess costs. docs/decisions/0004 has why.
struct ScryptCost {
  std::uint64_t n = 1 << 16;  // 64 MiB and about 0.3 s on one core with r = 8
  std::uint32_t r = 8;
  std::uint32_t p = 1;
};

// Blocks for as long as the cost says. kInvalidArgument for costs that are no power of two or would
// need more than 1 GiB (p at most 16): they come from storage and are hostile until proven
// otherwise.
Result<SecretKey> stretch(std::string_view passphrase, ByteView salt, const ScryptCost& cost);

}  // namespace holdfast::crypto
