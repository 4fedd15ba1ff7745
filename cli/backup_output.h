// What a backup shows while it runs and says in the end.
#pragma once

#include "agent/backup_session.h"
#include "cli/output.h"
#include "cli/progress_display.h"

namespace holdfast::cli {

ProgressDisplay::Picture picture_of(const agent::BackupProgress& progress, Duration elapsed);
// Of a backup that made a snapshot.
void print_report(Output& output, const agent::BackupReport& report, Duration elapsed);

}  // namespace holdfast::cli
