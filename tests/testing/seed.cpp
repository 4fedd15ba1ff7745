#include "tests/testing/seed.h"

#include <cstdio>
#include <cstdlib>
#include <random>

namespace holdfast::testing {
namespace {

std::uint64_t draw_seed() {
  if (const char* given = std::getenv("HOLDFAST_SEED"); given != nullptr && *given != '\0') {
    char* end = nullptr;
    const auto value = std::strtoull(given, &end, 10);
    if (*end == '\0') return value;
    std::fprintf(stderr, "HOLDFAST_SEED is not a decimal number: %s\n", given);
    std::exit(2);
  }
  std::random_device device;
  return device();  // 32 bits: short enough to type
}

}  // namespace

std::uint64_t seed() {
  static const std::uint64_t value = draw_seed();
  return value;
}

}  // namespace holdfast::testing
