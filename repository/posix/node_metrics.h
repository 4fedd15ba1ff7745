// A node in the words of those who watch it: metrics for Prometheus, and whether it is well.
// docs/operating/monitoring.md says what each metric means and what to do about it.
#pragma once

#include <optional>
#include <string>

#include "common/posix/zmq_listener.h"
#include "repository/disk_probe.h"
#include "repository/node_figures.h"

namespace holdfast::repository {

// All of a node process at one moment.
struct HostFigures {
  NodeFigures node;
  std::string name;  // what people call the node
  UnixTime started_at;
  bool listening = false;
  std::size_t connections = 0;
  ListenerCounters listener;
  HandshakeCounters handshakes;
  std::optional<DiskSpace> disk;
  std::optional<Error> disk_trouble;
  std::optional<Duration> disk_probe_took;
};

std::string metrics_text(const HostFigures& figures);
// Success, or the first reason why the node cannot do all that it is there for.
Status health(const HostFigures& figures);

}  // namespace holdfast::repository
