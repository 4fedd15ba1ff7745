#include "common/posix/tcp_endpoint.h"

#include <gtest/gtest.h>

#include "common/base/text.h"

namespace holdfast {
namespace {

TEST(TcpEndpoint, NamesAndAddressesWithAPortCanBeDialled) {
  for (const char* good : {"tcp://backup.example.org:7450", "tcp://127.0.0.1:1",
                           "tcp://[::1]:65535", "tcp://[fe80::1%eth0]:80", "tcp://host_1:80"})
    EXPECT_TRUE(check_endpoint_to_dial(good)) << good;
}

TEST(TcpEndpoint, WhatCanNeverConnectIsRefusedByName) {
  for (const char* bad : {"",
                          "tcp://",
                          "tcp://host",
                          "tcp://host:",
                          "tcp://:80",
                          "tcp://host:0",
                          "tcp://host:65536",
                          "tcp://host:4294967376",
                          "tcp://host:80x",
                          "tcp://host:-1",
                          "tcp://host: 80",
                          "tcp://*:80",
                          "tcp://::1:80",
                          "tcp://[::1:80",
                          "tcp://a b:80",
                          "tcp://eth0;host:80",
                          "tcp://host/x:80",
                          "tcp://host\x7F:80",
                          "tcp://host]:80",
                          "TCP://host:80",
                          "ipc:///tmp/x",
                          "dir:/srv",
                          "host:80"}) {
    const Status refused = check_endpoint_to_dial(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
    EXPECT_NE(refused.error().message().find(printable(bad)), std::string::npos);
  }
}

TEST(TcpEndpoint, ListeningMayLeaveAddressAndPortOpen) {
  for (const char* good :
       {"tcp://*:*", "tcp://127.0.0.1:0", "tcp://127.0.0.1:*", "tcp://[::]:7450"})
    EXPECT_TRUE(check_endpoint_to_listen(good)) << good;
  for (const char* bad :
       {"tcp://127.0.0.1", "tcp://127.0.0.1:99999", "tcp://127.0.0.1:**", "udp://*:1"})
    EXPECT_FALSE(check_endpoint_to_listen(bad)) << bad;
}

TEST(TcpEndpoint, OnlyIpv6AndTheWildcardListenWithIpv6) {
  EXPECT_TRUE(listens_with_ipv6("tcp://[::]:1"));
  EXPECT_TRUE(listens_with_ipv6("tcp://*:1"));
  EXPECT_FALSE(listens_with_ipv6("tcp://127.0.0.1:1"));
  EXPECT_FALSE(listens_with_ipv6("tcp://eth0:1"));
  EXPECT_FALSE(listens_with_ipv6("ipc:///tmp/x"));
}

}  // namespace
}  // namespace holdfast
