#include "repository/posix/local_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <charconv>
#include <cstring>

#include "common/base/text.h"
#include "common/posix/system_call.h"

namespace holdfast::repository {
namespace {

constexpr int kBacklog = 16;

// A socket's address of either kind.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Error invalid(const std::string& text, std::string_view why) {
  return Error(Code::kInvalidArgument,
               fmt::format("{} {}; it takes 127.0.0.1:PORT, [::1]:PORT or unix:/PATH",
                           printable(text), why));
}

std::optional<SocketAddress> loopback(const std::string& host, std::uint16_t port) {
  SocketAddress address;
  auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
  if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    if (ntohl(v4.sin_addr.s_addr) >> 24 != 127) return std::nullopt;
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    address.size = sizeof v4;
    return address;
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
  if (::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) != 1 ||
      !IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr))
    return std::nullopt;
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  address.size = sizeof v6;
  return address;
}

SocketAddress unix_address(const std::string& path) {
  SocketAddress address;
  auto& un = reinterpret_cast<sockaddr_un&>(address.storage);
  un.sun_family = AF_UNIX;
  std::memcpy(un.sun_path, path.c_str(), path.size() + 1);
  address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return address;
}

Descriptor open_socket(int family) {
  return Descriptor(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

// What a process that was killed has left. Who asks is not let in, if somebody listens there.
Status remove_stale(const SocketAddress& address, const std::string& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) {
    if (errno == ENOENT) return {};
    return system_error("lstat", path);
  }
  if (!S_ISSOCK(found.st_mode))
    return Error(Code::kAlreadyExists, fmt::format("{} is there and is no socket", path));
  const Descriptor probe = open_socket(AF_UNIX);
  if (!probe) return system_error("socket", path);
  if (::connect(probe.get(), address.get(), address.size) == 0 || errno == EAGAIN)
    return Error(Code::kConflict, fmt::format("another process listens at {}", path));
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return system_error("unlink", path);
  return {};
}

Status bind_and_listen(const Descriptor& socket, const SocketAddress& address,
                       const std::string& what) {
  if (::bind(socket.get(), address.get(), address.size) != 0) {
    if (errno == EADDRINUSE)
      return Error(Code::kConflict, fmt::format("{}: the address is in use", what));
    return system_error("bind", what);
  }
  if (::listen(socket.get(), kBacklog) != 0) return system_error("listen", what);
  return {};
}

Result<LocalListener> listen_at_path(const std::string& path) {
  const SocketAddress address = unix_address(path);
  HOLDFAST_TRY(remove_stale(address, path));
  LocalListener listener{open_socket(AF_UNIX), "unix:" + path};
  if (!listener.descriptor) return system_error("socket", path);
  HOLDFAST_TRY(bind_and_listen(listener.descriptor, address, path));
  if (::chmod(path.c_str(), 0660) != 0) return system_error("chmod", path);
  return listener;
}

Result<LocalListener> listen_at_port(const LocalAddress& where) {
  SocketAddress address = loopback(where.host, where.port).value();
  const int family = address.storage.ss_family;
  LocalListener listener{open_socket(family), {}};
  const std::string host = family == AF_INET6 ? "[" + where.host + "]" : where.host;
  const std::string what = fmt::format("{}:{}", host, where.port);
  if (!listener.descriptor) return system_error("socket", what);
  const int on = 1;
  ::setsockopt(listener.descriptor.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  HOLDFAST_TRY(bind_and_listen(listener.descriptor, address, what));
  if (::getsockname(listener.descriptor.get(), address.get(), &address.size) != 0)
    return system_error("getsockname", what);
  // The port lies at the same place for both families.
  const auto port = ntohs(reinterpret_cast<const sockaddr_in&>(address.storage).sin_port);
  listener.url = fmt::format("http://{}:{}", host, port);
  return listener;
}

}  // namespace

Result<LocalAddress> parse_local_address(const std::string& text) {
  constexpr std::string_view kUnix = "unix:";
  LocalAddress address;
  if (text.starts_with(kUnix)) {
    address.path = text.substr(kUnix.size());
    if (!address.path.starts_with('/')) return invalid(text, "names no absolute path");
    if (address.path.find('\0') != std::string::npos ||
        address.path.size() >= sizeof(sockaddr_un::sun_path))
      return invalid(text, "has a path that is too long for a socket");
    return address;
  }
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) return invalid(text, "has no port");
  const std::string_view port = std::string_view(text).substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (port.empty() || error != std::errc() || end != port.data() + port.size())
    return invalid(text, "has no port");
  address.host = text.substr(0, colon);
  if (address.host.starts_with('[') && address.host.ends_with(']'))
    address.host = address.host.substr(1, address.host.size() - 2);
  else if (address.host.find(':') != std::string::npos)
    return invalid(text, "has an IPv6 address without brackets");
  if (!loopback(address.host, address.port))
    return invalid(text, "is not a loopback address, and who connects is not asked for a key");
  return address;
}

Result<LocalListener> listen_locally(const LocalAddress& address) {
  return address.is_unix() ? listen_at_path(address.path) : listen_at_port(address);
}

}  // namespace holdfast::repository
