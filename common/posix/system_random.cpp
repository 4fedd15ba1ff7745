#include "common/posix/system_random.h"

#include <sys/random.h>

#include <cerrno>

namespace holdfast {

void SystemRandom::fill(MutableByteView out) {
  while (!out.empty()) {
    // More than 256 bytes may come back short, and any length may be interrupted.
    const ssize_t got = ::getrandom(out.data(), out.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    check(got > 0, "getrandom failed: the system has no randomness");
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

}  // namespace holdfast
