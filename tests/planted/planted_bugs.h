// The bugs that HOLDFAST_PLANTED can bring into the production code, and what must notice each.
#pragma once

#include <span>
#include <string_view>

namespace holdfast::testing {

struct PlantedBug {
  std::string_view name;
  // The tests that must fail, as a filter of GoogleTest. Empty: a seed of the swarm must.
  std::string_view tests = {};
};

std::span<const PlantedBug> planted_bugs();

// Nothing if there is none of that name.
const PlantedBug* find_planted_bug(std::string_view name);

// From now on the process has this bug, and no other.
void plant(const PlantedBug& bug);

}  // namespace holdfast::testing
