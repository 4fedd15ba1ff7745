// Broken invariants abort, in release builds too: a process that is wrong about itself must not go
// on writing somebody's only copy. Never used for bytes that came from a disk or a network.
#pragma once

#include <source_location>

namespace holdfast {

[[noreturn]] void check_failed(const char* what, std::source_location where);

inline void check(bool holds, const char* what,
                  std::source_location where = std::source_location::current()) {
  if (!holds) [[unlikely]]
    check_failed(what, where);
}

}  // namespace holdfast
