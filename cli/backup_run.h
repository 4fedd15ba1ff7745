// A backup whose result a program goes on with.
#pragma once

#include <optional>

#include "agent/backup_session.h"
#include "cli/commands.h"

namespace holdfast::cli {

struct BackupOutcome {
  int exit_code = kDone;
  std::optional<agent::BackupReport> report;  // absent after a dry run
};

// Prints what `holdfast backup` prints. An error: nothing was committed.
Result<BackupOutcome> run_backup(Session& session, const BackupOptions& options);

}  // namespace holdfast::cli
