#include "repository/posix/node_metrics.h"

#include <fmt/format.h>

#include "common/format/prometheus_text.h"
#include "common/wire/message.h"

namespace holdfast::repository {
namespace {

using format::MetricLabels;
using format::MetricType;
using format::PrometheusText;
using Request = wire::RequestProto;

double seconds(UnixTime time) { return static_cast<double>(time.nanoseconds) / 1e9; }
double seconds(Duration span) { return std::chrono::duration<double>(span).count(); }

std::string_view type_name(std::size_t what) {
  switch (static_cast<Request::WhatCase>(what)) {
    case Request::kHello:
      return "hello";
    case Request::kPing:
      return "ping";
    case Request::kPresent:
      return "present";
    case Request::kPutFrame:
      return "put_frame";
    case Request::kCommit:
      return "commit";
    case Request::kHead:
      return "head";
    case Request::kGetCharter:
      return "get_charter";
    case Request::kPutCharter:
      return "put_charter";
    case Request::kListManifests:
      return "list_manifests";
    case Request::kLocate:
      return "locate";
    case Request::kGetFrame:
      return "get_frame";
    case Request::kVerify:
      return "verify";
    case Request::kStatus:
      return "status";
    case Request::kReportDamage:
      return "report_damage";
    case Request::kPrepare:
      return "prepare";
    case Request::WHAT_NOT_SET:
      return "unknown";
  }
  return {};
}

// Families of one node's own.
class NodeText {
 public:
  NodeText(PrometheusText& text, const HostFigures& figures) : text_(text), figures_(figures) {}

  void write() {
    one("holdfast_node_build_info", MetricType::kGauge, "The program and this node; always 1.", 1,
        {{"program", figures_.node.program},
         {"node", figures_.node.id.short_hex()},
         {"name", figures_.name}});
    one("process_start_time_seconds", MetricType::kGauge,
        "When the node was started, in seconds since 1970.", seconds(figures_.started_at));
    one("holdfast_node_healthy", MetricType::kGauge,
        "1 if /healthz answers 200: it listens, its disk answers, all repositories take writes.",
        health(figures_) ? 1 : 0);
    write_disk();
    write_transport();
    write_requests();
  }

 private:
  void one(std::string_view name, MetricType type, std::string_view help, auto value,
           const MetricLabels& labels = {}) {
    text_.family(name, type, help);
    text_.sample(value, labels);
  }

  void write_disk() {
    one("holdfast_node_disk_healthy", MetricType::kGauge,
        "1 if the last probe could write and sync in the data folder in time.",
        figures_.disk_trouble ? 0 : 1);
    if (figures_.disk_probe_took)
      one("holdfast_node_disk_probe_seconds", MetricType::kGauge,
          "How long the last probe of the disk took that ended.",
          seconds(*figures_.disk_probe_took));
    if (!figures_.disk) return;
    one("holdfast_node_disk_free_bytes", MetricType::kGauge,
        "Free for the node on the file system of its data folder.", figures_.disk->free);
    one("holdfast_node_disk_size_bytes", MetricType::kGauge,
        "Size of the file system of the data folder.", figures_.disk->total);
  }

  void write_transport() {
    const ListenerCounters& listener = figures_.listener;
    one("holdfast_node_listening", MetricType::kGauge, "1 if agents can connect.",
        figures_.listening ? 1 : 0);
    one("holdfast_node_connections", MetricType::kGauge, "Connections that are open now.",
        figures_.connections);
    one("holdfast_node_connections_total", MetricType::kCounter, "Connections that were opened.",
        listener.connections);
    one("holdfast_node_connections_unheard_total", MetricType::kCounter,
        "Connections that ended before they had sent a message: refused, broken, or of scanners.",
        listener.unheard);
    one("holdfast_node_messages_received_total", MetricType::kCounter, "Messages taken.",
        listener.messages_received);
    one("holdfast_node_messages_sent_total", MetricType::kCounter, "Messages sent.",
        listener.messages_sent);
    one("holdfast_node_received_bytes_total", MetricType::kCounter,
        "Bytes of the messages taken, as encrypted.", listener.bytes_received);
    one("holdfast_node_sent_bytes_total", MetricType::kCounter,
        "Bytes of the messages sent, as encrypted.", listener.bytes_sent);
    one("holdfast_node_replies_dropped_total", MetricType::kCounter,
        "Replies that their peers did not read.", listener.replies_dropped);
    text_.family("holdfast_node_connections_cut_total", MetricType::kCounter,
                 "Connections that the node ended, by reason.");
    for (const auto& [reason, count] : listener.cut)
      text_.sample(count, {{"reason", std::string(reason)}});
    const HandshakeCounters& handshakes = figures_.handshakes;
    one("holdfast_node_handshakes_total", MetricType::kCounter,
        "Handshakes that proved a key which is let in.", handshakes.admitted);
    text_.family("holdfast_node_handshakes_refused_total", MetricType::kCounter,
                 "Handshakes that proved a key which is not let in, by reason.");
    text_.sample(handshakes.not_admitted, {{"reason", "not_admitted"}});
    text_.sample(handshakes.too_many, {{"reason", "too_many"}});
    text_.sample(handshakes.malformed, {{"reason", "malformed"}});
  }

  void write_requests() {
    const RequestCounters& requests = figures_.node.requests;
    text_.family("holdfast_node_requests_total", MetricType::kCounter,
                 "Requests that could be read, by type.");
    for (std::size_t what = 0; what < requests.received.size(); ++what)
      if (const std::string_view type = type_name(what); !type.empty())
        text_.sample(requests.received[what], {{"type", std::string(type)}});
    text_.family("holdfast_node_requests_refused_total", MetricType::kCounter,
                 "Requests answered by an error, by its code.");
    for (std::size_t code = 0; code < requests.refused.size(); ++code)
      if (requests.refused[code] != 0)
        text_.sample(requests.refused[code],
                     {{"reason", std::string(name(static_cast<Code>(code)))}});
    one("holdfast_node_requests_malformed_total", MetricType::kCounter,
        "Requests so broken that their connection was ended.", requests.malformed);
  }

  PrometheusText& text_;
  const HostFigures& figures_;
};

// Families with a sample for each repository.
class RepositoriesText {
 public:
  RepositoriesText(PrometheusText& text, const NodeFigures& figures)
      : text_(text), figures_(figures) {}

  void write() {
    text_.family("holdfast_node_repositories", MetricType::kGauge,
                 "Repositories in the data folder, by whether they could be opened.");
    text_.sample(figures_.repositories.size(), {{"state", "open"}});
    text_.sample(figures_.unopened.size(), {{"state", "unreadable"}});
    write_store();
    write_snapshots();
    write_traffic();
    write_agents();
  }

 private:
  using Value = double (*)(const RepositoryFigures&);
  static MetricLabels of(const RepositoryFigures& repository) {
    return {{"repository", repository.id.short_hex()}};
  }
  void each(std::string_view name, MetricType type, std::string_view help, Value value) {
    text_.family(name, type, help);
    for (const RepositoryFigures& repository : figures_.repositories)
      text_.sample(value(repository), of(repository));
  }

  void write_store() {
    using R = const RepositoryFigures&;
    each("holdfast_node_stored_bytes", MetricType::kGauge, "Bytes of all segments.",
         [](R r) { return double(r.store.stored_bytes); });
    each("holdfast_node_segments", MetricType::kGauge, "Segment files.",
         [](R r) { return double(r.store.segments); });
    each("holdfast_node_objects", MetricType::kGauge, "Objects, approximately.",
         [](R r) { return double(r.store.objects); });
    each("holdfast_node_damaged_objects", MetricType::kGauge,
         "Objects known to be damaged here and not yet replaced.",
         [](R r) { return double(r.store.damaged_objects); });
    each("holdfast_node_incomplete_lists", MetricType::kGauge,
         "List objects below which something is missing or damaged.",
         [](R r) { return double(r.store.incomplete_lists); });
    each("holdfast_node_damage_found_total", MetricType::kCounter,
         "Objects found to be damaged: by verifications, by reading, by reports.",
         [](R r) { return double(r.counters.damage); });
    each("holdfast_node_read_only", MetricType::kGauge, "1 if no writes are taken.",
         [](R r) { return r.store.read_only ? 1.0 : 0.0; });
    text_.family("holdfast_node_read_only_reason", MetricType::kGauge,
                 "1, with the code of the error that made the repository read-only.");
    for (R repository : figures_.repositories) {
      if (!repository.store.read_only || !repository.store.read_only_code) continue;
      MetricLabels labels = of(repository);
      labels.push_back({"reason", std::string(name(*repository.store.read_only_code))});
      text_.sample(1, labels);
    }
    text_.family("holdfast_node_last_full_verification_timestamp_seconds", MetricType::kGauge,
                 "When the last verification that read every byte ended, if that is known.");
    for (R repository : figures_.repositories)
      if (repository.verified_at) text_.sample(seconds(*repository.verified_at), of(repository));
  }

  void write_snapshots() {
    text_.family("holdfast_node_snapshots", MetricType::kGauge,
                 "Snapshots listed here, by whether this node alone can restore them.");
    for (const RepositoryFigures& repository : figures_.repositories) {
      if (!repository.complete_snapshots) continue;
      MetricLabels labels = of(repository);
      labels.push_back({"state", "complete"});
      text_.sample(*repository.complete_snapshots, labels);
      labels.back().value = "incomplete";
      text_.sample(repository.snapshots - *repository.complete_snapshots, labels);
    }
    each("holdfast_node_charter_version", MetricType::kGauge, "Version of the charter that holds.",
         [](const RepositoryFigures& r) { return double(r.charter_version); });
  }

  void write_traffic() {
    using R = const RepositoryFigures&;
    each("holdfast_node_frames_received_total", MetricType::kCounter, "Frames taken.",
         [](R r) { return double(r.counters.received.frames); });
    each("holdfast_node_frames_received_bytes_total", MetricType::kCounter,
         "Bytes of the frames taken.", [](R r) { return double(r.counters.received.bytes); });
    each("holdfast_node_frames_sent_total", MetricType::kCounter, "Frames sent to who reads.",
         [](R r) { return double(r.counters.sent.frames); });
    each("holdfast_node_frames_sent_bytes_total", MetricType::kCounter, "Bytes of the frames sent.",
         [](R r) { return double(r.counters.sent.bytes); });
    text_.family("holdfast_node_sync_seconds", MetricType::kHistogram,
                 "How long the disk took to make durable what was appended.");
    for (R repository : figures_.repositories)
      text_.sample(repository.sync_seconds, of(repository));
    each("holdfast_node_syncs_failed_total", MetricType::kCounter,
         "Syncs that failed: what they should have made durable was given up.",
         [](R r) { return double(r.failed_syncs); });
  }

  void write_agents() {
    using A = const AgentFigures&;
    each_agent(
        "holdfast_node_newest_snapshot_sequence",
        "Number of the agent's newest snapshot here; 0: none. Less than on another node: this "
        "one lags behind.",
        [](A a) { return std::optional(double(a.newest_sequence)); });
    each_agent("holdfast_node_newest_snapshot_timestamp_seconds",
               "When the run of the agent's newest snapshot began, by the agent's clock.", [](A a) {
                 return a.newest_sequence != 0 ? std::optional(seconds(a.newest_claimed))
                                               : std::nullopt;
               });
    each_agent("holdfast_node_newest_snapshot_received_timestamp_seconds",
               "When the agent's newest snapshot arrived, by this node's clock.", [](A a) {
                 return a.newest_sequence != 0 ? std::optional(seconds(a.newest_received))
                                               : std::nullopt;
               });
  }
  void each_agent(std::string_view name, std::string_view help,
                  std::optional<double> (*value)(const AgentFigures&)) {
    text_.family(name, MetricType::kGauge, help);
    for (const RepositoryFigures& repository : figures_.repositories) {
      for (const AgentFigures& agent : repository.agents) {
        const std::optional<double> sample = value(agent);
        if (!sample) continue;
        MetricLabels labels = of(repository);
        labels.push_back({"agent", agent.id.short_hex()});
        labels.push_back({"agent_name", agent.name});
        text_.sample(*sample, labels);
      }
    }
  }

  PrometheusText& text_;
  const NodeFigures& figures_;
};

}  // namespace

std::string metrics_text(const HostFigures& figures) {
  PrometheusText text;
  NodeText(text, figures).write();
  RepositoriesText(text, figures.node).write();
  return std::move(text).take();
}

Status health(const HostFigures& figures) {
  if (!figures.listening) return Error(Code::kUnavailable, "agents cannot connect");
  if (figures.disk_trouble) return *figures.disk_trouble;
  for (const RepositoryId& id : figures.node.unopened)
    return Error(Code::kCorrupt, fmt::format("repository {} cannot be opened", id.short_hex()));
  for (const RepositoryFigures& repository : figures.node.repositories)
    if (repository.store.read_only)
      return Error(Code::kReadOnly,
                   fmt::format("repository {} takes no writes: {}", repository.id.short_hex(),
                               repository.store.read_only_reason));
  return {};
}

}  // namespace holdfast::repository
