#include "common/posix/zap_authenticator.h"

#include <gtest/gtest.h>
#include <zmq.h>

#include "common/posix/zmq_message.h"
#include "common/posix/zmq_socket.h"
#include "tests/unit/common/posix/zmq_node.h"

namespace holdfast {
namespace {

// What only libzmq should ever ask, asked by something else in the process.
TEST(ZapAuthenticator, AQuestionForAdmissionThatIsNoneIsAnsweredAndLetsNobodyIn) {
  ZmqNode node;
  const auto ask = [&](std::vector<std::string> request) {
    request.insert(request.begin(), "");  // as REQ, which cannot be asked whether there is more
    return node.thread().run([&] {
      ZmqSocket socket = ZmqSocket::open(node.context(), ZMQ_DEALER).value();
      socket.set(ZMQ_LINGER, 0);
      check(::zmq_connect(socket.handle(), "inproc://zeromq.zap.01") == 0, "a connection");
      for (std::size_t i = 0; i < request.size(); ++i)
        check(socket.send(ZmqMessage(SharedBytes(Buffer::copy_of(as_bytes(request[i])))),
                          i + 1 < request.size()),
              "a part is sent");
      return std::make_shared<ZmqSocket>(std::move(socket));
    });
  };
  const std::string key(32, 'k');
  struct Case {
    std::vector<std::string> request;
    const char* status;
  };
  const std::vector<Case> cases = {
      {{"1.0"}, "500"},
      {{"1.0", "1", "holdfast", "127.0.0.1", "", "CURVE"}, "500"},
      {{"2.0", "1", "holdfast", "127.0.0.1", "", "CURVE", key}, "500"},
      {{"1.0", "1", "holdfast", "127.0.0.1", "", "CURVE", key, "more", "and more"}, "500"},
      {{"1.0", "1", "holdfast", "127.0.0.1", "", "PLAIN", key}, "400"},
      {{"1.0", "1", "holdfast", "127.0.0.1", "", "CURVE", "short"}, "400"},
      {{"1.0", "1", "holdfast", "127.0.0.1", "", "CURVE", key}, "400"},
  };
  for (const Case& one : cases) {
    const auto socket = ask(one.request);
    std::vector<std::string> reply;
    ASSERT_TRUE(node.eventually([&] {
      ZmqMessage part;
      while (socket->receive(part)) reply.push_back(to_string(part.view()));
      return reply.size() >= 7;
    }));
    EXPECT_EQ(reply[3], one.status);
    EXPECT_EQ(reply[5], "") << "nobody's key";
  }
  EXPECT_EQ(node.thread().run([&] { return node.authenticator().counters().malformed; }), 6U);
  ZmqAgent honest(node.enrolled());
  const auto call = honest.call(node.address());
  EXPECT_TRUE(call->connect());
}

}  // namespace
}  // namespace holdfast
