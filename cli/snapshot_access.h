// Snapshots as commands see them: listed with warnings printed, picked as people name them, and
// their catalogs brought into a local file.
#pragma once

#include <memory>
#include <string>

#include "agent/catalog_fetch.h"
#include "agent/snapshot_list.h"
#include "agent/snapshot_selection.h"
#include "cli/commands.h"

namespace holdfast::cli {

agent::SnapshotFilter filter_from(const FilterOptions& options);

// Asks all nodes. Prints what is suspicious and which nodes did not answer, compares with what was
// seen on this machine before, and remembers it. kUnavailable if none answers.
Result<agent::SnapshotList> list_and_warn(Session& session, RepositoryAccess& access,
                                          const agent::ReaderKeys& keys);

// "SNAPSHOT:PATH": what is before the first colon, and the path as in an Entry.
struct SnapshotPath {
  std::string snapshot, below;
};
SnapshotPath split_snapshot_path(const std::string& text);

// "2026-11-20 14:00[:05]", with 'T' for the blank, or a date alone (its last second), local time;
// with a "Z" behind it UTC. kInvalidArgument.
Result<UnixTime> parse_time(const std::string& text);
// "2026-11-20 14:00:05", local time.
std::string time_text(UnixTime time);
// The same as ISO 8601 in UTC, for JSON.
std::string iso_time(UnixTime time);

// A catalog in a file that goes when this does.
class LocalCatalog {
 public:
  static Result<std::unique_ptr<LocalCatalog>> fetch(Session& session, RepositoryAccess& access,
                                                     agent::ObjectFetcher& fetcher,
                                                     const agent::Snapshot& snapshot,
                                                     const std::string& below);
  ~LocalCatalog();
  LocalCatalog(const LocalCatalog&) = delete;
  LocalCatalog& operator=(const LocalCatalog&) = delete;
  const std::string& path() const { return path_; }
  const agent::FetchedCatalog& fetched() const { return fetched_; }

 private:
  LocalCatalog(FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}
  FileSystem& files_;
  const std::string path_;
  agent::FetchedCatalog fetched_;
};

}  // namespace holdfast::cli
