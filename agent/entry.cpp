// Most neighbours in a catalog share a long folder part, so the common prefix is skipped eight
// bytes at a time; only the first difference needs to know about components.
#include "agent/entry.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "common/base/endian.h"

namespace holdfast::agent {
namespace {

std::size_t common_prefix(std::string_view a, std::string_view b) {
  const std::size_t length = std::min(a.size(), b.size());
  std::size_t at = 0;
  for (; at + 8 <= length; at += 8) {
    std::uint64_t x, y;
    std::memcpy(&x, a.data() + at, sizeof x);
    std::memcpy(&y, b.data() + at, sizeof y);
    if (x != y) return at + static_cast<std::size_t>(std::countr_zero(x ^ y)) / 8;  // little endian
  }
  while (at < length && a[at] == b[at]) ++at;
  return at;
}

}  // namespace

std::strong_ordering compare_paths(std::string_view a, std::string_view b) {
  const std::size_t at = common_prefix(a, b);
  // The end of a path, then the end of a component, come before every byte of a name.
  if (at == a.size() || at == b.size()) return a.size() <=> b.size();
  const auto rank = [](char c) { return c == '/' ? 0 : static_cast<unsigned char>(c); };
  return rank(a[at]) <=> rank(b[at]);
}

}  // namespace holdfast::agent
