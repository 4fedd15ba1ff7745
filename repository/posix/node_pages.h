// What a node serves over HTTP to who watches it: /metrics and /healthz. The threads that serve
// never touch the node: its loop hands out its figures, at most once a second, and a loop that does
// not within two is what they then report.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "common/ports/clock.h"
#include "repository/posix/local_http_server.h"
#include "repository/posix/node_metrics.h"

namespace holdfast::repository {

// Any thread.
class NodePages {
 public:
  // Asks the node's loop; kTimedOut if it does not answer in this time.
  using Figures = std::function<Result<std::shared_ptr<const HostFigures>>(Duration patience)>;

  NodePages(const Clock& clock, Figures figures) : clock_(clock), figures_(std::move(figures)) {}

  HttpPage page(const std::string& path);

 private:
  Result<std::shared_ptr<const HostFigures>> figures();

  const Clock& clock_;
  const Figures figures_;
  std::mutex mutex_;  // held while the loop is asked: who comes meanwhile shares the answer
  std::shared_ptr<const HostFigures> latest_;  // guarded by mutex_, as is the next
  Instant latest_at_;
};

}  // namespace holdfast::repository
