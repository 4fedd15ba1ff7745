// What one message may have. The wire's own limits (common/wire/message.h, common/format/frame.h)
// are checked above; these bound memory before anything is parsed.
#pragma once

#include <cstddef>

namespace holdfast {

struct MessageLimits {
  std::size_t head_bytes = std::size_t{8} << 20;
  std::size_t body_bytes = std::size_t{80} << 20;
};

// 4 MiB lets one frame be on its way while the next is sealed; measured on loopback.
constexpr std::size_t kSocketBufferBytes = std::size_t{4} << 20;

}  // namespace holdfast
