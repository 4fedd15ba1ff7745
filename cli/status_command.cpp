// `holdfast status`: each node as it says of itself, and what the number of nodes means.
//
// The availability A(n) = 1 - Pd^n is that at least one of n nodes answers, where each is down with
// probability Pd; the durability P(n) = 1 - Pf^n that at least one of n copies outlives a year,
// where each is lost with probability Pf. Both take failures to be independent: nodes that share a
// room, a power line or an administrator are not, so the real figures are lower.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/commands.h"
#include "common/base/text.h"

namespace holdfast::cli {
namespace {

constexpr double kDownProbability = 0.01;  // assumed: 3.65 days a year
// Assumed: a disk's annual failure rate (1.57 % over 2024, Backblaze, "Drive Stats for Q3 2025"),
// and twice as much again for people, software and fire.
constexpr double kLossProbability = 0.05;

struct NodeStatus {
  std::string name, endpoint;
  std::optional<wire::StatusReply> reply;
  std::string problem;
};

// 0.999999 as "99.9999 %": as many nines as there are.
std::string percent(double failure) {
  const int digits = std::clamp(static_cast<int>(std::ceil(-std::log10(failure))) - 2, 0, 15);
  return fmt::format("{:.{}f} %", (1 - failure) * 100, digits);
}

NodeStatus status_of(Workplace& work, agent::NodeLink& link) {
  NodeStatus status;
  status.name = link.name();
  status.endpoint = link.node().address.endpoint;
  wire::RequestProto request;
  request.mutable_status();
  const auto reply = ask(work, link, std::move(request));
  if (reply)
    status.reply = reply->proto.status();
  else
    status.problem = reply.error().message();
  return status;
}

void print(Output& output, const NodeStatus& node, std::uint64_t most_snapshots,
           std::uint64_t charter_version) {
  const std::string name = printable(node.name);
  Json object{{"message_type", "node"},
              {"name", node.name},
              {"endpoint", node.endpoint},
              {"reachable", node.reply.has_value()}};
  if (!node.reply) {
    output.line(
        fmt::format("{:<16} {}  NOT REACHABLE: {}", name, printable(node.endpoint), node.problem));
    object["error"] = node.problem;
    return output.object(object);
  }
  const wire::StatusReply& reply = *node.reply;
  const std::uint64_t lag = most_snapshots - reply.complete_snapshots();
  output.line(fmt::format("{:<16} {}  {}  up {} h", name, printable(node.endpoint),
                          printable(reply.program()), reply.uptime_s() / 3600));
  output.line(fmt::format("  {} snapshots, {}; {} objects, {} stored, {} free", reply.snapshots(),
                          lag == 0 ? "none behind" : fmt::format("{} BEHIND the others", lag),
                          reply.objects(), human_bytes(reply.stored_bytes()),
                          human_bytes(reply.free_bytes())));
  if (reply.damaged_objects() > 0)
    output.line(
        fmt::format("  {} objects are DAMAGED here; the next backup that still has them "
                    "heals them",
                    reply.damaged_objects()));
  if (reply.read_only())
    output.line(fmt::format("  READ ONLY: {}", printable(reply.read_only_reason())));
  if (reply.charter_version() < charter_version)
    output.line(
        fmt::format("  has charter version {} of {}", reply.charter_version(), charter_version));
  object["program"] = reply.program();
  object["uptime_s"] = reply.uptime_s();
  object["snapshots"] = reply.snapshots();
  object["complete_snapshots"] = reply.complete_snapshots();
  object["lag"] = lag;
  object["objects"] = reply.objects();
  object["stored_bytes"] = reply.stored_bytes();
  object["free_bytes"] = reply.free_bytes();
  object["damaged_objects"] = reply.damaged_objects();
  object["read_only"] = reply.read_only();
  object["charter_version"] = reply.charter_version();
  output.object(object);
}

}  // namespace

Result<int> status(Session& session) {
  HOLDFAST_ASSIGN(auto access,
                  RepositoryAccess::open(session.work, session.output, session.access));
  HOLDFAST_ASSIGN(const format::SignedCharter* charter, access->charter());
  std::vector<NodeStatus> nodes;
  std::uint64_t most = 0;
  for (agent::NodeLink* link : access->links()) {
    nodes.push_back(status_of(session.work, *link));
    if (nodes.back().reply) most = std::max(most, nodes.back().reply->complete_snapshots());
  }
  Output& output = session.output;
  output.line(fmt::format("repository {}, charter version {}: {} nodes, a backup needs {}",
                          access->id().short_hex(), charter->charter.version,
                          charter->charter.nodes.size(), charter->charter.write_quorum));
  for (const NodeStatus& node : nodes) print(output, node, most, charter->charter.version);

  const auto reachable = static_cast<std::size_t>(
      std::ranges::count_if(nodes, [](const NodeStatus& node) { return node.reply.has_value(); }));
  const auto n = static_cast<double>(charter->charter.nodes.size());
  const double down = std::pow(kDownProbability, n), lost = std::pow(kLossProbability, n);
  output.line(fmt::format("{} of {} nodes answer", reachable, nodes.size()));
  output.line(fmt::format(
      "model, not a measurement: independent nodes, each down {} % of the time and lost with "
      "{} % a year",
      kDownProbability * 100, kLossProbability * 100));
  output.line(fmt::format("  availability for restoring 1 - Pd^{} = {}", n, percent(down)));
  output.line(fmt::format("  durability over a year     1 - Pf^{} = {}", n, percent(lost)));
  output.object(Json{{"message_type", "summary"},
                     {"repository", access->id().hex()},
                     {"charter_version", charter->charter.version},
                     {"write_quorum", charter->charter.write_quorum},
                     {"nodes", nodes.size()},
                     {"reachable", reachable},
                     {"model",
                      {{"assumption", "independent nodes"},
                       {"down_probability", kDownProbability},
                       {"annual_loss_probability", kLossProbability},
                       {"availability", 1 - down},
                       {"durability", 1 - lost}}}});
  return reachable == nodes.size() ? kDone : kFailed;
}

}  // namespace holdfast::cli
