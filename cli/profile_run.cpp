// Order: before-hook, backup (again and again while the repository cannot be reached), after- or
// failure-hook, then the files. Whatever happens ends in conclude(), once: also a signal at a
// moment when nothing can stop in good order, for which the process ends at once (Workplace).
#include "cli/profile_run.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "cli/hook.h"
#include "common/base/text.h"
#include "common/crypto/hash.h"

namespace holdfast::cli {
namespace {

constexpr std::string_view kProfileFolder = "/etc/holdfast";
constexpr Duration kFirstPause = std::chrono::seconds(1), kLongestPause = std::chrono::seconds(60);

bool is_set(const char* variable) {
  const char* const value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

// What may be otherwise in a moment: nodes that still start, a disk that is not mounted yet.
bool may_come(const Error& error) {
  return error.code() == Code::kUnavailable || error.code() == Code::kNoRepository;
}

class ProfileRun {
 public:
  ProfileRun(Session& session, const std::string& path, const Profile& profile)
      : session_(session), work_(session.work), profile_(profile), began_(work_.clock.now()) {
    record_.profile = profile_name(path);
    record_.repository = profile.access.repository;
    record_.started = work_.clock.wall();
  }

  int run() {
    work_.on_sudden_end([this] {
      record_.exit_code = kInterruptedByUser;
      record_.error = "interrupted";
      conclude(false);
    });
    auto outcome = back_up();
    work_.on_sudden_end(nullptr);
    if (outcome) {
      record_.exit_code = outcome->exit_code;
      record_.report = std::move(outcome->report);
    } else {
      record_.exit_code = exit_code_of(outcome.error());
      record_.error = outcome.error().message();
      session_.output.error(outcome.error());
    }
    conclude(true);
    return record_.exit_code;
  }

 private:
  Result<BackupOutcome> back_up() {
    HOLDFAST_TRY(hook("before", profile_.hooks.before, true));
    Duration pause = kFirstPause;
    for (;;) {
      ++record_.attempts;
      auto outcome = run_backup(session_, profile_.backup);
      const Duration waited = work_.clock.now() - began_;
      if (outcome || !may_come(outcome.error()) || waited >= profile_.retry) {
        if (!outcome && may_come(outcome.error()) && profile_.retry > Duration(0))
          return std::move(outcome).error().with_context(
              fmt::format("given up after {} attempts", record_.attempts));
        return outcome;
      }
      pause = std::min({pause, kLongestPause, profile_.retry - waited});
      session_.output.warning(fmt::format("{}; trying again in {} s", outcome.error().message(),
                                          std::chrono::ceil<std::chrono::seconds>(pause).count()));
      if (!rest(pause)) return Error(Code::kInterrupted, "interrupted");
      pause *= 2;
    }
  }

  // False if a signal came meanwhile.
  bool rest(Duration pause) {
    const bool rested = work_.await<bool>([&](const std::function<void(bool)>& done) {
      const TimerId timer = work_.loop.after(pause, [done] { done(true); });
      work_.on_interrupt([this, done, timer] {
        work_.loop.cancel(timer);
        done(false);
      });
    });
    work_.on_interrupt(nullptr);
    return rested;
  }

  HookContext context(bool before) const {
    return {record_.profile, before ? std::nullopt : std::optional(record_.exit_code),
            record_.made_snapshot() ? record_.report->manifest->id.hex() : ""};
  }

  // The loop runs meanwhile; a signal ends the hook.
  Status hook(std::string_view name, const std::vector<std::string>& command, bool before) {
    if (command.empty()) return {};
    const Descriptor stop(::eventfd(0, EFD_CLOEXEC));
    if (!stop) return error_from_errno(errno, "eventfd");
    work_.on_interrupt([&stop] {
      const std::uint64_t one = 1;
      [[maybe_unused]] const ssize_t written = ::write(stop.get(), &one, sizeof one);
    });
    const auto ended = work_.elsewhere([&] {
      return run_hook(name, command, context(before), profile_.hooks.timeout, stop.get());
    });
    work_.on_interrupt(nullptr);
    return std::move(*ended);
  }

  // `looping`: the loop may run; if not, this is called from it and nothing is waited for but the
  // hook.
  void conclude(bool looping) {
    const bool made = record_.made_snapshot();
    const std::string_view name = made ? "after" : "failure";
    const auto& command = made ? profile_.hooks.after : profile_.hooks.failure;
    Status ended;
    if (looping)
      ended = hook(name, command, false);
    else if (!command.empty())
      ended = run_hook(name, command, context(false), profile_.hooks.timeout);
    if (!ended) {
      record_.hook_problem = ended.error().message();
      session_.output.warning(record_.hook_problem);
    }
    record_.ended = work_.clock.wall();
    record_.took = work_.clock.now() - began_;
    std::string receipt = profile_.receipt;
    if (const std::string folder = state_folder(); receipt.empty() && !folder.empty())
      receipt = fmt::format("{}/{}.receipt.json", folder, record_.profile);
    if (!receipt.empty()) warn_unless(write_receipt(work_.files, receipt, record_), "receipt");
    if (!profile_.metrics_textfile.empty())
      warn_unless(write_metrics(work_.files, profile_.metrics_textfile, record_),
                  "metrics_textfile");
  }

  void warn_unless(const Status& written, std::string_view what) {
    if (!written) session_.output.warning(fmt::format("{}: {}", what, written.error().message()));
  }

  Session& session_;
  Workplace& work_;
  const Profile& profile_;
  const Instant began_;
  RunRecord record_;
};

}  // namespace

Status apply(const ProfileOverrides& overrides, const std::string& path, Profile& profile) {
  AccessOptions& access = profile.access;
  if (!overrides.repository.empty()) access.repository = overrides.repository;
  if (access.repository.empty())
    return Error(Code::kInvalidArgument,
                 fmt::format("{}: repository = \"...\" is missing, and neither -r nor "
                             "HOLDFAST_REPOSITORY names one",
                             path));
  if (!overrides.passphrase.file.empty() || !overrides.passphrase.command.empty())
    access.passphrase = overrides.passphrase;
  else if (is_set("HOLDFAST_PASSPHRASE") || is_set("HOLDFAST_PASSPHRASE_FILE"))
    access.passphrase = {};
  if (!overrides.tags.empty()) profile.backup.tags = overrides.tags;
  if (!overrides.host.empty()) profile.backup.host = overrides.host;
  access.upload_kib_s = overrides.upload_kib_s.value_or(access.upload_kib_s);
  access.download_kib_s = overrides.download_kib_s.value_or(access.download_kib_s);
  profile.backup.dry_run = overrides.dry_run;
  return {};
}

Result<std::unique_ptr<FileLock>> lock_profile(FileSystem& files, const std::string& path) {
  std::error_code error;
  std::filesystem::path whole = std::filesystem::weakly_canonical(path, error);
  if (error) whole = std::filesystem::absolute(path);
  std::string name = whole.stem().string();
  // Elsewhere two profiles may have one name.
  if (whole.parent_path() != kProfileFolder)
    name += "." + hex_encode(ByteView(crypto::sha256(as_bytes(whole.string())).bytes).first(4));
  std::string folder = state_folder();
  if (folder.empty()) {
    folder = cache_folder();
    HOLDFAST_TRY_OR(make_directories(files, folder), "folder for the profile's lock");
  }
  const std::string lock_path = fmt::format("{}/{}.lock", folder, name);
  auto lock = files.lock(lock_path);
  if (!lock && lock.error().code() == Code::kConflict)
    return Error(Code::kConflict,
                 fmt::format("the profile {} runs already; {} is locked until that run ends",
                             profile_name(path), lock_path));
  if (!lock) return std::move(lock).error().with_context("the profile's lock");
  return lock;
}

int run_profile(Session& session, const std::string& path, const Profile& profile) {
  return ProfileRun(session, path, profile).run();
}

}  // namespace holdfast::cli
