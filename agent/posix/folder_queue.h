// The folders that a scan still has to list, in the order in which it will visit them. The visiting
// thread takes the one it needs next; threads that look ahead take those behind it, until they have
// listed as many entries as the look-ahead allows.
//
// A folder stays in the queue while somebody lists it and is then replaced by its subfolders, so
// the order holds whoever finishes first.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "agent/posix/folder_lister.h"
#include "agent/posix/source_paths.h"
#include "common/posix/descriptor.h"

namespace holdfast::agent {

// An open folder that those below it are opened from.
struct FolderBase {
  Descriptor descriptor;
  std::size_t path_length = 0;
};

// Set before it is added; the names and lengths never change then. A folder owns those below it, so
// that a path can be put together from its parents whenever it is needed: to keep it in each folder
// would take memory by the square of the depth.
struct Folder {
  const Folder* parent = nullptr;
  std::string name;               // "" for the root of the file system
  std::size_t path_length = 0;    // of the whole path, as an Entry's
  std::size_t source_length = 0;  // of the path of the source that it is or lies in, if `whole`
  FileStat stat;
  const SourcePaths::Node* node = nullptr;  // the sources here and below, if any
  bool whole = false;                       // all names in it, not just those that lead to a source
  std::uint64_t device = 0;                 // the file system to stay on, if the scan stays on one
  std::shared_ptr<FolderBase> base;         // nullptr: opened from its source's absolute path

  // Written by the thread that lists it, read after acquire().
  FolderListing listing;
  std::vector<ScanProblem> problems;
  std::optional<Error> failure;                     // it could not be listed
  std::vector<std::unique_ptr<Folder>> subfolders;  // one for each item that is entered, in order

  std::string path() const;

 private:
  friend class FolderQueue;
  enum class State { kWaiting, kListing, kListed } state_ = State::kWaiting;
  std::list<Folder*>::iterator place_;
};

class FolderQueue {
 public:
  // Lists a folder on the calling thread, filling in the members above. Called without any lock.
  using List = std::function<void(Folder&, FolderLister&)>;

  // Entries that are listed and not yet visited; one folder with more is still listed as a whole.
  FolderQueue(List list, std::size_t look_ahead_entries)
      : list_(std::move(list)), look_ahead_entries_(look_ahead_entries) {}

  // Where the scan begins, before any of the calls below.
  void add(Folder& folder);
  // Returns when `folder`, which is in the queue, has been listed; until then this thread lists it
  // or others. Its entries no longer count as looked ahead.
  void acquire(Folder& folder, FolderLister& lister);
  // Looks ahead until stop().
  void look_ahead(FolderLister& lister);
  void stop();

 private:
  using Lock = std::unique_lock<std::mutex>;
  Folder* first_waiting();
  bool may_look_ahead() const { return buffered_entries_ < look_ahead_entries_; }
  void list(Folder& folder, FolderLister& lister, Lock& lock);

  const List list_;
  const std::size_t look_ahead_entries_;
  std::mutex mutex_;
  std::condition_variable work_;    // something to look ahead at, or stop
  std::condition_variable listed_;  // a folder has been listed
  std::list<Folder*> queue_;
  std::size_t buffered_entries_ = 0;
  std::size_t idle_ = 0;
  bool stopped_ = false;
};

}  // namespace holdfast::agent
