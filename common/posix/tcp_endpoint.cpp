#include "common/posix/tcp_endpoint.h"

#include <charconv>
#include <optional>
#include <string_view>

#include "common/base/text.h"

namespace holdfast {
namespace {

constexpr std::string_view kScheme = "tcp://";

struct Parts {
  std::string_view host, port;
};

std::optional<Parts> split(std::string_view endpoint) {
  if (!endpoint.starts_with(kScheme)) return std::nullopt;
  endpoint.remove_prefix(kScheme.size());
  const std::size_t colon = endpoint.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  const Parts parts{endpoint.substr(0, colon), endpoint.substr(colon + 1)};
  const bool bracketed = parts.host.front() == '[' && parts.host.back() == ']';
  if (!bracketed && parts.host.find_first_of("[]:") != std::string_view::npos) return std::nullopt;
  // libzmq reads "SOURCE;HOST", and everything that is not a name would only fail later.
  for (const char c : parts.host)
    if (static_cast<unsigned char>(c) <= ' ' || c == ';' || c == '/' || c == '\x7F')
      return std::nullopt;
  return parts;
}

std::optional<unsigned> number(std::string_view port) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), value);
  if (error != std::errc() || end != port.data() + port.size() || value > 65535)
    return std::nullopt;
  return value;
}

}  // namespace

Status check_endpoint_to_dial(const std::string& endpoint) {
  const auto parts = split(endpoint);
  if (parts && parts->host != "*" && number(parts->port).value_or(0) != 0) return {};
  return Error(Code::kInvalidArgument,
               "cannot dial " + printable(endpoint) + ": not of the form tcp://HOST:PORT");
}

Status check_endpoint_to_listen(const std::string& endpoint) {
  const auto parts = split(endpoint);
  if (parts && (parts->port == "*" || number(parts->port))) return {};
  return Error(Code::kInvalidArgument,
               "cannot listen at " + printable(endpoint) + ": not of the form tcp://ADDRESS:PORT");
}

bool listens_with_ipv6(const std::string& endpoint) {
  const auto parts = split(endpoint);
  return parts && (parts->host.front() == '[' || parts->host == "*");
}

}  // namespace holdfast
