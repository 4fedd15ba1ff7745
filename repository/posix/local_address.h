// Where something listens that is for this machine alone: "127.0.0.1:9753", "[::1]:9753" or
// "unix:/run/holdfast/metrics.sock". It speaks without encryption and asks nobody who they are, so
// no other address is taken.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"
#include "common/posix/descriptor.h"

namespace holdfast::repository {

struct LocalAddress {
  std::string host;  // numeric, without brackets; empty for a socket in the file system
  std::uint16_t port = 0;
  std::string path;  // absolute
  bool is_unix() const { return !path.empty(); }
};

// kInvalidArgument, saying what it takes, for anything but a loopback address or a Unix socket.
Result<LocalAddress> parse_local_address(const std::string& text);

struct LocalListener {
  Descriptor descriptor;  // listens; does not block
  std::string url;        // "http://127.0.0.1:9753" with the real port, or "unix:/path"
};

// Replaces the socket of a process that is gone. Users and group of this process may connect to it.
// kConflict if somebody listens there, kAlreadyExists if the path is something else.
Result<LocalListener> listen_locally(const LocalAddress& address);

}  // namespace holdfast::repository
