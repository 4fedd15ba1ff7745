// What was appended and is not in the index yet, because its segment is not synced or the index
// could not be written: new entries, completed list objects, notes. It lies over the index: an id
// that is here is not asked for there.
//
// A log in the order of appending, and a map to the last item of each id. A sync takes items off
// the front; a failed one drops them off the end.
#pragma once

#include <deque>
#include <unordered_map>
#include <vector>

#include "repository/store/object_index.h"

namespace holdfast::repository {

class UnsyncedEntries {
 public:
  // A place in the log; everything put before it lies before it.
  struct Mark {
    std::uint64_t entry = 0, note = 0;
  };

  // Null if the id is not here. Valid until the next change.
  const ObjectEntry* find(const ObjectId& id) const;
  void put(const ObjectId& id, const ObjectEntry& entry);
  void put_note(std::string name, std::optional<Bytes> value);
  // Changes the flags of an id that is here.
  void replace(const ObjectId& id, const ObjectEntry& entry);

  Mark mark() const { return {first_entry_ + entries_.size(), first_note_ + notes_.size()}; }
  std::size_t size() const { return places_.size(); }

  std::vector<ObjectIndex::Put> entries_before(const Mark& mark) const;
  std::vector<ObjectIndex::Note> notes_before(const Mark& mark) const;
  void forget_before(const Mark& mark);
  void drop_from(const Mark& mark);
  void clear() { drop_from({first_entry_, first_note_}); }

  // Every id once, with its last entry.
  template <typename Visit>
  void for_each(const Visit& visit) const {
    for (const auto& [id, place] : places_)
      visit(id, entries_[static_cast<std::size_t>(place - first_entry_)].entry);
  }
  const std::deque<ObjectIndex::Note>& notes() const { return notes_; }

 private:
  std::deque<ObjectIndex::Put> entries_;
  std::deque<ObjectIndex::Note> notes_;
  std::uint64_t first_entry_ = 0, first_note_ = 0;      // the places of the fronts
  std::unordered_map<ObjectId, std::uint64_t> places_;  // of each id's last item
};

}  // namespace holdfast::repository
