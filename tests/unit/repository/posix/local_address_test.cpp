#include "repository/posix/local_address.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <fstream>

#include "tests/testing/failing_system_call.h"
#include "tests/unit/common/posix/temporary_folder.h"

namespace holdfast::repository {
namespace {

TEST(LocalAddress, OfLoopbackOrOfASocketIsTaken) {
  const auto v4 = parse_local_address("127.0.0.1:9753");
  ASSERT_TRUE(v4.has_value());
  EXPECT_EQ(v4->host, "127.0.0.1");
  EXPECT_EQ(v4->port, 9753);
  EXPECT_EQ(parse_local_address("[::1]:1")->host, "::1");
  EXPECT_EQ(parse_local_address("127.255.0.9:0")->port, 0);
  const auto path = parse_local_address("unix:/run/holdfast/metrics.sock");
  ASSERT_TRUE(path.has_value());
  EXPECT_EQ(path->path, "/run/holdfast/metrics.sock");
}

TEST(LocalAddress, OfAnyOtherMachineOrFormIsRefusedWithWhatItTakes) {
  for (const std::string text : {"0.0.0.0:9753",    "[::]:9753",
                                 "192.0.2.1:9753",  "[2001:db8::1]:9753",
                                 "128.0.0.1:1",     "*:9753",
                                 "localhost:9753",  "[::ffff:127.0.0.1]:1",
                                 "::1:9753",        "127.0.0.1",
                                 "127.0.0.1:",      ":9753",
                                 "127.0.0.1:70000", "127.0.0.1:1x",
                                 "127.0.0.1: 1",    "unix:metrics.sock",
                                 "unix:",           "",
                                 "[::1:9753",       "tcp://127.0.0.1:9753"}) {
    const auto refused = parse_local_address(text);
    ASSERT_FALSE(refused.has_value()) << text;
    EXPECT_EQ(refused.error().code(), Code::kInvalidArgument) << text;
    EXPECT_NE(refused.error().message().find("unix:/PATH"), std::string::npos) << text;
  }
  EXPECT_FALSE(parse_local_address("unix:/" + std::string(107, 'x')).has_value());
  EXPECT_TRUE(parse_local_address("unix:/" + std::string(106, 'x')).has_value());
  EXPECT_FALSE(parse_local_address(std::string("unix:/a\0b", 9)).has_value());
}

class LocalSocket : public ::testing::Test {
 protected:
  TemporaryFolder folder;
  const LocalAddress address{{}, 0, folder.path() + "/socket"};
};

TEST_F(LocalSocket, IsForUserAndGroupOnly) {
  const auto listener = listen_locally(address);
  ASSERT_TRUE(listener.has_value()) << listener.error().message();
  struct stat status {};
  ASSERT_EQ(::stat(address.path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0660U);
  EXPECT_EQ(listener->url, "unix:" + address.path);
}

TEST_F(LocalSocket, ThatAKilledProcessLeftIsReplaced) {
  ASSERT_TRUE(listen_locally(address).has_value());  // closed at once, and left in its place
  struct stat status {};
  ASSERT_EQ(::stat(address.path.c_str(), &status), 0);
  EXPECT_TRUE(listen_locally(address).has_value());
}

TEST_F(LocalSocket, WhereAnotherListensIsAConflict) {
  const auto first = listen_locally(address);
  ASSERT_TRUE(first.has_value());
  const auto second = listen_locally(address);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code(), Code::kConflict);
}

TEST_F(LocalSocket, NeverReplacesAFile) {
  std::ofstream(address.path) << "precious";
  const auto refused = listen_locally(address);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), Code::kAlreadyExists);
  std::string content;
  std::ifstream(address.path) >> content;
  EXPECT_EQ(content, "precious");
}

TEST_F(LocalSocket, WhatTheKernelRefusesIsNamedAndLeavesNothing) {
  const auto expect_told = [&](const std::vector<long>& calls, const std::string& call) {
    ASSERT_TRUE(testing::with_failing_system_calls(calls, EACCES, [&] {
      const auto refused = listen_locally(address);
      ASSERT_FALSE(refused.has_value()) << call;
      EXPECT_EQ(refused.error().message(), call + " " + address.path + ": Permission denied");
      EXPECT_EQ(refused.error().code(), Code::kPermissionDenied);
    }));
  };
  expect_told({SYS_newfstatat, SYS_lstat}, "lstat");
  expect_told({SYS_socket}, "socket");
  expect_told({SYS_bind}, "bind");
  expect_told({SYS_listen}, "listen");
  expect_told({SYS_chmod, SYS_fchmodat}, "chmod");
  ASSERT_TRUE(listen_locally(address).has_value());  // and leaves its socket
  expect_told({SYS_socket}, "socket");
  expect_told({SYS_unlink, SYS_unlinkat}, "unlink");
  EXPECT_TRUE(listen_locally(address).has_value());
}

TEST(LocalPort, WhatTheKernelRefusesIsNamed) {
  for (const std::string_view at : {"127.0.0.1:0", "[::1]:0"}) {
    const LocalAddress address = *parse_local_address(std::string(at));
    for (const auto& [call, name] : {std::pair<long, std::string>{SYS_socket, "socket "},
                                     {SYS_bind, "bind "},
                                     {SYS_listen, "listen "},
                                     {SYS_getsockname, "getsockname "}})
      ASSERT_TRUE(testing::with_failing_system_calls({call}, ENOBUFS, [&, &name = name] {
        const auto refused = listen_locally(address);
        ASSERT_FALSE(refused.has_value());
        EXPECT_EQ(refused.error().message(),
                  name + std::string(at) + ": No buffer space available");
      }));
  }
}

TEST(LocalPort, IsReportedAndTakenOnce) {
  const auto first = listen_locally(*parse_local_address("127.0.0.1:0"));
  ASSERT_TRUE(first.has_value());
  const std::string at = first->url.substr(std::string_view("http://").size());
  EXPECT_EQ(at.find("127.0.0.1:"), 0U);
  EXPECT_NE(at, "127.0.0.1:0");
  const auto second = listen_locally(*parse_local_address(at));
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code(), Code::kConflict);
}

}  // namespace
}  // namespace holdfast::repository
