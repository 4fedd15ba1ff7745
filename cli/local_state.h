// What this machine keeps of a repository between runs: a cache, which may be deleted at any time.
//
//   CACHE/<repository>/charter                    the newest charter seen
//   CACHE/<repository>/heads                      see agent/seen_heads.h
//   CACHE/<repository>/<agent>/lock               held while this identity runs a backup
//   CACHE/<repository>/<agent>/<sources>.catalog  of the last snapshot of these sources
//
// CACHE is HOLDFAST_CACHE_DIR, else XDG_CACHE_HOME/holdfast, else HOME/.cache/holdfast, else
// /var/cache/holdfast.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/output.h"
#include "cli/workplace.h"
#include "common/base/digest.h"
#include "common/format/charter.h"
#include "common/ports/clock.h"
#include "common/ports/file_system.h"

namespace holdfast::cli {

std::string cache_folder();

class LocalState {
 public:
  // Makes the folder; what lies in it then is durable. The error says what to set where it cannot
  // be made.
  static Result<LocalState> open(FileSystem& files, const RepositoryId& repository);

  // The newest charter seen, nullopt if none was. An error other than kCorrupt may pass: a copy
  // that cannot be read may be newer than what nodes have, and is not to be written over.
  Result<std::optional<format::SignedCharter>> known_charter() const;
  Status keep_charter(const format::SignedCharter& charter);
  std::string heads_path() const { return folder_ + "/heads"; }
  // A name for a file that is used for one run and removed by its user.
  std::string scratch_path(const std::string& what) const;
  // `parts`: what makes two backups ones of the same sources.
  Result<std::string> catalog_path(const AgentId& agent, const std::vector<std::string>& parts);
  // Runs the loop until no other process holds it, at most for `patience`; then kConflict.
  Result<std::unique_ptr<FileLock>> lock(const AgentId& agent, Duration patience, Workplace& work,
                                         Output& output);

 private:
  LocalState(FileSystem& files, const RepositoryId& repository, std::string folder)
      : files_(&files), repository_(repository), folder_(std::move(folder)) {}
  std::string charter_path() const { return folder_ + "/charter"; }
  Result<std::string> agent_folder(const AgentId& agent);
  FileSystem* files_;
  RepositoryId repository_;
  std::string folder_;
};

}  // namespace holdfast::cli
