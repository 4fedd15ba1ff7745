#include "common/posix/descriptor_limit.h"

#include <sys/eventfd.h>
#include <sys/resource.h>

#include <cerrno>
#include <vector>

#include "common/base/check.h"
#include "common/posix/descriptor.h"

namespace holdfast {
namespace {

rlimit current_limit() {
  rlimit limit{};
  check(::getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit failed");
  return limit;
}

}  // namespace

std::size_t descriptor_limit() { return static_cast<std::size_t>(current_limit().rlim_cur); }

std::size_t raise_descriptor_limit() {
  rlimit limit = current_limit();
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);  // refused: what was there holds
  return descriptor_limit();
}

Status require_descriptors(std::size_t count) {
  std::vector<Descriptor> free;
  while (free.size() < count) {
    free.emplace_back(::eventfd(0, EFD_CLOEXEC));
    if (!free.back()) return error_from_errno(errno, "cannot open more descriptors");
  }
  return {};
}

}  // namespace holdfast
