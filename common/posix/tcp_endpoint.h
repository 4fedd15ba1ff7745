// "tcp://HOST:PORT", as people write it and libzmq takes it. libzmq itself cuts a port off at 16
// bits and connects to port 0 for ever, so the form is checked before.
#pragma once

#include <string>

#include "common/base/result.h"

namespace holdfast {

// HOST is a name, an IPv4 address or an IPv6 address in brackets; PORT is 1 to 65535. For listening
// HOST may also be *, PORT 0 or * (the system chooses). kInvalidArgument otherwise.
Status check_endpoint_to_dial(const std::string& endpoint);
Status check_endpoint_to_listen(const std::string& endpoint);

// True if listening at `endpoint` takes an IPv6 socket.
bool listens_with_ipv6(const std::string& endpoint);

}  // namespace holdfast
