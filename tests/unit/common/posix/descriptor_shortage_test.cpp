// Sockets for which the process has no descriptors left: what cannot be opened says so, and nothing
// aborts or is left half made.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>

#include "common/posix/system_random.h"
#include "common/posix/zmq_dialer.h"
#include "common/posix/zmq_listener.h"
#include "tests/unit/common/posix/recording_handler.h"

namespace holdfast {
namespace {

using ::testing::AnyOf;

// Only so many more descriptors until it goes.
class FewDescriptors {
 public:
  explicit FewDescriptors(rlim_t free) {
    check(::getrlimit(RLIMIT_NOFILE, &before_) == 0, "getrlimit");
    const int next = ::fcntl(0, F_DUPFD_CLOEXEC, 0);
    check(next >= 0, "no descriptor is left");
    ::close(next);
    const rlimit few{static_cast<rlim_t>(next) + free, before_.rlim_max};
    check(::setrlimit(RLIMIT_NOFILE, &few) == 0, "setrlimit");
  }
  ~FewDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

 private:
  rlimit before_{};
};

class DescriptorShortage : public ::testing::Test {
 protected:
  // With none more, one more... until `open` succeeds; at least `least` times it does not.
  template <typename Open>
  void with_ever_more(std::size_t least, const Open& open) {
    for (std::size_t free = 0;; ++free) {
      SCOPED_TRACE(std::to_string(free) + " free descriptors");
      Status opened;
      {
        const FewDescriptors few(free);
        opened = open();
      }
      if (opened) {
        EXPECT_GE(free, least);
        return;
      }
      EXPECT_THAT(opened.error().code(), AnyOf(Code::kResourceExhausted, Code::kUnavailable))
          << opened.error().message();
      ASSERT_LT(free, 50U);
    }
  }

  ZmqContext context_;
  LoopThread thread_;
  SystemRandom random_;
  RecordingHandler handler_;
};

TEST_F(DescriptorShortage, IsAnErrorOfTheListenerAndItsAuthenticator) {
  thread_.run([&] {
    ZapAuthenticator authenticator(context_, thread_.loop(), [](const CurveKey&) { return true; });
    with_ever_more(1, [&] { return authenticator.start(); });
    ZmqListener listener(context_, thread_.loop(), authenticator, generate_curve_key_pair(),
                         handler_);
    with_ever_more(2, [&] { return listener.bind("tcp://127.0.0.1:*"); });
    EXPECT_FALSE(listener.endpoint().empty());
  });
}

TEST_F(DescriptorShortage, IsAnErrorOfTheDialer) {
  thread_.run([&] {
    ZmqDialer dialer(context_, thread_.loop(), random_, generate_curve_key_pair());
    std::unique_ptr<Channel> channel;
    with_ever_more(2, [&]() -> Status {
      HOLDFAST_ASSIGN(channel, dialer.dial({"tcp://127.0.0.1:1", {}}, [](Message) {}));
      return {};
    });
    EXPECT_NE(channel, nullptr);
    channel.reset();
  });
}

}  // namespace
}  // namespace holdfast
