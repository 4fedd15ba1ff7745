// Where a test's randomness comes from: one number, printed by every test executable and settable
// by the environment variable HOLDFAST_SEED, so that a failure can be run again.
#pragma once

#include <cstdint>

namespace holdfast::testing {

// The seed of this process: HOLDFAST_SEED, or else drawn afresh once.
std::uint64_t seed();

}  // namespace holdfast::testing
