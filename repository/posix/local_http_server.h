// A few short pages over HTTP for programs on this machine. cpp-httplib speaks the protocol; who
// may cost how much is settled here:
//
//   a thread for each connection that is served, few of them; others wait in the kernel's queue
//   a time for a connection as a whole, so that sending byte after byte gains nothing
//   a size for a request as a whole, well below what hurts httplib's regular expressions
//   no keeping alive, no ranges, no request with a content
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/ports/clock.h"
#include "repository/posix/local_address.h"

namespace holdfast::repository {

struct HttpPage {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string text;
};

struct HttpLimits {
  unsigned threads = 3;
  Duration connection = std::chrono::seconds(5);
  std::size_t request_bytes = 4096;
};

class LocalHttpServer {
 public:
  // The page at this path; 404 for one that is not there. Any of the server's threads, several at
  // once; returns within a few seconds. An exception is answered by 500.
  using Pages = std::function<HttpPage(const std::string& path)>;

  // Says what listen_locally() says.
  static Result<std::unique_ptr<LocalHttpServer>> start(const LocalAddress& address, Pages pages,
                                                        HttpLimits limits = {});
  // Ends all connections where they stand, whatever their clients do, and waits for pages that are
  // being made.
  ~LocalHttpServer();
  LocalHttpServer(const LocalHttpServer&) = delete;
  LocalHttpServer& operator=(const LocalHttpServer&) = delete;

  const std::string& url() const { return url_; }

 private:
  class Protocol;
  LocalHttpServer(LocalListener listener, std::string path, Descriptor stop, Pages pages,
                  HttpLimits limits);
  void run();
  bool ends() const;

  const Descriptor listener_;
  const std::string url_;
  const std::string path_;  // of a Unix socket, to be removed
  const Descriptor stop_;   // an eventfd; readable once the server ends
  const HttpLimits limits_;
  const std::unique_ptr<Protocol> protocol_;
  std::vector<std::thread> threads_;
};

}  // namespace holdfast::repository
