// How many descriptors this process may have open.
#pragma once

#include <cstddef>

#include "common/base/result.h"

namespace holdfast {

// Raises the soft limit to the hard one, as RocksDB and thousands of connections need, and returns
// what then holds. Called once, at the start of a process, before it starts others.
std::size_t raise_descriptor_limit();

// The limit as it is.
std::size_t descriptor_limit();

// kResourceExhausted unless so many more can be opened now; other threads may open them meanwhile.
Status require_descriptors(std::size_t count);

}  // namespace holdfast
