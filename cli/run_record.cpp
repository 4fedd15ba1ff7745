#include "cli/run_record.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <ctime>

#include "cli/exit_code.h"
#include "cli/output.h"
#include "common/base/text.h"
#include "common/format/prometheus_text.h"
#include "common/posix/system_call.h"

namespace holdfast::cli {
namespace {

using format::MetricType;

constexpr std::string_view kLastSuccess = "holdfast_backup_last_success_timestamp_seconds";
constexpr std::size_t kMaxMetrics = 1 << 20;

double seconds(UnixTime time) { return static_cast<double>(time.nanoseconds) / 1e9; }
double seconds(Duration span) { return std::chrono::duration<double>(span).count(); }

std::string utc(UnixTime time) {
  const std::time_t whole = time.nanoseconds / 1'000'000'000;
  std::tm parts{};
  ::gmtime_r(&whole, &parts);
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", parts);
}

std::string_view outcome_of(const RunRecord& run) {
  switch (run.exit_code) {
    case kDone:
      return "done";
    case kSomeUnread:
      return "some_unread";
    case kBehind:
      return "not_on_every_node";
    case kInterruptedByUser:
      return "interrupted";
    default:
      return "failed";
  }
}

std::uint64_t bytes_sent(const agent::BackupReport& report) {
  std::uint64_t sum = 0;
  for (const auto& node : report.nodes) sum += node.sent_bytes;
  return sum;
}

// Of the last success, as an earlier file of ours says it.
std::optional<double> earlier_success(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.starts_with(kLastSuccess)) continue;
    const std::string_view value = line.substr(line.rfind(' ') + 1);
    double time = 0;
    const auto [stop, error] = std::from_chars(value.data(), value.data() + value.size(), time);
    if (error == std::errc() && stop == value.data() + value.size() && time > 0) return time;
  }
  return std::nullopt;
}

}  // namespace

std::string state_folder() {
  const char* const named = std::getenv("HOLDFAST_STATE_DIR");
  const bool is_named = named != nullptr && *named != '\0';
  std::string folder = is_named ? named : "/var/lib/holdfast-agent";
  struct stat stat {};
  if (::stat(folder.c_str(), &stat) != 0 || !S_ISDIR(stat.st_mode)) return {};
  if (!is_named && ::access(folder.c_str(), W_OK | X_OK) != 0) return {};
  return folder;
}

std::string receipt_of(const RunRecord& run) {
  Json receipt{{"version", 1}};
  put_bytes(receipt, "profile", run.profile);
  put_bytes(receipt, "repository", run.repository);
  receipt["started"] = utc(run.started);
  receipt["ended"] = utc(run.ended);
  receipt["seconds"] = seconds(run.took);
  receipt["attempts"] = run.attempts;
  receipt["exit_code"] = run.exit_code;
  receipt["outcome"] = outcome_of(run);
  if (run.made_snapshot()) {
    const agent::BackupReport& report = *run.report;
    receipt["snapshot_id"] = report.manifest->id.hex();
    receipt["files"] = {{"new", report.detail.files_new},
                        {"changed", report.detail.files_changed},
                        {"unmodified", report.detail.files_unmodified}};
    receipt["bytes"] = {{"new", report.bytes.is_new},
                        {"changed", report.bytes.changed},
                        {"unmodified", report.bytes.unmodified},
                        {"read", report.bytes.read},
                        {"sent", bytes_sent(report)}};
    receipt["unread_files"] = report.problem_count;
    receipt["copies"] = report.committed;
    receipt["nodes"] = Json::array();
    for (const auto& node : report.nodes) {
      Json one;
      put_bytes(one, "name", node.name);
      one["committed"] = node.committed;
      one["caught_up"] = node.caught_up;
      one["bytes_sent"] = node.sent_bytes;
      if (node.error) put_bytes(one, "error", node.error->message());
      receipt["nodes"].push_back(std::move(one));
    }
  }
  if (!run.error.empty()) put_bytes(receipt, "error", run.error);
  if (!run.hook_problem.empty()) put_bytes(receipt, "hook_problem", run.hook_problem);
  return receipt.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string metrics_of(const RunRecord& run, std::string_view earlier) {
  format::PrometheusText text;
  const format::MetricLabels labels{{"profile", run.profile}};
  const auto gauge = [&](std::string_view name, std::string_view help, auto value) {
    text.family(name, MetricType::kGauge, help);
    text.sample(value, labels);
  };
  gauge("holdfast_backup_last_run_timestamp_seconds", "When the last run ended.",
        seconds(run.ended));
  const auto success =
      run.made_snapshot() ? std::optional(seconds(run.ended)) : earlier_success(earlier);
  if (success) gauge(kLastSuccess, "When the last run ended that made a snapshot.", *success);
  gauge("holdfast_backup_exit_code",
        "How the last run ended: 0, 3 and 4 made a snapshot, all else did not.", run.exit_code);
  gauge("holdfast_backup_duration_seconds", "How long the last run took.", seconds(run.took));
  const agent::BackupReport none;
  const agent::BackupReport& report = run.made_snapshot() ? *run.report : none;
  gauge("holdfast_backup_files", "Regular files in the snapshot of the last run.",
        report.detail.files);
  gauge("holdfast_backup_bytes_read", "Bytes of files that the last run read.", report.bytes.read);
  gauge("holdfast_backup_bytes_sent", "Bytes that the last run sent to all nodes together.",
        bytes_sent(report));
  gauge("holdfast_backup_nodes_complete", "Nodes that have the snapshot of the last run.",
        report.committed);
  gauge("holdfast_backup_nodes_total",
        "Nodes of the repository, as far as the last run that made a snapshot knew them.",
        report.nodes.size());
  gauge("holdfast_backup_unread_files", "What the last run could not read or save as it was.",
        report.problem_count);
  return std::move(text).take();
}

Status write_receipt(FileSystem& files, const std::string& path, const RunRecord& run) {
  return write_file_atomically(files, path, as_bytes(receipt_of(run)));
}

Status write_metrics(FileSystem& files, const std::string& path, const RunRecord& run) {
  std::string earlier;
  HOLDFAST_ASSIGN(const bool there, files.exists(path));
  if (there) {
    // One that cannot be read loses the time of the last success, and nothing else.
    if (const auto bytes = read_file(files, path, kMaxMetrics)) earlier = as_text(*bytes);
  }
  // Under a name that the collector does not take, so that nobody sees it unreadable.
  const auto let_all_read = [](const std::string& unfinished) -> Status {
    if (::chmod(unfinished.c_str(), 0644) != 0) return system_error("chmod", unfinished);
    return {};
  };
  return write_file_atomically(files, path, as_bytes(metrics_of(run, earlier)), let_all_read);
}

}  // namespace holdfast::cli
