// A server for this machine, and clients that do as they like.
#include "repository/posix/local_http_server.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "tests/testing/failing_system_call.h"
#include "tests/unit/common/posix/loop_thread.h"
#include "tests/unit/common/posix/temporary_folder.h"

namespace holdfast::repository {
namespace {

// A connection to the server's socket, byte by byte.
class Client {
 public:
  explicit Client(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    check(::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0,
          "the server does not listen");
  }
  // False once the server has closed.
  bool send(std::string_view text) {
    return ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(text.size());
  }
  // All until the server closes.
  std::string read() {
    std::string all;
    char part[4096];
    for (;;) {
      const ssize_t got = ::recv(socket_.get(), part, sizeof part, 0);
      if (got <= 0) return all;
      all.append(part, static_cast<std::size_t>(got));
    }
  }
  std::string get(std::string_view path, std::string_view headers = {}) {
    send("GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n" + std::string(headers) + "\r\n");
    return read();
  }

 private:
  Descriptor socket_;
};

class LocalHttpServerTest : public ::testing::Test {
 protected:
  LocalHttpServerTest() { start({}); }
  void start(HttpLimits limits) {
    server.reset();
    auto started = LocalHttpServer::start(
        {{}, 0, path},
        [this](const std::string& asked) -> HttpPage {
          asked_.change([&](auto& all) { all.push_back(asked); });
          if (asked == "/throws") throw std::runtime_error("on purpose");
          if (asked == "/large") return {200, "text/plain", std::string(1 << 20, 'x')};
          return asked == "/page" ? HttpPage{200, "text/plain", "content\n"}
                                  : HttpPage{404, "", ""};
        },
        limits);
    check(started.has_value(), started ? "" : started.error().message().c_str());
    server = *std::move(started);
  }
  static bool is(const std::string& response, int status) {
    return response.starts_with("HTTP/1.1 " + std::to_string(status) + " ");
  }
  // That nothing that came before has hurt it.
  void expect_alive() { EXPECT_TRUE(is(Client(path).get("/page"), 200)); }

  TemporaryFolder folder;
  const std::string path = folder.path() + "/http";
  Watched<std::vector<std::string>> asked_;
  std::unique_ptr<LocalHttpServer> server;
};

TEST_F(LocalHttpServerTest, APageIsServedAndTheConnectionClosed) {
  const std::string response = Client(path).get("/page");
  EXPECT_TRUE(is(response, 200)) << response;
  EXPECT_NE(response.find("Connection: close"), std::string::npos) << response;
  EXPECT_TRUE(response.ends_with("\r\n\r\ncontent\n")) << response;
  EXPECT_TRUE(is(Client(path).get("/other"), 404));
}

TEST_F(LocalHttpServerTest, OnlyTheHeadIsSentToWhoAsksForThat) {
  Client client(path);
  client.send("HEAD /page HTTP/1.1\r\n\r\n");
  const std::string response = client.read();
  EXPECT_TRUE(is(response, 200)) << response;
  EXPECT_EQ(response.find("content\n"), std::string::npos) << response;
}

TEST_F(LocalHttpServerTest, WithoutADescriptorForItsEndItDoesNotStart) {
  ASSERT_TRUE(testing::with_failing_system_calls({SYS_eventfd2}, EMFILE, [&] {
    const auto refused = LocalHttpServer::start({{}, 0, path + "2"}, {}, {});
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code(), Code::kResourceExhausted);
  }));
}

TEST_F(LocalHttpServerTest, WhatIsNoRequestForAPageIsRefused) {
  for (const std::string_view request :
       {"POST /page HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", "DELETE /page HTTP/1.1\r\n\r\n",
        "GET\r\n\r\n", "\x01\x02\xFF\r\n\r\n", "GET /page HTTP/9.9\r\n\r\n"}) {
    Client client(path);
    client.send(request);
    const std::string response = client.read();
    EXPECT_TRUE(is(response, 405) || is(response, 400) || response.empty()) << response;
  }
  EXPECT_TRUE(asked_.get().empty());
  expect_alive();
}

TEST_F(LocalHttpServerTest, ARequestWithoutEndIsCutOffAtItsLimit) {
  Client client(path);
  const std::string part(1024, 'a');
  client.send("GET /");
  int sent = 0;
  while (client.send(part) && sent < 1000) ++sent;
  EXPECT_LT(sent, 1000) << "a megabyte of a request's first line was taken";
  EXPECT_TRUE(asked_.get().empty());
  expect_alive();
}

TEST_F(LocalHttpServerTest, RangesAreNotServed) {
  std::string ranges = "Range: bytes=0-";
  for (int i = 0; i < 500; ++i) ranges += ",0-";
  const std::string response = Client(path).get("/large", ranges + "\r\n");
  EXPECT_TRUE(is(response, 200)) << response.substr(0, 200);
  EXPECT_LT(response.size(), std::size_t{2} << 20);
}

TEST_F(LocalHttpServerTest, APageThatThrowsIsAnErrorOfTheServer) {
  EXPECT_TRUE(is(Client(path).get("/throws"), 500));
  expect_alive();
}

TEST_F(LocalHttpServerTest, WhoSendsByteAfterByteRunsOutOfTime) {
  start({.threads = 1,
         .connection = std::chrono::milliseconds(50),
         .request_bytes = std::size_t{1} << 30});
  Client slow(path);
  // As long as the only thread takes its bytes nobody else is served.
  while (slow.send("G")) continue;
  expect_alive();
}

TEST_F(LocalHttpServerTest, ClientsThatAreStuckDoNotKeepItFromEnding) {
  start({.threads = 2, .connection = std::chrono::hours(1)});
  Client silent(path), not_reading(path), waiting(path);
  silent.send("GET /page HT");
  not_reading.send("GET /large HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(asked_.wait([](const auto& all) { return !all.empty(); }));
  server.reset();
  EXPECT_EQ(silent.read(), "");
  EXPECT_EQ(::access(path.c_str(), F_OK), -1);
}

}  // namespace
}  // namespace holdfast::repository
