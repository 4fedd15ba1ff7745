#include "common/base/byte_size.h"

#include <charconv>
#include <limits>

namespace holdfast {

std::optional<std::uint64_t> parse_byte_size(std::string_view text) {
  constexpr std::string_view kUnits = "KMGT";
  unsigned shift = 0;
  if (!text.empty()) {
    const auto unit = kUnits.find(static_cast<char>(text.back() & ~0x20));
    if (unit != std::string_view::npos) {
      shift = 10 * (static_cast<unsigned>(unit) + 1);
      text.remove_suffix(1);
    }
  }
  std::uint64_t size = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (error != std::errc() || stop != text.data() + text.size() ||
      size > (std::numeric_limits<std::uint64_t>::max() >> shift))
    return std::nullopt;
  return size << shift;
}

}  // namespace holdfast
