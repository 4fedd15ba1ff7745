// Each thread takes a connection, answers its one request and closes it. All waiting is in poll(2)
// on the socket and on the eventfd that ends the server.
#include "repository/posix/local_http_server.h"

#include <fmt/format.h>
#include <httplib.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>

#include "common/posix/system_call.h"
#include "common/posix/system_clock.h"

namespace holdfast::repository {
namespace {

using Milliseconds = std::chrono::milliseconds;

constexpr Duration kPauseWithoutDescriptors = Milliseconds(100);

// Waits until `fd` is ready for `events`: false at the end of the time or of the server.
bool wait_for(int fd, short events, int stop, std::optional<Duration> time) {
  std::array<pollfd, 2> waited{{{fd, events, 0}, {stop, POLLIN, 0}}};
  const int most = time ? static_cast<int>(std::max<Duration::rep>(
                              0, std::chrono::ceil<Milliseconds>(*time).count()))
                        : -1;
  const int ready = retry_interrupted([&] { return ::poll(waited.data(), waited.size(), most); });
  return ready > 0 && waited[1].revents == 0 && waited[0].revents != 0;
}

// A connection as httplib sees it, with an end to its time and to what it may send.
class BoundedStream final : public httplib::Stream {
 public:
  BoundedStream(int fd, int stop, const HttpLimits& limits)
      : fd_(fd),
        stop_(stop),
        deadline_(clock_.now() + limits.connection),
        bytes_left_(limits.request_bytes) {}

  bool is_readable() const override { return wait(POLLIN); }
  bool is_writable() const override { return wait(POLLOUT); }
  ssize_t read(char* to, std::size_t size) override {
    size = std::min(size, bytes_left_);
    if (size == 0 || !wait(POLLIN)) return -1;
    const ssize_t got = retry_interrupted([&] { return ::recv(fd_, to, size, 0); });
    if (got > 0) bytes_left_ -= static_cast<std::size_t>(got);
    return got;
  }
  ssize_t write(const char* from, std::size_t size) override {
    if (!wait(POLLOUT)) return -1;
    return retry_interrupted([&] { return ::send(fd_, from, size, MSG_NOSIGNAL); });
  }
  void get_remote_ip_and_port(std::string& ip, int& port) const override { ip.clear(), port = 0; }
  void get_local_ip_and_port(std::string& ip, int& port) const override { ip.clear(), port = 0; }
  socket_t socket() const override { return fd_; }

 private:
  bool wait(short events) const {
    const Duration left = deadline_ - clock_.now();
    return left > Duration{0} && wait_for(fd_, events, stop_, left);
  }

  const int fd_, stop_;
  const SystemClock clock_;
  const Instant deadline_;
  std::size_t bytes_left_;
};

}  // namespace

class LocalHttpServer::Protocol : private httplib::Server {
 public:
  explicit Protocol(Pages pages) {
    // Ahead of httplib's own routes, which are regular expressions.
    set_pre_routing_handler([pages = std::move(pages)](const httplib::Request& request,
                                                       httplib::Response& response) {
      HttpPage page{405, {}, "only GET\n"};
      if (request.method == "GET" || request.method == "HEAD") page = pages(request.path);
      response.status = page.status;
      response.set_content(page.text, page.content_type.empty() ? "text/plain" : page.content_type);
      return HandlerResponse::Handled;
    });
    set_payload_max_length(0);
  }
  void serve(int fd, int stop, const HttpLimits& limits) {
    BoundedStream stream(fd, stop, limits);
    bool closed = false;
    // A client names as many ranges as it likes, each of which would be sent.
    process_request(stream, /*close_connection=*/true, closed,
                    [](httplib::Request& request) { request.ranges.clear(); });
  }
};

Result<std::unique_ptr<LocalHttpServer>> LocalHttpServer::start(const LocalAddress& address,
                                                                Pages pages, HttpLimits limits) {
  Descriptor stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop) return system_error("eventfd", "for HTTP");
  HOLDFAST_ASSIGN(LocalListener listener, listen_locally(address));
  return std::unique_ptr<LocalHttpServer>(new LocalHttpServer(
      std::move(listener), address.path, std::move(stop), std::move(pages), limits));
}

LocalHttpServer::LocalHttpServer(LocalListener listener, std::string path, Descriptor stop,
                                 Pages pages, HttpLimits limits)
    : listener_(std::move(listener.descriptor)),
      url_(std::move(listener.url)),
      path_(std::move(path)),
      stop_(std::move(stop)),
      limits_(limits),
      protocol_(std::make_unique<Protocol>(std::move(pages))) {
  for (unsigned i = 0; i < limits_.threads; ++i) threads_.emplace_back([this] { run(); });
}

LocalHttpServer::~LocalHttpServer() {
  ::eventfd_write(stop_.get(), 1);
  for (std::thread& thread : threads_) thread.join();
  if (!path_.empty()) ::unlink(path_.c_str());
}

bool LocalHttpServer::ends() const {
  pollfd stop{stop_.get(), POLLIN, 0};
  return ::poll(&stop, 1, 0) != 0;
}

void LocalHttpServer::run() {
  sigset_t all;  // signals are for the thread that expects them
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  ::pthread_setname_np(::pthread_self(), "node-http");
  for (;;) {
    const bool ready = wait_for(listener_.get(), POLLIN, stop_.get(), std::nullopt);
    if (!ready && ends()) return;
    const Descriptor connection(
        ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!connection) {  // another thread was first, or there is no descriptor left
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        static_cast<void>(wait_for(stop_.get(), POLLIN, stop_.get(), kPauseWithoutDescriptors));
      continue;
    }
    try {
      protocol_->serve(connection.get(), stop_.get(), limits_);
    } catch (const std::exception& error) {
      spdlog::warn("a request over HTTP failed: {}", error.what());
    }
    ::shutdown(connection.get(), SHUT_RDWR);
  }
}

}  // namespace holdfast::repository
