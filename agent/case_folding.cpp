// No locale is asked, so that the same patterns leave out the same files on every machine. The
// ranges are those of the Unicode Character Database (UnicodeData.txt, simple lower case mapping)
// in which upper and lower case lie in a fixed distance, or alternate.
#include "agent/case_folding.h"

#include <cstdint>

namespace holdfast::agent {
namespace {

bool in(std::uint32_t value, std::uint32_t first, std::uint32_t last) {
  return first <= value && value <= last;
}

// Of a character that takes two bytes in UTF-8 (U+0080 to U+07FF).
std::uint32_t lower(std::uint32_t value) {
  if (in(value, 0x00C0, 0x00DE) && value != 0x00D7) return value + 0x20;  // Latin-1
  if (in(value, 0x0391, 0x03A9) && value != 0x03A2) return value + 0x20;  // Greek
  if (in(value, 0x0400, 0x040F)) return value + 0x50;                     // Cyrillic
  if (in(value, 0x0410, 0x042F)) return value + 0x20;
  const bool even_is_upper = in(value, 0x0100, 0x012F) || in(value, 0x0132, 0x0137) ||
                             in(value, 0x014A, 0x0177) || in(value, 0x0460, 0x0481);
  if (even_is_upper) return value | 1;
  const bool odd_is_upper = in(value, 0x0139, 0x0148) || in(value, 0x0179, 0x017E);
  if (odd_is_upper && value % 2 == 1) return value + 1;
  return value;
}

}  // namespace

std::string fold_case(std::string_view text) {
  std::string folded(text);
  for (std::size_t at = 0; at < folded.size(); ++at) {
    const auto first = static_cast<unsigned char>(folded[at]);
    if (in(first, 'A', 'Z')) {
      folded[at] = static_cast<char>(first + ('a' - 'A'));
    } else if (in(first, 0xC2, 0xDF) && at + 1 < folded.size()) {
      const auto second = static_cast<unsigned char>(folded[at + 1]);
      if ((second & 0xC0) != 0x80) continue;
      const std::uint32_t value = lower((first & 0x1FU) << 6 | (second & 0x3FU));
      folded[at] = static_cast<char>(0xC0 | value >> 6);
      folded[++at] = static_cast<char>(0x80 | (value & 0x3F));
    }
  }
  return folded;
}

}  // namespace holdfast::agent
