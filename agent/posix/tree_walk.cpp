// The walk is a stack of folders, the visited one on top, and a queue of those to come (see
// FolderQueue). A folder is listed as a whole, before its own entry is visited, so that an entry
// says of a folder whether it could be read.
//
// Descriptors: a folder is opened relative to a base, an open folder some levels above it, by one
// call that follows no link (open_beneath). A base is kept open only for a source and then for
// about each kilobyte of path; a listed folder is closed at once. So the number of descriptors
// depends neither on the depth nor on the width of the tree. That a folder was replaced by another
// between being seen and being opened does no harm: the entry then shows the one that was opened.
#include "agent/posix/tree_walk.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <system_error>
#include <thread>

#include "agent/posix/open_beneath.h"
#include "common/base/text.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kPathBytesPerBase = 1024;
constexpr std::size_t kMostBases = 64;
constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

void join_path(std::string& path, std::string_view folder, std::string_view name) {
  path.reserve(folder.size() + 1 + name.size());
  path = folder;
  if (!path.empty()) path += '/';
  path += name;
}

// Without recursion: folders listed ahead may be nested as deeply as the look-ahead is long.
void free_below(Folder& root) {
  std::vector<std::unique_ptr<Folder>> waiting = std::move(root.subfolders);
  while (!waiting.empty()) {
    const std::unique_ptr<Folder> folder = std::move(waiting.back());
    waiting.pop_back();
    if (folder == nullptr) continue;  // visited
    std::move(folder->subfolders.begin(), folder->subfolders.end(), std::back_inserter(waiting));
  }
}

// Opening a folder that was there a moment ago: no folder any more means that it changed.
Error open_error(int value) {
  if (value == ENOENT || value == ENOTDIR || value == ELOOP)
    return Error(Code::kChanged, "the folder vanished during the scan");
  return error_from_errno(value, "cannot open the folder");
}

}  // namespace

TreeWalk::TreeWalk(const SourcePaths& sources, const ScanOptions& options, KernelFeatures features)
    : sources_(sources),
      options_(options),
      features_(features),
      queue_([this](Folder& folder, FolderLister& lister) { list(folder, lister); },
             options.look_ahead_entries) {}

void TreeWalk::run(const Visit& visit, const Problem& problem) {
  Folder root;
  root.node = &sources_.root();
  root.whole = root.node->is_source;
  queue_.add(root);
  std::vector<std::thread> threads;
  try {
    for (std::size_t i = 0; i < options_.look_ahead_threads; ++i)
      threads.emplace_back([this] {
        FolderLister lister;
        queue_.look_ahead(lister);
      });
  } catch (const std::system_error&) {
    // Without more threads the visiting thread lists all by itself.
  }
  walk(root, visit, problem);
  queue_.stop();
  for (std::thread& thread : threads) thread.join();
  free_below(root);
}

void TreeWalk::walk(Folder& root, const Visit& visit, const Problem& problem) {
  if (!enter(root, visit, problem)) return;
  while (!levels_.empty()) {
    Level& level = levels_.back();
    Folder& folder = *level.folder;
    if (level.next_item == folder.listing.items().size()) {
      leave();
      continue;
    }
    const FolderListing::Item& item = folder.listing.items()[level.next_item++];
    if (item.entered) {
      if (!enter(*folder.subfolders[level.next_subfolder++], visit, problem)) return;
      continue;
    }
    Entry entry;
    join_path(entry.path, path_, folder.listing.name(item));
    apply(item.stat, entry);
    if (!visit(std::move(entry))) return;
  }
}

bool TreeWalk::enter(Folder& folder, const Visit& visit, const Problem& problem) {
  queue_.acquire(folder, lister_);
  levels_.push_back({&folder});
  path_ = folder.path();
  Entry entry;
  entry.path = path_;
  apply(folder.stat, entry);
  if (folder.failure) entry.condition = EntryCondition::kUnreadable;
  if (!visit(std::move(entry))) return false;
  if (folder.failure) problem({"/" + path_, *std::move(folder.failure)});
  for (ScanProblem& one : folder.problems) problem(std::move(one));
  folder.problems.clear();
  return true;
}

void TreeWalk::leave() {
  levels_.pop_back();
  if (levels_.empty()) return;
  const Level& above = levels_.back();
  path_.resize(above.folder->path_length);
  above.folder->subfolders[above.next_subfolder - 1].reset();
}

Descriptor TreeWalk::open(const Folder& folder, std::string_view path) const {
  const auto below = [path](std::size_t above) {
    return path.substr(above + (above != 0 ? 1 : 0));
  };
  if (folder.base == nullptr && folder.path_length > folder.source_length) {
    const Descriptor source =
        open_absolute(path.substr(0, folder.source_length), O_PATH | O_DIRECTORY | O_NOFOLLOW);
    if (!source) return Descriptor();
    return open_without_atime(folder.stat.uid, kFolderFlags, [&](int flags) {
      return open_beneath(source.get(), below(folder.source_length), flags, features_);
    });
  }
  return open_without_atime(folder.stat.uid, kFolderFlags, [&](int flags) {
    if (folder.base == nullptr) return open_absolute(path, flags);
    return open_beneath(folder.base->descriptor.get(), below(folder.base->path_length), flags,
                        features_);
  });
}

void TreeWalk::list(Folder& folder, FolderLister& lister) const {
  if (!folder.whole) {
    list_sources(folder);
    return;
  }
  Status status = list_whole(folder, lister);
  if (!status) folder.failure = std::move(status).error();
}

// Whether `folder` is on another file system than the scan shall stay on.
bool TreeWalk::stays_outside(Folder& folder) const {
  if (!options_.one_file_system) return false;
  if (folder.node != nullptr && folder.node->is_source) folder.device = folder.stat.device;
  return folder.stat.device != folder.device;
}

bool TreeWalk::is_excluded(std::string_view path) const {
  return options_.exclude.matches(path) || options_.exclude_in_any_case.matches(path);
}

bool TreeWalk::is_too_large(const FileStat& stat) const {
  return options_.exclude_larger_than && stat.is_regular() &&
         stat.size > *options_.exclude_larger_than;
}

FolderLister::Skip TreeWalk::exclusions(int opened, std::string_view path) const {
  std::vector<std::string_view> marks;
  for (const FolderMark& mark : options_.exclude_if_present)
    if (mark.is_in(opened)) marks.push_back(mark.name);
  if (marks.empty() && options_.exclude.empty() && options_.exclude_in_any_case.empty())
    return nullptr;
  return [this, marks = std::move(marks), path,
          joined = std::string()](std::string_view name) mutable {
    if (!marks.empty() && std::find(marks.begin(), marks.end(), name) == marks.end()) return true;
    join_path(joined, path, name);
    return is_excluded(joined);
  };
}

Status TreeWalk::list_whole(Folder& folder, FolderLister& lister) const {
  if (stays_outside(folder)) {
    if (folder.node != nullptr) list_sources(folder);
    return {};
  }
  const std::string path = folder.path();
  Descriptor opened = open(folder, path);
  struct stat stat;
  if (!opened || ::fstat(opened.get(), &stat) != 0) return open_error(errno);
  folder.stat = file_stat(stat);
  if (stays_outside(folder)) return {};  // mounted since it was seen

  const auto report = [&](std::string_view name, Error error) {
    folder.problems.push_back({{}, std::move(error)});
    join_path(folder.problems.back().path, path.empty() ? "" : "/" + path, name);
    if (path.empty()) folder.problems.back().path.insert(0, "/");
  };
  HOLDFAST_TRY(lister.list(opened.get(), exclusions(opened.get(), path), report, folder.listing));
  if (options_.exclude_larger_than)
    std::erase_if(folder.listing.items(),
                  [this](const FolderListing::Item& item) { return is_too_large(item.stat); });
  add_subfolders(folder, base_for_subfolders(folder, std::move(opened)), true);
  return {};
}

// A folder above the sources: it is not read, only what leads to a source is looked up. Links above
// a source are followed, so that the folder they lead to stands in the catalog.
void TreeWalk::list_sources(Folder& folder) const {
  struct stat stat;
  if (folder.path_length == 0 && ::lstat("/", &stat) == 0) folder.stat = file_stat(stat);
  const std::string above = folder.path();
  for (const auto& [name, node] : folder.node->children) {
    std::string path;
    join_path(path, above, name);
    if (node.is_source && is_excluded(path)) continue;
    const Descriptor found = open_absolute(path, O_PATH | (node.is_source ? O_NOFOLLOW : 0));
    if (!found || ::fstat(found.get(), &stat) != 0)
      folder.problems.push_back({"/" + path, error_from_errno(errno, "cannot find the source")});
    else if (!node.is_source || !is_too_large(file_stat(stat)))
      folder.listing.add(name, file_stat(stat));
  }
  add_subfolders(folder, nullptr, false);
}

// `whole`: all that is in `folder` is visited. If not, a source in it is the beginning of what is.
void TreeWalk::add_subfolders(Folder& folder, const std::shared_ptr<FolderBase>& base,
                              bool whole) const {
  for (FolderListing::Item& item : folder.listing.items()) {
    if (!item.stat.is_directory()) continue;
    item.entered = true;
    const std::string_view name = folder.listing.name(item);
    auto subfolder = std::make_unique<Folder>();
    subfolder->parent = &folder;
    subfolder->name = name;
    subfolder->path_length = folder.path_length + (folder.path_length != 0 ? 1 : 0) + name.size();
    subfolder->stat = item.stat;
    if (folder.node != nullptr) subfolder->node = folder.node->child(name);
    subfolder->whole = whole || (subfolder->node != nullptr && subfolder->node->is_source);
    subfolder->source_length = whole ? folder.source_length : subfolder->path_length;
    subfolder->device = folder.device;
    subfolder->base = base;
    folder.subfolders.push_back(std::move(subfolder));
  }
}

std::shared_ptr<FolderBase> TreeWalk::base_for_subfolders(const Folder& folder,
                                                          Descriptor opened) const {
  const std::size_t above = folder.base != nullptr ? folder.base->path_length : 0;
  const bool is_near = folder.base != nullptr && folder.path_length - above < kPathBytesPerBase;
  const bool has_subfolder =
      std::any_of(folder.listing.items().begin(), folder.listing.items().end(),
                  [](const FolderListing::Item& item) { return item.stat.is_directory(); });
  if (is_near || !has_subfolder || open_bases_ >= kMostBases) return folder.base;
  ++open_bases_;
  return {new FolderBase{std::move(opened), folder.path_length}, [this](FolderBase* base) {
            --open_bases_;
            delete base;
          }};
}

}  // namespace holdfast::agent
