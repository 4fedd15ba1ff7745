// Entries come in catalog order, so the folders that are open form a stack: one is left when a path
// comes that is not in it. A folder that no pattern selects is made only for what is selected below
// it.
//
// What is to be removed is found by merging: names in the target and names in the catalog come in
// the same order of bytes.
#include "agent/restore_planner.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace holdfast::agent {
namespace {

// Of entries in one window, beside their chunks: long paths and large attributes.
constexpr std::size_t kMostEntryBytes = std::size_t{8} << 20;

bool is_in(std::string_view path, std::string_view folder) {
  return folder.empty() ? !path.empty()
                        : path.size() > folder.size() && path.starts_with(folder) &&
                              path[folder.size()] == '/';
}

std::string joined(const std::string& folder, std::string_view name) {
  return folder.empty() ? std::string(name) : fmt::format("{}/{}", folder, name);
}

std::size_t memory_of(const CatalogEntry& entry) {
  std::size_t size = sizeof(RestoreEntry) + 2 * entry.entry.path.size() + entry.entry.target.size();
  for (const Xattr& xattr : entry.entry.xattrs) size += xattr.name.size() + xattr.value.size();
  return size;
}

}  // namespace

RestorePlanner::RestorePlanner(CatalogFileReader catalog, const RestoreOptions& options,
                               TargetView* view, WindowLimits limits)
    : catalog_(std::move(catalog)),
      entries_(catalog_),
      options_(options),
      view_(view),
      limits_(limits) {}

Result<RestoreWindow> RestorePlanner::next() {
  RestoreWindow window;
  chunks_ = pieced_files_ = entry_bytes_ = 0;
  if (folders_.empty()) {
    // The target itself: it is there, and keeps its own metadata.
    Folder target;
    target.planned.known = false;
    target.made = true;
    list_others(target, window);
    folders_.push_back(std::move(target));
  }
  while (!is_full(window)) {
    HOLDFAST_ASSIGN(CatalogEntry* const entry, entries_.next());
    if (entry == nullptr) {
      if (!options_.below.empty() && !any_below_)
        return Error(Code::kNotFound,
                     fmt::format("the snapshot has nothing at /{}", options_.below));
      while (!folders_.empty()) {
        leave(std::move(folders_.back()), window);
        folders_.pop_back();
      }
      window.last = true;
      return window;
    }
    // Leaves fetched from nodes were compared with each other; a local file only with itself.
    if (any_ && compare_paths(last_path_, entry->entry.path) >= 0)
      return Error(Code::kCorrupt, "catalog: leaves out of order");
    last_path_ = entry->entry.path;
    any_ = true;
    take(std::move(*entry), window);
  }
  return window;
}

bool RestorePlanner::is_full(const RestoreWindow& window) const {
  return window.ends_with_lists ||
         window.entries.size() + window.folders.size() >= limits_.entries ||
         chunks_ >= limits_.chunks || pieced_files_ >= limits_.pieced_files ||
         entry_bytes_ >= kMostEntryBytes;
}

void RestorePlanner::take(CatalogEntry&& from, RestoreWindow& window) {
  RestoreEntry planned;
  const std::string& full = from.entry.path;
  if (options_.below.empty()) {
    planned.path = full;
  } else if (full == options_.below) {
    any_below_ = true;
    if (!from.entry.is_directory()) planned.path = from.entry.name();
  } else if (is_in(full, options_.below)) {
    any_below_ = true;
    planned.path = full.substr(options_.below.size() + 1);
  } else {
    return;
  }
  planned.from = std::move(from);
  const Entry& entry = planned.from.entry;
  if (entry.is_regular()) planned.ordinal = next_ordinal_++;
  if (planned.path.empty()) return;  // the target itself

  leave_folders(planned.path, window);
  imply_folders(planned.path, window);
  const std::string name(entry.name());
  remove_others_before(folders_.back(), &name, window);
  const bool selected = selects(planned.path);
  if (entry.is_directory()) {
    folders_.push_back({std::move(planned), false, {}, 0});
    if (selected) make_folders(window);
    return;
  }
  if (!selected) return;
  make_folders(window);
  remove_others_before(folders_.back(), &name, window);  // of one that was made only now
  const Content& content = planned.from.content;
  entry_bytes_ += memory_of(planned.from);
  window.ends_with_lists = entry.is_regular() && content.lists;
  if (!content.lists) chunks_ += content.refs.size();
  if (content.refs.size() > 1) ++pieced_files_;
  window.entries.push_back(std::move(planned));
}

bool RestorePlanner::selects(const std::string& path) const {
  return (options_.include.empty() || options_.include.matches(path)) &&
         !options_.exclude.matches(path);
}

void RestorePlanner::leave_folders(const std::string& path, RestoreWindow& window) {
  while (!is_in(path, folders_.back().planned.path)) {
    leave(std::move(folders_.back()), window);
    folders_.pop_back();
  }
}

void RestorePlanner::leave(Folder folder, RestoreWindow& window) {
  remove_others_before(folder, nullptr, window);
  if (folder.made && folder.planned.known) {
    entry_bytes_ += memory_of(folder.planned.from);
    window.folders.push_back(std::move(folder.planned));
  }
}

// A catalog names every folder before what is in it, but a part of it may be lost.
void RestorePlanner::imply_folders(const std::string& path, RestoreWindow& window) {
  for (;;) {
    const std::string& top = folders_.back().planned.path;
    const std::size_t begin = top.empty() ? 0 : top.size() + 1;
    const auto slash = path.find('/', begin);
    if (slash == std::string::npos) return;
    const std::string name = path.substr(begin, slash - begin);
    remove_others_before(folders_.back(), &name, window);
    Folder folder;
    folder.planned.path = path.substr(0, slash);
    folder.planned.known = false;
    folder.planned.from.entry.mode = 0040700;
    folders_.push_back(std::move(folder));
  }
}

void RestorePlanner::make_folders(RestoreWindow& window) {
  for (std::size_t depth = 0; depth < folders_.size(); ++depth) {
    Folder& folder = folders_[depth];
    if (folder.made) continue;
    folder.made = true;
    list_others(folder, window);
    if (depth + 1 < folders_.size()) {
      const std::string& below = folders_[depth + 1].planned.path;
      const std::string name = below.substr(below.rfind('/') + 1);
      remove_others_before(folder, &name, window);
    }
    entry_bytes_ += memory_of(folder.planned.from);
    window.entries.push_back(folder.planned);
  }
}

bool RestorePlanner::may_remove_in(const std::string& path) const {
  const std::string full = options_.below.empty() ? path
                           : path.empty()         ? options_.below
                                                  : joined(options_.below, path);
  return options_.sources.empty() ||
         std::ranges::any_of(options_.sources, [&](const std::string& source) {
           return full == source || is_in(full, source);
         });
}

// Before anything is written into it.
void RestorePlanner::list_others(Folder& folder, RestoreWindow& window) {
  const bool is_target = folder.planned.path.empty();
  if (!options_.remove_others || !options_.catalog_is_whole ||
      (!folder.planned.known && !is_target) || !may_remove_in(folder.planned.path))
    return;
  auto names = view_->list(folder.planned.path);
  if (!names) {
    window.problems.push_back({folder.planned.path, names.error()});
    return;
  }
  folder.others = std::move(*names);
  std::ranges::sort(folder.others);
}

// Names before `name` (all, if it is null) that no entry had; `name` itself is met.
void RestorePlanner::remove_others_before(Folder& folder, const std::string* name,
                                          RestoreWindow& window) {
  for (; folder.at < folder.others.size(); ++folder.at) {
    const std::string& other = folder.others[folder.at];
    if (name != nullptr && other >= *name) {
      if (other == *name) ++folder.at;
      return;
    }
    std::string path = joined(folder.planned.path, other);
    if (selects(path)) window.removals.push_back(std::move(path));
  }
}

}  // namespace holdfast::agent
