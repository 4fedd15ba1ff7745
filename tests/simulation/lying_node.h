// Ways in which a node lies while a real one stands behind it: garbage and damage in its answers,
// acknowledging what it drops, hiding snapshots, claiming to have everything or nothing.
#pragma once

#include <memory>
#include <string_view>

#include "common/ports/random.h"
#include "tests/simulation/cluster_node.h"

namespace holdfast::testing {

enum class Lie { kGarbage, kDropsWhatItAcknowledges, kWithholds, kDamagesFrames, kBoasts, kDenies };
constexpr std::size_t kLieCount = 6;
std::string_view name_of(Lie lie);

// `random` outlives it.
std::unique_ptr<NodeLies> make_lies(Lie lie, Random& random);

}  // namespace holdfast::testing
