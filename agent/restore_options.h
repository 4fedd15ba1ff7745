// What a restore is asked for and what it says in the end.
#pragma once

#include <string>
#include <vector>

#include "agent/path_filter.h"
#include "common/base/result.h"

namespace holdfast::agent {

// What happens to a file that is there already. Folders are always used as they are and given the
// snapshot's metadata.
enum class Overwrite {
  kAlways,
  kIfChanged,  // unless size and modification time are the snapshot's
  kIfNewer,    // if the snapshot's modification time is later
  kNever,
};

struct RestoreOptions {
  // SNAPSHOT:PATH as in an Entry: what is in it goes directly into the target (a file under its own
  // name). "" takes all, under full paths.
  std::string below = {};
  // Patterns apply to paths in the target. An empty include takes all; exclude wins.
  PathFilter include = {}, exclude = {};
  Overwrite overwrite = Overwrite::kAlways;
  // Removes from the folders that are restored what the snapshot does not have there and the
  // patterns let through. Only at or below `sources`, if there are any (paths as in an Entry): the
  // folders above hold much that no snapshot was to have.
  bool remove_others = false;
  std::vector<std::string> sources = {};
  // False if parts of the catalog could not be had: then nothing is removed, since what they name
  // is in the snapshot.
  bool catalog_is_whole = true;
  bool dry_run = false;  // counts, reads the target, writes nothing
  bool verify = false;   // reads what was written and compares it with the object ids
};

struct RestoreProblem {
  std::string path;  // in the target
  Error error;
};

struct RestoreProgress {
  std::uint64_t files_done = 0, bytes_done = 0;  // regular files: written, linked, skipped, failed
  std::uint64_t files_found = 0, bytes_found = 0;  // so far
  bool all_found = false;
  std::uint64_t files_verified = 0;
};

struct RestoreResult {
  std::uint64_t files = 0, bytes = 0;  // regular files written or linked
  std::uint64_t hard_links = 0;        // of them linked
  std::uint64_t folders = 0, others = 0;
  std::uint64_t skipped = 0;  // there already
  std::uint64_t removed = 0;
  std::uint64_t failed = 0;  // of files, folders and others
  std::uint64_t verified = 0;
  // Of each entry that failed, and of those that lack an attribute (kPermissionDenied): in no
  // order, at most kMostProblems.
  std::vector<RestoreProblem> problems;
  std::uint64_t problem_count = 0;
};
constexpr std::size_t kMostProblems = 10'000;

}  // namespace holdfast::agent
