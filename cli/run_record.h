// What is known of one run of a profile, and the two files that keep it for others: a receipt in
// JSON, and measurements for the textfile collector of Prometheus' node exporter.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/backup_session.h"
#include "common/ports/clock.h"
#include "common/ports/file_system.h"

namespace holdfast::cli {

struct RunRecord {
  std::string profile;
  std::string repository;
  UnixTime started, ended;  // by the wall clock, which may have jumped in between
  Duration took{0};         // by the one that does not
  int exit_code = 0;
  std::optional<agent::BackupReport> report;  // if a snapshot was made
  std::string error;                          // if none was: why
  unsigned attempts = 0;                      // at the backup
  std::string hook_problem;                   // of a hook that failed after a backup that did not

  bool made_snapshot() const { return report && report->manifest; }
};

// $HOLDFAST_STATE_DIR, else /var/lib/holdfast-agent; empty if that is no folder, or if nobody named
// it and it is not ours to write to.
std::string state_folder();

// One JSON object with a line end.
std::string receipt_of(const RunRecord& run);
// `earlier`: what the file held before, or nothing. The time of the last success is kept from there
// by a run that is none.
std::string metrics_of(const RunRecord& run, std::string_view earlier);

// Both replace what is there at once; a reader finds the old or the new.
Status write_receipt(FileSystem& files, const std::string& path, const RunRecord& run);
// Readable for everybody, since the collector is another user.
Status write_metrics(FileSystem& files, const std::string& path, const RunRecord& run);

}  // namespace holdfast::cli
