// Places where the code can be made wrong on purpose, to prove that the tests would notice: as in
// `if (!HOLDFAST_PLANTED("skip the sync of a segment")) HOLDFAST_TRY(...)`. The constant `false`,
// and nothing else, unless a file is compiled with HOLDFAST_PLANTED_BUGS, as tests/planted does for
// itself. For .cpp files alone: a header would mean different things to different files.
// See docs/simulation.md.
#pragma once

#ifdef HOLDFAST_PLANTED_BUGS
#include <string_view>

namespace holdfast {

// Whether this process is to have the bug of that name. Defined in tests/planted.
bool is_planted(std::string_view name);

}  // namespace holdfast

#define HOLDFAST_PLANTED(name) (::holdfast::is_planted(name))
#else
#define HOLDFAST_PLANTED(name) false
#endif
