#include "agent/posix/folder_queue.h"

#include "common/base/check.h"

namespace holdfast::agent {

std::string Folder::path() const {
  std::string path(path_length, '/');
  std::size_t end = path_length;
  for (const Folder* folder = this; end > 0; folder = folder->parent) {
    end -= folder->name.size();
    folder->name.copy(path.data() + end, folder->name.size());
    if (end > 0) --end;
  }
  return path;
}

void FolderQueue::add(Folder& folder) {
  const Lock lock(mutex_);
  folder.place_ = queue_.insert(queue_.end(), &folder);
}

// The folders before it are being listed, at most one by each thread, so this is a short walk.
Folder* FolderQueue::first_waiting() {
  for (Folder* folder : queue_)
    if (folder->state_ == Folder::State::kWaiting) return folder;
  return nullptr;
}

void FolderQueue::list(Folder& folder, FolderLister& lister, Lock& lock) {
  folder.state_ = Folder::State::kListing;
  lock.unlock();
  list_(folder, lister);
  lock.lock();
  for (const auto& subfolder : folder.subfolders)
    subfolder->place_ = queue_.insert(folder.place_, subfolder.get());
  queue_.erase(folder.place_);
  folder.state_ = Folder::State::kListed;
  buffered_entries_ += folder.listing.items().size() + 1;
  listed_.notify_all();
  if (idle_ > 0 && !folder.subfolders.empty()) work_.notify_one();
}

void FolderQueue::acquire(Folder& folder, FolderLister& lister) {
  Lock lock(mutex_);
  while (folder.state_ != Folder::State::kListed) {
    Folder* next = &folder;
    if (folder.state_ == Folder::State::kListing)
      next = may_look_ahead() ? first_waiting() : nullptr;
    if (next != nullptr)
      list(*next, lister, lock);
    else
      listed_.wait(lock);
  }
  const bool was_full = !may_look_ahead();
  const std::size_t entries = folder.listing.items().size() + 1;
  check(buffered_entries_ >= entries, "a folder was acquired twice");
  buffered_entries_ -= entries;
  if (was_full && idle_ > 0) work_.notify_all();
}

void FolderQueue::look_ahead(FolderLister& lister) {
  Lock lock(mutex_);
  while (!stopped_) {
    if (Folder* next = may_look_ahead() ? first_waiting() : nullptr) {
      list(*next, lister, lock);
    } else {
      ++idle_;
      work_.wait(lock);
      --idle_;
    }
  }
}

void FolderQueue::stop() {
  const Lock lock(mutex_);
  stopped_ = true;
  work_.notify_all();
}

}  // namespace holdfast::agent
