// Sizes as people write them in options and configuration.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace holdfast {

// "500", "4k", "10M": bytes, with k, M, G or T (in either case) for powers of 1,024. nullopt for
// anything else, and for what does not fit.
std::optional<std::uint64_t> parse_byte_size(std::string_view text);

}  // namespace holdfast
