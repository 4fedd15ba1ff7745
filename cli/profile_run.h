// `holdfast-agent run`: a profile's backup with all that belongs to it. The lock, so that it never
// runs twice at once; the hooks; waiting for a repository that is not there yet; the receipt and
// the measurements.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cli/backup_run.h"
#include "cli/profile.h"
#include "cli/run_record.h"

namespace holdfast::cli {

// What the command line and the environment say instead of the profile; what is empty is the
// profile's.
struct ProfileOverrides {
  std::string repository;
  PassphraseOptions passphrase;
  std::vector<std::string> tags;
  std::string host;
  std::optional<std::uint64_t> upload_kib_s, download_kib_s;
  bool dry_run = false;
};

// Command line, then environment, then profile. Of a passphrase in the environment
// (HOLDFAST_PASSPHRASE, HOLDFAST_PASSPHRASE_FILE) it is known here only that it comes before what
// the profile names. kInvalidArgument if nothing names a repository.
Status apply(const ProfileOverrides& overrides, const std::string& path, Profile& profile);

// The lock of the profile in the file `path`: kConflict with what to do if it runs already. It is
// gone with the process, however that ends. kIo and others if the folder for it cannot be written.
Result<std::unique_ptr<FileLock>> lock_profile(FileSystem& files, const std::string& path);

// Runs it. The exit code is the backup's, kFailed if the hook before it failed or the repository
// could not be reached in time, kInterruptedByUser after SIGINT or SIGTERM at any moment. What goes
// wrong with a hook after the backup, with the receipt or the measurements is a warning.
int run_profile(Session& session, const std::string& path, const Profile& profile);

}  // namespace holdfast::cli
