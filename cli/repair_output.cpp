#include "cli/repair_output.h"

#include <fmt/format.h>

#include "common/base/text.h"

namespace holdfast::cli {

using agent::RepairReport;

ProgressDisplay::Picture picture_of(const std::string& name, const RepairReport& so_far,
                                    std::size_t snapshots) {
  const std::size_t done = so_far.completed.size() + so_far.failed.size();
  return {{fmt::format("{}: {} of {} snapshots, {} sent", name, done, snapshots,
                       human_bytes(so_far.sent_bytes))},
          Json{{"message_type", "status"},
               {"node", name},
               {"snapshots", snapshots},
               {"snapshots_done", done},
               {"bytes_sent", so_far.sent_bytes}}};
}

void print_report(Output& output, const std::string& name, const RepairReport& report) {
  output.line(fmt::format("node {}: {} snapshots completed, {} sent", name, report.completed.size(),
                          human_bytes(report.sent_bytes)));
  Json failures = Json::array();
  for (const auto& [snapshot, reason] : report.failed) {
    output.line(fmt::format("  snapshot {} cannot be completed: {}", snapshot.short_hex(),
                            reason.message()));
    failures.push_back({{"snapshot", snapshot.hex()}, {"error", reason.message()}});
  }
  if (report.ended) output.line(fmt::format("  ended early: {}", report.ended->message()));
  Json object{{"message_type", "node"},
              {"name", name},
              {"completed", report.completed.size()},
              {"bytes_sent", report.sent_bytes},
              {"failed", std::move(failures)}};
  if (report.ended) object["error"] = report.ended->message();
  output.object(object);
}

}  // namespace holdfast::cli
