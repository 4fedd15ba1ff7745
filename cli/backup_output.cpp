#include "cli/backup_output.h"

#include <fmt/format.h>

#include "cli/problem_list.h"
#include "common/base/text.h"

namespace holdfast::cli {
namespace {

using agent::BackupReport;

Json status_object(const agent::BackupProgress& progress, Duration elapsed) {
  Json status{{"message_type", "status"},
              {"seconds_elapsed", std::chrono::duration<double>(elapsed).count()},
              {"scanned", progress.scanned},
              {"total_files", progress.total_entries},
              {"files_done", progress.entries},
              {"total_bytes", progress.total_bytes},
              {"bytes_done", progress.bytes},
              {"bytes_stored", progress.bytes_stored}};
  status["nodes"] = Json::array();
  for (const auto& node : progress.nodes)
    status["nodes"].push_back(
        {{"name", node.name}, {"state", node.state}, {"pending_bytes", node.pending_bytes}});
  return status;
}

void print_nodes(Output& output, const BackupReport& report) {
  for (const auto& node : report.nodes) {
    if (!node.committed)
      output.warning(fmt::format("node {} does not have the snapshot yet: {}", printable(node.name),
                                 node.error ? node.error->message() : "it did not answer"));
    else if (node.caught_up)
      output.note(fmt::format("node {} was brought up to date", printable(node.name)));
  }
  if (report.relayed > 0)
    output.note(fmt::format("{} earlier snapshots were completed on nodes that had missed them",
                            report.relayed));
}

void print_summary(Output& output, const BackupReport& report, Duration elapsed) {
  const format::SnapshotDetail& detail = report.detail;
  output.note(fmt::format("files:  {} new, {} changed, {} unmodified", detail.files_new,
                          detail.files_changed, detail.files_unmodified));
  output.note(fmt::format("added:  {} ({} stored)", human_bytes(detail.bytes_added),
                          human_bytes(detail.bytes_stored)));
  output.note(fmt::format("read:   {} files, {} in {}", detail.files, human_bytes(detail.bytes),
                          clock_text(elapsed)));
  output.line(fmt::format("snapshot {} saved on {} of {} nodes", report.manifest->id.short_hex(),
                          report.committed, report.nodes.size()));
  Json summary{{"message_type", "summary"},
               {"snapshot_id", report.manifest->id.hex()},
               {"files_new", detail.files_new},
               {"files_changed", detail.files_changed},
               {"files_unmodified", detail.files_unmodified},
               {"files", detail.files},
               {"directories", detail.directories},
               {"others", detail.others},
               {"total_bytes_processed", detail.bytes},
               {"data_added", detail.bytes_added},
               {"data_added_packed", detail.bytes_stored},
               {"problems", report.problem_count},
               {"had_parent", report.had_parent},
               {"copies", report.committed},
               {"total_duration", std::chrono::duration<double>(elapsed).count()}};
  summary["nodes"] = Json::array();
  for (const auto& node : report.nodes) {
    Json one{{"name", node.name}, {"committed", node.committed}, {"caught_up", node.caught_up}};
    if (node.error) one["error"] = node.error->message();
    summary["nodes"].push_back(std::move(one));
  }
  output.object(summary);
}

}  // namespace

ProgressDisplay::Picture picture_of(const agent::BackupProgress& progress, Duration elapsed) {
  ProgressDisplay::Picture picture;
  const std::string share =
      progress.scanned ? bar(progress.bytes, progress.total_bytes) : std::string("scanning");
  picture.lines.push_back(
      fmt::format("{} {}  {} of {} entries, {} of {}, stored {}", clock_text(elapsed), share,
                  progress.entries, progress.total_entries, human_bytes(progress.bytes),
                  human_bytes(progress.total_bytes), human_bytes(progress.bytes_stored)));
  for (const auto& node : progress.nodes)
    picture.lines.push_back(fmt::format(
        "  {:<16} {}{}", printable(node.name), printable(node.state),
        node.pending_bytes != 0 ? ", " + human_bytes(node.pending_bytes) + " on the way" : ""));
  picture.status = status_object(progress, elapsed);
  return picture;
}

void print_report(Output& output, const BackupReport& report, Duration elapsed) {
  print_problems(output, "archival", report.problems, report.problem_count);
  print_nodes(output, report);
  print_summary(output, report, elapsed);
}

}  // namespace holdfast::cli
