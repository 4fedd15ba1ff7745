// From a catalog's entries to what a restore does, one bounded window after the other. Looks at the
// target only to list what is to be removed. On one thread at a time.
#pragma once

#include <string>
#include <vector>

#include "agent/catalog_file.h"
#include "agent/restore_options.h"
#include "agent/target_view.h"

namespace holdfast::agent {

struct RestoreEntry {
  CatalogEntry from;
  std::string path;           // in the target
  std::uint64_t ordinal = 0;  // of a regular file
  bool known = true;          // false: a folder that the catalog only implies; it has no metadata
};

struct RestoreWindow {
  std::vector<RestoreEntry> entries;  // folders before what is in them
  std::vector<RestoreEntry> folders;  // in which nothing follows: the deepest first
  std::vector<std::string> removals;  // in those, and not in the snapshot
  std::vector<RestoreProblem> problems;
  // The last of the entries is a file of chunk lists, and alone of its kind.
  bool ends_with_lists = false;
  bool last = false;
};

struct WindowLimits {
  std::size_t entries = 16'384;
  std::size_t chunks = 131'072;
  std::size_t pieced_files = 512;  // of several chunks: each may be an open file at once
};

class RestorePlanner {
 public:
  // `options` and `view` outlive the planner; `view` may be null if nothing is to be removed.
  RestorePlanner(CatalogFileReader catalog, const RestoreOptions& options, TargetView* view,
                 WindowLimits limits = {});
  RestorePlanner(const RestorePlanner&) = delete;
  RestorePlanner& operator=(const RestorePlanner&) = delete;

  // kCorrupt, kNotFound if `below` is not in the catalog (with the last window).
  Result<RestoreWindow> next();

 private:
  struct Folder {
    RestoreEntry planned;
    bool made = false;
    std::vector<std::string> others;  // names in the target, sorted; those behind `at` are not met
    std::size_t at = 0;
  };
  void take(CatalogEntry&& entry, RestoreWindow& window);
  bool selects(const std::string& path) const;
  void leave_folders(const std::string& path, RestoreWindow& window);
  void leave(Folder folder, RestoreWindow& window);
  void imply_folders(const std::string& path, RestoreWindow& window);
  void make_folders(RestoreWindow& window);
  void list_others(Folder& folder, RestoreWindow& window);
  void remove_others_before(Folder& folder, const std::string* name, RestoreWindow& window);
  bool may_remove_in(const std::string& path) const;
  bool is_full(const RestoreWindow& window) const;

  CatalogFileReader catalog_;
  CatalogEntryReader entries_;
  const RestoreOptions& options_;
  TargetView* view_;
  const WindowLimits limits_;
  std::vector<Folder> folders_;  // from the target down to where the reading is
  std::string last_path_;
  bool any_ = false, any_below_ = false;
  std::uint64_t next_ordinal_ = 0;
  std::size_t chunks_ = 0, pieced_files_ = 0, entry_bytes_ = 0;  // of the window
};

}  // namespace holdfast::agent
