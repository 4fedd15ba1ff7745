// The few folders used last, by path, so that working through a tree file by file does not walk the
// path each time. Thread-safe. What is evicted or forgotten lives on in the hands that still hold
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::agent {

template <typename Folder>
class FolderCache {
 public:
  // Holds at most `capacity` folders, hence as many descriptors. Found by a walk over their hashes:
  // for some dozens faster than a map.
  explicit FolderCache(std::size_t capacity) : capacity_(capacity) { slots_.reserve(capacity); }

  // nullptr if it is not there.
  std::shared_ptr<Folder> find(std::string_view path) {
    const std::size_t hash = std::hash<std::string_view>()(path);
    const std::lock_guard lock(mutex_);
    Slot* slot = find_slot(hash, path);
    if (slot == nullptr) return nullptr;
    slot->used = ++uses_;
    return slot->folder;
  }

  void insert(std::string_view path, std::shared_ptr<Folder> folder) {
    const std::size_t hash = std::hash<std::string_view>()(path);
    std::shared_ptr<Folder> evicted;  // closed outside the lock
    const std::lock_guard lock(mutex_);
    Slot* slot = find_slot(hash, path);
    if (slot == nullptr && slots_.size() < capacity_) {
      slot = &slots_.emplace_back();
    } else if (slot == nullptr) {
      slot = &slots_.front();
      for (Slot& other : slots_)
        if (other.used < slot->used) slot = &other;
    }
    evicted = std::move(slot->folder);
    *slot = {hash, ++uses_, std::string(path), std::move(folder)};
  }

  void forget(std::string_view path) {
    const std::size_t hash = std::hash<std::string_view>()(path);
    const std::lock_guard lock(mutex_);
    if (Slot* slot = find_slot(hash, path)) {
      std::swap(*slot, slots_.back());
      slots_.pop_back();
    }
  }

  void clear() {
    const std::lock_guard lock(mutex_);
    slots_.clear();
  }

 private:
  struct Slot {
    std::size_t hash = 0;
    std::uint64_t used = 0;
    std::string path;
    std::shared_ptr<Folder> folder;
  };

  Slot* find_slot(std::size_t hash, std::string_view path) {
    for (Slot& slot : slots_)
      if (slot.hash == hash && slot.path == path) return &slot;
    return nullptr;
  }

  const std::size_t capacity_;
  std::mutex mutex_;
  std::uint64_t uses_ = 0;
  std::vector<Slot> slots_;
};

}  // namespace holdfast::agent
