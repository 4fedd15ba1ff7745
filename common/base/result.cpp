#include "common/base/result.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace holdfast {
namespace {

struct Named {
  Code code;
  std::string_view name;
};

constexpr std::array<Named, 20> kNames{{
    {Code::kInvalidArgument, "invalid_argument"},
    {Code::kNotFound, "not_found"},
    {Code::kAlreadyExists, "already_exists"},
    {Code::kPermissionDenied, "permission_denied"},
    {Code::kCorrupt, "corrupt"},
    {Code::kForged, "forged"},
    {Code::kUnsupportedVersion, "unsupported_version"},
    {Code::kIo, "io"},
    {Code::kNoSpace, "no_space"},
    {Code::kReadOnly, "read_only"},
    {Code::kTimedOut, "timed_out"},
    {Code::kUnavailable, "unavailable"},
    {Code::kConflict, "conflict"},
    {Code::kMissingObjects, "missing_objects"},
    {Code::kResourceExhausted, "resource_exhausted"},
    {Code::kWrongPassphrase, "wrong_passphrase"},
    {Code::kNoRepository, "no_repository"},
    {Code::kProtocol, "protocol"},
    {Code::kChanged, "changed"},
    {Code::kInterrupted, "interrupted"},
}};

Code code_for_errno(int value) {
  switch (value) {
    case ENOENT:
    case ENOTDIR:
      return Code::kNotFound;
    case EEXIST:
    case ENOTEMPTY:
      return Code::kAlreadyExists;
    case EACCES:
    case EPERM:
      return Code::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
      return Code::kNoSpace;
    case EROFS:
      return Code::kReadOnly;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return Code::kResourceExhausted;
    case EINVAL:
    case ENAMETOOLONG:
    case ELOOP:
    case EISDIR:
      return Code::kInvalidArgument;
    case ETIMEDOUT:
      return Code::kTimedOut;
    default:
      return Code::kIo;
  }
}

}  // namespace

std::string_view name(Code code) {
  for (const Named& named : kNames)
    if (named.code == code) return named.name;
  check(false, "a Code without a name");
  return {};
}

std::optional<Code> code_from_name(std::string_view text) {
  for (const Named& named : kNames)
    if (named.name == text) return named.code;
  return std::nullopt;
}

Error Error::with_context(std::string_view context) && {
  message_.insert(0, ": ");
  message_.insert(0, context);
  return std::move(*this);
}

Error error_from_errno(int errno_value, std::string_view what) {
  return Error(code_for_errno(errno_value),
               std::string(what) + ": " + std::generic_category().message(errno_value));
}

}  // namespace holdfast
