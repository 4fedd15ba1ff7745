// `holdfast restore`: the snapshot is picked, its catalog fetched, and then everything is written
// by one restore session.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "agent/posix/posix_restore_target.h"
#include "agent/posix/posix_target_view.h"
#include "agent/restore_session.h"
#include "cli/problem_list.h"
#include "cli/progress_display.h"
#include "cli/snapshot_access.h"
#include "common/base/text.h"

namespace holdfast::cli {
namespace {

using agent::RestoreResult;

// Of a dry run into a folder that is not there: nothing is in it, and nothing is written.
class AbsentTarget final : public agent::RestoreTarget, public agent::TargetView {
 public:
  Status make_directory(const std::string&) override { return refuse(); }
  Result<std::unique_ptr<agent::FileWriter>> create_file(const std::string&,
                                                         const agent::Entry&) override {
    return refuse();
  }
  Status write_file(const std::string&, const agent::Entry&, ByteView) override { return refuse(); }
  Status make_symlink(const std::string&, const agent::Entry&) override { return refuse(); }
  Status make_hard_link(const std::string&, const std::string&) override { return refuse(); }
  Status make_special(const std::string&, const agent::Entry&) override { return refuse(); }
  Status finish_directory(const std::string&, const agent::Entry&) override { return refuse(); }
  Result<bool> matches(const std::string&, const agent::Entry&) override { return false; }

  Result<std::optional<agent::Entry>> look(const std::string&) override {
    return std::optional<agent::Entry>();
  }
  Result<std::vector<std::string>> list(const std::string&) override {
    return std::vector<std::string>();
  }
  Status remove(const std::string&) override { return refuse(); }
  Result<std::unique_ptr<agent::TargetFile>> open(const std::string&) override { return refuse(); }

 private:
  static Error refuse() { return Error(Code::kReadOnly, "a dry run writes nothing"); }
};

// Where a restore writes, and how it sees what is there.
struct Target {
  std::unique_ptr<AbsentTarget> absent;
  std::unique_ptr<agent::PosixRestoreTarget> folder;
  std::unique_ptr<agent::PosixTargetView> folder_view;

  agent::RestoreTarget& writes() {
    return absent ? static_cast<agent::RestoreTarget&>(*absent) : *folder;
  }
  agent::TargetView* view() {
    return absent ? static_cast<agent::TargetView*>(absent.get()) : folder_view.get();
  }
};

Result<Target> open_target(FileSystem& files, const std::string& path, bool dry_run) {
  Target target;
  HOLDFAST_ASSIGN(const bool exists, files.exists(path));
  if (!exists && dry_run) {
    target.absent = std::make_unique<AbsentTarget>();
    return target;
  }
  HOLDFAST_ASSIGN(target.folder, agent::PosixRestoreTarget::open(path));
  HOLDFAST_ASSIGN(target.folder_view, agent::PosixTargetView::at(path));
  return target;
}

Result<agent::RestoreOptions> options_from(const RestoreCommandOptions& given) {
  const std::map<std::string, agent::Overwrite> kinds{{"always", agent::Overwrite::kAlways},
                                                      {"if-changed", agent::Overwrite::kIfChanged},
                                                      {"if-newer", agent::Overwrite::kIfNewer},
                                                      {"never", agent::Overwrite::kNever}};
  agent::RestoreOptions options;
  HOLDFAST_ASSIGN_OR(options.include, agent::PathFilter::parse(given.includes), "--include");
  HOLDFAST_ASSIGN_OR(options.exclude, agent::PathFilter::parse(given.excludes), "--exclude");
  const auto kind = kinds.find(given.overwrite);
  if (kind == kinds.end())
    return Error(Code::kInvalidArgument, "--overwrite: always, if-changed, if-newer or never");
  options.overwrite = kind->second;
  options.remove_others = given.remove_others;
  options.dry_run = given.dry_run;
  options.verify = given.verify;
  return options;
}

ProgressDisplay::Picture picture_of(const agent::RestoreProgress& progress, Duration elapsed) {
  ProgressDisplay::Picture picture;
  picture.lines.push_back(fmt::format(
      "{} {}  {} of {} files, {} of {}{}", clock_text(elapsed),
      progress.all_found ? bar(progress.bytes_done, progress.bytes_found) : std::string("planning"),
      progress.files_done, progress.files_found, human_bytes(progress.bytes_done),
      human_bytes(progress.bytes_found),
      progress.files_verified > 0 ? fmt::format(", {} verified", progress.files_verified) : ""));
  picture.status = Json{{"message_type", "status"},
                        {"seconds_elapsed", std::chrono::duration<double>(elapsed).count()},
                        {"total_files", progress.files_found},
                        {"files_restored", progress.files_done},
                        {"total_bytes", progress.bytes_found},
                        {"bytes_restored", progress.bytes_done},
                        {"files_verified", progress.files_verified}};
  return picture;
}

Result<RestoreResult> run_session(Session& session, agent::ObjectFetcher& fetcher, Target& target,
                                  std::shared_ptr<const agent::ReaderKeys> keys,
                                  const std::string& catalog_path, agent::RestoreOptions options) {
  using Outcome = std::shared_ptr<Result<RestoreResult>>;
  Workplace& work = session.work;
  const Instant began = work.clock.now();
  Outcome outcome;
  {
    agent::RestoreSession restore(fetcher, work.files, target.writes(), target.view(),
                                  std::move(keys), work.loop, work.pool);
    const ProgressDisplay display(work, session.output, [&] {
      return picture_of(restore.progress(), work.clock.now() - began);
    });
    outcome = work.await<Outcome>([&](const std::function<void(Outcome)>& done) {
      work.on_interrupt([done] {
        done(std::make_shared<Result<RestoreResult>>(
            Error(Code::kInterrupted,
                  "interrupted; what was restored so far is whole, the rest is "
                  "missing: --overwrite if-changed goes on from there")));
      });
      restore.start(catalog_path, std::move(options), [done](Result<RestoreResult> result) {
        done(std::make_shared<Result<RestoreResult>>(std::move(result)));
      });
    });
    work.on_interrupt(nullptr);
  }
  work.drain();
  return std::move(*outcome);
}

void print_summary(Output& output, const agent::Snapshot& snapshot, const std::string& target,
                   const RestoreCommandOptions& options, const RestoreResult& result,
                   Duration elapsed) {
  std::string text =
      fmt::format("{} {} files ({}), {} folders and {} others from snapshot {} to {} in {}",
                  options.dry_run ? "would restore" : "restored", result.files,
                  human_bytes(result.bytes), result.folders, result.others,
                  snapshot.id().short_hex(), printable(target), clock_text(elapsed));
  if (result.skipped > 0) text += fmt::format("; {} were there already", result.skipped);
  if (result.removed > 0) text += fmt::format("; {} removed", result.removed);
  if (options.verify) text += fmt::format("; {} verified", result.verified);
  if (result.failed > 0) text += fmt::format("; {} FAILED", result.failed);
  output.line(text);
  Json summary{{"message_type", "summary"},
               {"snapshot_id", snapshot.id().hex()},
               {"dry_run", options.dry_run},
               {"files_restored", result.files},
               {"bytes_restored", result.bytes},
               {"hard_links", result.hard_links},
               {"directories", result.folders},
               {"others", result.others},
               {"files_skipped", result.skipped},
               {"removed", result.removed},
               {"failed", result.failed},
               {"files_verified", result.verified},
               {"problems", result.problem_count},
               {"total_duration", std::chrono::duration<double>(elapsed).count()}};
  put_bytes(summary, "target", target);
  output.object(summary);
}

}  // namespace

Result<int> restore(Session& session, const RestoreCommandOptions& given) {
  Workplace& work = session.work;
  const Instant began = work.clock.now();
  HOLDFAST_ASSIGN(agent::RestoreOptions options, options_from(given));
  const SnapshotPath wanted = split_snapshot_path(given.snapshot);
  options.below = wanted.below;
  UnixTime at;
  if (!given.at.empty()) {
    HOLDFAST_ASSIGN_OR(at, parse_time(given.at), "--at");
  }
  HOLDFAST_ASSIGN(auto access, RepositoryAccess::open(work, session.output, session.access));
  HOLDFAST_ASSIGN(const auto keys, access->reader_keys());
  HOLDFAST_ASSIGN(const agent::SnapshotList list, list_and_warn(session, *access, *keys));
  const agent::SnapshotFilter filter = filter_from(given.filter);
  HOLDFAST_ASSIGN(const agent::Snapshot* snapshot,
                  given.at.empty() ? select_snapshot(list, wanted.snapshot, filter)
                                   : select_at(list, at, filter));
  if (snapshot->detail)
    for (const std::string& path : snapshot->detail->paths)
      options.sources.push_back(path.substr(std::min(path.find_first_not_of('/'), path.size())));

  agent::ObjectFetcher fetcher(access->links(), keys, work.loop, work.clock, work.pool,
                               access->fetch_policy());
  fetcher.on_damage([&](std::size_t node, const ObjectId& id, const Error& problem) {
    session.output.warning(fmt::format("node {} gave a damaged copy of object {}: {}",
                                       list.nodes[node], id.short_hex(), problem.message()));
  });
  HOLDFAST_ASSIGN(const auto catalog,
                  LocalCatalog::fetch(session, *access, fetcher, *snapshot, wanted.below));
  options.catalog_is_whole = catalog->fetched().lost.empty();
  const std::string path = std::filesystem::absolute(given.target).lexically_normal().string();
  if (!given.dry_run) HOLDFAST_TRY_OR(make_directories(work.files, parent_path(path)), "target");
  HOLDFAST_ASSIGN_OR(Target target, open_target(work.files, path, given.dry_run), "target");
  HOLDFAST_ASSIGN(const RestoreResult result,
                  run_session(session, fetcher, target, keys, catalog->path(), std::move(options)));
  print_problems(session.output, "restore", result.problems, result.problem_count);
  print_summary(session.output, *snapshot, path, given, result, work.clock.now() - began);
  const bool whole = catalog->fetched().lost.empty() && result.problem_count == 0;
  return whole && result.failed == 0 ? kDone : kFailed;
}

}  // namespace holdfast::cli
