// A simulation's only source of chance: the same seed gives the same run.
#pragma once

#include "tests/testing/seeded_random.h"

namespace holdfast::simulation {

using SimRandom = testing::SeededRandom;

// True once in `of` times.
inline bool once_in(Random& random, std::uint64_t of) { return random.below(of) == 0; }

}  // namespace holdfast::simulation
