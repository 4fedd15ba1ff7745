// One scan: visits a tree in catalog order while other threads list the folders ahead.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <vector>

#include "agent/path_filter.h"
#include "agent/posix/folder_mark.h"
#include "agent/posix/folder_queue.h"
#include "agent/posix/kernel_features.h"
#include "agent/source_tree.h"

namespace holdfast::agent {

struct ScanOptions {
  PathFilter exclude;
  PathFilter exclude_in_any_case;  // beside `exclude`, each by itself
  // Does not enter folders on another file system than the source's. A folder that a file system is
  // mounted on is visited itself; a source is entered wherever it lies.
  bool one_file_system = false;
  // Leaves out what lies in a folder that carries one of them, but for the marks themselves.
  std::vector<FolderMark> exclude_if_present;
  // Leaves out regular files with more bytes.
  std::optional<std::uint64_t> exclude_larger_than;
  // Threads that list folders ahead of the visit, beside the calling thread. With a cold cache each
  // keeps one request with the disk.
  std::size_t look_ahead_threads = 1;
  // Entries listed ahead, about 100 bytes each.
  std::size_t look_ahead_entries = std::size_t{32} * 1024;
};

class TreeWalk {
 public:
  using Visit = std::function<bool(Entry&&)>;
  using Problem = std::function<void(ScanProblem&&)>;

  // All referenced things must outlive the walk.
  TreeWalk(const SourcePaths& sources, const ScanOptions& options, KernelFeatures features);
  void run(const Visit& visit, const Problem& problem);

 private:
  struct Level {
    Folder* folder;
    std::size_t next_item = 0;
    std::size_t next_subfolder = 0;
  };

  // On the visiting thread.
  void walk(Folder& root, const Visit& visit, const Problem& problem);
  bool enter(Folder& folder, const Visit& visit, const Problem& problem);
  void leave();

  // On any thread.
  void list(Folder& folder, FolderLister& lister) const;
  Status list_whole(Folder& folder, FolderLister& lister) const;
  void list_sources(Folder& folder) const;
  Descriptor open(const Folder& folder, std::string_view path) const;
  bool stays_outside(Folder& folder) const;
  FolderLister::Skip exclusions(int opened, std::string_view path) const;
  bool is_excluded(std::string_view path) const;
  bool is_too_large(const FileStat& stat) const;
  void add_subfolders(Folder& folder, const std::shared_ptr<FolderBase>& base, bool whole) const;
  std::shared_ptr<FolderBase> base_for_subfolders(const Folder& folder, Descriptor opened) const;

  const SourcePaths& sources_;
  const ScanOptions& options_;
  const KernelFeatures features_;
  FolderQueue queue_;
  FolderLister lister_;  // of the visiting thread
  std::vector<Level> levels_;
  std::string path_;  // of the folder on top of levels_
  mutable std::atomic<std::size_t> open_bases_{0};
};

}  // namespace holdfast::agent
