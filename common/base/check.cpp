#include "common/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace holdfast {

void check_failed(const char* what, std::source_location where) {
  std::fprintf(stderr, "holdfast: broken invariant: %s (%s:%u)\n", what, where.file_name(),
               where.line());
  std::abort();
}

}  // namespace holdfast
