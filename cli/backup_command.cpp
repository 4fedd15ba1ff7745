// `holdfast backup`. The scan begins before anything else, so that it is well ahead when nodes are
// connected and a passphrase is stretched.
#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>

#include "agent/backup_session.h"
#include "cli/backup_output.h"
#include "cli/backup_run.h"
#include "cli/backup_source.h"
#include "cli/parent_catalog.h"
#include "cli/progress_display.h"
#include "common/base/text.h"
#include "common/format/frame.h"

namespace holdfast::cli {
namespace {

using agent::BackupReport;
using agent::BackupSession;

std::string host_name() {
  std::array<char, 65> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

std::string user_name() {
  const passwd* const user = ::getpwuid(::geteuid());  // NOLINT: before threads ask, too
  return user != nullptr ? user->pw_name : std::to_string(::geteuid());
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

int exit_code_of(const BackupReport& report) {
  if (report.committed < report.nodes.size()) return kBehind;
  return report.problem_count > 0 ? kSomeUnread : kDone;
}

Result<BackupReport> run_session(Session& session, RepositoryAccess& access, BackupSource& source,
                                 const agent::WriterKeys& keys, agent::BackupRequest request) {
  using Outcome = std::shared_ptr<Result<BackupReport>>;
  Workplace& work = session.work;
  std::function<void(Outcome)> done;
  BackupSession backup({work.loop, work.pool, work.clock, work.random, work.files}, source.tree(),
                       source.scan(), keys, access.links(), std::move(request),
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
      source.cancel();
      backup.interrupt();
    });
    outcome = work.await<Outcome>([&](const std::function<void(Outcome)>& finish) {
      done = finish;
      backup.start();
    });
    work.on_interrupt(nullptr);
  }
  // What the pool still does uses the session.
  source.cancel();
  work.drain();
  return std::move(*outcome);
}

// What would be read, by the local catalog alone.
Result<int> preview_tree(Session& session, agent::EntryStream& scan,
                         const std::string& catalog_path) {
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

Result<int> preview(Session& session, BackupSource& source, bool stream,
                    const std::string& catalog_path) {
  if (!stream) return preview_tree(session, source.scan(), catalog_path);
  session.output.line(
      fmt::format("would read a stream and save it as {}", printable(source.paths().front())));
  Json summary{{"message_type", "summary"}, {"dry_run", true}};
  put_bytes(summary, "stream", source.paths().front());
  session.output.object(summary);
  return kDone;
}

}  // namespace

Result<BackupOutcome> run_backup(Session& session, const BackupOptions& options) {
  Workplace& work = session.work;
  const Instant began = work.clock.now();
  HOLDFAST_ASSIGN(const auto source, BackupSource::open(work.files, work.clock, options.source));

  HOLDFAST_ASSIGN(auto access, RepositoryAccess::open(work, session.output, session.access));
  HOLDFAST_ASSIGN(const agent::WriterKeys keys, access->writer_keys());
  HOLDFAST_ASSIGN(const format::SignedCharter* charter, access->charter());
  const AgentId agent = format::agent_id(keys.signing_key.verify_key());
  HOLDFAST_ASSIGN(const auto lock,
                  access->local().lock(agent, session.access.lock_wait, work, session.output));

  agent::BackupRequest request;
  request.host = options.host.empty() ? host_name() : options.host;
  request.user = user_name();
  request.paths = source->paths();
  request.tags = split_tags(options.tags);
  request.write_quorum = charter->charter.write_quorum;
  request.charter_version = charter->charter.version;
  request.reads_once = options.source.is_stream();
  request.upload_bytes_per_s = session.access.upload_kib_s * 1024;
  std::vector<std::string> parts{request.host};
  parts.insert(parts.end(), source->identity().begin(), source->identity().end());
  HOLDFAST_ASSIGN(request.catalog_path, access->local().catalog_path(agent, parts));

  HOLDFAST_ASSIGN(const bool known, work.files.exists(request.catalog_path));
  if (!known && access->has_secrets()) {
    HOLDFAST_ASSIGN(auto reader, access->reader_keys());
    fetch_parent_catalog(work, *access, std::move(reader), agent, request.host, request.paths,
                         request.catalog_path);
  }
  BackupOutcome outcome;
  if (options.dry_run) {
    HOLDFAST_ASSIGN(outcome.exit_code,
                    preview(session, *source, options.source.is_stream(), request.catalog_path));
    return outcome;
  }
  HOLDFAST_ASSIGN(outcome.report, run_session(session, *access, *source, keys, std::move(request)));
  if (auto closed = access->close(); !closed)
    session.output.warning(fmt::format("while ending: {}", closed.error().message()));
  print_report(session.output, *outcome.report, work.clock.now() - began);
  outcome.exit_code = exit_code_of(*outcome.report);
  return outcome;
}

Result<int> backup(Session& session, const BackupOptions& options) {
  HOLDFAST_ASSIGN(const BackupOutcome outcome, run_backup(session, options));
  return outcome.exit_code;
}

}  // namespace holdfast::cli
