#include "repository/store/unsynced_entries.h"

#include "common/base/check.h"

namespace holdfast::repository {

const ObjectEntry* UnsyncedEntries::find(const ObjectId& id) const {
  const auto found = places_.find(id);
  if (found == places_.end()) return nullptr;
  return &entries_[static_cast<std::size_t>(found->second - first_entry_)].entry;
}

void UnsyncedEntries::put(const ObjectId& id, const ObjectEntry& entry) {
  places_[id] = first_entry_ + entries_.size();
  entries_.push_back({id, entry});
}

void UnsyncedEntries::put_note(std::string name, std::optional<Bytes> value) {
  notes_.push_back({std::move(name), std::move(value)});
}

void UnsyncedEntries::replace(const ObjectId& id, const ObjectEntry& entry) {
  const auto found = places_.find(id);
  check(found != places_.end(), "an entry is changed that is not here");
  entries_[static_cast<std::size_t>(found->second - first_entry_)].entry = entry;
}

std::vector<ObjectIndex::Put> UnsyncedEntries::entries_before(const Mark& mark) const {
  const auto count = static_cast<std::ptrdiff_t>(mark.entry - first_entry_);
  return {entries_.begin(), entries_.begin() + count};
}

std::vector<ObjectIndex::Note> UnsyncedEntries::notes_before(const Mark& mark) const {
  const auto count = static_cast<std::ptrdiff_t>(mark.note - first_note_);
  return {notes_.begin(), notes_.begin() + count};
}

void UnsyncedEntries::forget_before(const Mark& mark) {
  for (; first_entry_ < mark.entry; ++first_entry_) {
    const auto found = places_.find(entries_.front().id);
    if (found != places_.end() && found->second == first_entry_) places_.erase(found);
    entries_.pop_front();
  }
  for (; first_note_ < mark.note; ++first_note_) notes_.pop_front();
}

void UnsyncedEntries::drop_from(const Mark& mark) {
  entries_.resize(static_cast<std::size_t>(mark.entry - first_entry_));
  notes_.resize(static_cast<std::size_t>(mark.note - first_note_));
  // An item that is dropped may have hidden an earlier one of the same id.
  places_.clear();
  for (std::size_t i = 0; i < entries_.size(); ++i) places_[entries_[i].id] = first_entry_ + i;
}

}  // namespace holdfast::repository
