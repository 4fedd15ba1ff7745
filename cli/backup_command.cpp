// `holdfast backup`. The scan begins before anything else, so that it is well ahead when nodes are
// connected and a passphrase is stretched.
#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>

#include "agent/backup_session.h"
#include "agent/posix/posix_source_tree.h"
#include "agent/posix/scan_thread.h"
#include "cli/commands.h"
#include "cli/parent_catalog.h"
#include "cli/progress_display.h"
#include "common/base/text.h"
#include "common/format/frame.h"

namespace holdfast::cli {
namespace {

using agent::BackupReport;
using agent::BackupSession;

constexpr std::size_t kMaxExcludeFile = 16 << 20;
constexpr std::size_t kProblemsPrinted = 100;

std::string host_name() {
  std::array<char, 65> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

std::string user_name() {
  const passwd* const user = ::getpwuid(::geteuid());  // NOLINT: before threads ask, too
  return user != nullptr ? user->pw_name : std::to_string(::geteuid());
}

// One pattern a line; blank lines and those that begin with '#' are left out.
Status read_patterns(FileSystem& files, const std::string& path, std::vector<std::string>& to) {
  HOLDFAST_ASSIGN_OR(const Buffer bytes, read_file(files, path, kMaxExcludeFile), "--exclude-file");
  std::string_view text = as_text(bytes);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.pop_back();
    if (!line.empty() && line.front() != '#') to.push_back(std::move(line));
  }
  return {};
}

std::vector<std::string> split_tags(const std::vector<std::string>& given) {
  std::vector<std::string> tags;
  for (std::string_view text : given)
    for (;;) {
      const std::size_t comma = std::min(text.find(','), text.size());
      if (comma != 0) tags.emplace_back(text.substr(0, comma));
      if (comma == text.size()) break;
      text.remove_prefix(comma + 1);
    }
  std::ranges::sort(tags);
  tags.erase(std::unique(tags.begin(), tags.end()), tags.end());
  return tags;
}

// What is scanned, and what the snapshot says of it.
struct Source {
  std::vector<std::string> paths, patterns;
  std::unique_ptr<agent::PosixSourceTree> tree;
};

Result<Source> open_source(FileSystem& files, const BackupOptions& options) {
  Source source;
  source.patterns = options.excludes;
  for (const std::string& path : options.exclude_files)
    HOLDFAST_TRY(read_patterns(files, path, source.patterns));
  agent::ScanOptions scan;
  HOLDFAST_ASSIGN(scan.exclude, agent::PathFilter::parse(source.patterns));
  scan.one_file_system = options.one_file_system;
  scan.exclude_caches = options.exclude_caches;
  HOLDFAST_ASSIGN(const auto paths, agent::SourcePaths::from(options.paths));
  for (const std::string& path : paths.sources()) source.paths.push_back("/" + path);
  HOLDFAST_TRY(paths.check_reachable());
  HOLDFAST_ASSIGN(source.tree, agent::PosixSourceTree::create(options.paths, std::move(scan)));
  return source;
}

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

// ---- what came of it

void print_problems(Output& output, const BackupReport& report) {
  std::size_t printed = 0;
  for (const agent::ScanProblem& problem : report.problems) {
    if (++printed > kProblemsPrinted) break;
    if (output.json) {
      Json line{{"message_type", "error"},
                {"during", "archival"},
                {"code", name(problem.error.code())},
                {"message", problem.error.message()}};
      put_bytes(line, "item", problem.path);
      output.object(line);
    } else {
      output.warning(fmt::format("{}: {}", printable(problem.path), problem.error.message()));
    }
  }
  if (report.problem_count > kProblemsPrinted)
    output.warning(fmt::format("{} more like these", report.problem_count - kProblemsPrinted));
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

int exit_code_of(const BackupReport& report) {
  if (report.committed < report.nodes.size()) return kBehind;
  return report.problem_count > 0 ? kSomeUnread : kDone;
}

// ---- the run

Result<BackupReport> run_session(Session& session, RepositoryAccess& access, Source& source,
                                 agent::ScanThread& scan, const agent::WriterKeys& keys,
                                 agent::BackupRequest request) {
  using Outcome = std::shared_ptr<Result<BackupReport>>;
  Workplace& work = session.work;
  std::function<void(Outcome)> done;
  BackupSession backup({work.loop, work.pool, work.clock, work.random, work.files}, *source.tree,
                       scan, keys, access.links(), std::move(request),
                       [&done](Result<BackupReport> report) {
                         done(std::make_shared<Result<BackupReport>>(std::move(report)));
                       });
  const Instant began = work.clock.now();
  Outcome outcome;
  {
    const ProgressDisplay display(work, session.output, [&] {
      return picture_of(backup.progress(), work.clock.now() - began);
    });
    work.on_interrupt([&] {
      session.output.note("stopping; once more ends at once");
      scan.cancel();
      backup.interrupt();
    });
    outcome = work.await<Outcome>([&](const std::function<void(Outcome)>& finish) {
      done = finish;
      backup.start();
    });
    work.on_interrupt(nullptr);
  }
  // What the pool still does uses the session.
  scan.cancel();
  work.drain();
  return std::move(*outcome);
}

// What would be read, by the local catalog alone.
Result<int> preview(Session& session, agent::ScanThread& scan, const std::string& catalog_path) {
  auto catalog = agent::CatalogFileReader::open(session.work.files, catalog_path);
  UnixTime began;
  if (catalog)
    if (auto manifest = format::parse_manifest(catalog->signed_manifest()))
      began = manifest->manifest.claimed_time;
  agent::ChangeDetector detector(scan, catalog ? &*catalog : nullptr, began);
  std::array<std::uint64_t, 3> files{};
  std::uint64_t bytes = 0, problems = 0;
  for (;;) {
    HOLDFAST_ASSIGN(const auto planned, detector.next());
    for (const agent::ScanProblem& problem : scan.take_problems()) {
      ++problems;
      session.output.warning(
          fmt::format("{}: {}", printable(problem.path), problem.error.message()));
    }
    if (planned.empty()) break;
    for (const agent::PlannedEntry& plan : planned) {
      if (!plan.entry.entry.is_regular()) continue;
      ++files[static_cast<std::size_t>(plan.kind)];
      if (plan.kind != agent::PlannedEntry::Kind::kUnchanged) bytes += plan.entry.entry.size;
    }
  }
  session.output.line(fmt::format("would read {} new and {} changed files, {}; {} are unmodified",
                                  files[0], files[1], human_bytes(bytes), files[2]));
  session.output.object(Json{{"message_type", "summary"},
                             {"dry_run", true},
                             {"files_new", files[0]},
                             {"files_changed", files[1]},
                             {"files_unmodified", files[2]},
                             {"bytes_to_read", bytes}});
  return problems > 0 ? kSomeUnread : kDone;
}

}  // namespace

Result<int> backup(Session& session, const BackupOptions& options) {
  Workplace& work = session.work;
  const Instant began = work.clock.now();
  HOLDFAST_ASSIGN(Source source, open_source(work.files, options));
  agent::ScanThread scan(*source.tree);

  HOLDFAST_ASSIGN(auto access, RepositoryAccess::open(work, session.output, session.access));
  HOLDFAST_ASSIGN(const agent::WriterKeys keys, access->writer_keys());
  HOLDFAST_ASSIGN(const format::SignedCharter* charter, access->charter());
  const AgentId agent = format::agent_id(keys.signing_key.verify_key());
  HOLDFAST_ASSIGN(const auto lock,
                  access->local().lock(agent, session.access.lock_wait, work, session.output));

  agent::BackupRequest request;
  request.host = options.host.empty() ? host_name() : options.host;
  request.user = user_name();
  request.paths = source.paths;
  request.tags = split_tags(options.tags);
  request.write_quorum = charter->charter.write_quorum;
  request.charter_version = charter->charter.version;
  std::vector<std::string> parts{request.host, options.one_file_system ? "x" : "",
                                 options.exclude_caches ? "c" : ""};
  parts.insert(parts.end(), source.paths.begin(), source.paths.end());
  parts.emplace_back();
  parts.insert(parts.end(), source.patterns.begin(), source.patterns.end());
  HOLDFAST_ASSIGN(request.catalog_path, access->local().catalog_path(agent, parts));

  HOLDFAST_ASSIGN(const bool known, work.files.exists(request.catalog_path));
  if (!known && access->has_secrets()) {
    HOLDFAST_ASSIGN(auto reader, access->reader_keys());
    fetch_parent_catalog(work, *access, std::move(reader), agent, request.host, request.paths,
                         request.catalog_path);
  }
  if (options.dry_run) return preview(session, scan, request.catalog_path);

  HOLDFAST_ASSIGN(const BackupReport report,
                  run_session(session, *access, source, scan, keys, std::move(request)));
  if (auto closed = access->close(); !closed)
    session.output.warning(fmt::format("while ending: {}", closed.error().message()));
  print_problems(session.output, report);
  print_nodes(session.output, report);
  print_summary(session.output, report, work.clock.now() - began);
  return exit_code_of(report);
}

}  // namespace holdfast::cli
