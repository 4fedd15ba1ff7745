// What every shell around a system call does: try again when a signal interrupted it, and say which
// call on which path failed.
#pragma once

#include <cerrno>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace holdfast {

template <typename Call>
auto retry_interrupted(Call call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

// The Error for errno: "fdatasync /srv/segment: Input/output error".
inline Error system_error(std::string_view call, std::string_view path) {
  const int value = errno;
  std::string what(call);
  what += ' ';
  what += path;
  return error_from_errno(value, what);
}

}  // namespace holdfast
