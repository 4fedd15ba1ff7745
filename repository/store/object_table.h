// The index with what is not in it yet laid over it: the one place that answers where an object
// lies. Nothing reaches the index before commit(), which is called when its segments are synced;
// only marks of damage, which take presence away, may go there at once.
//
// It also keeps the notes: where the records lie that are not looked up by object (manifests,
// charters, metadata frames), how much of each segment is indexed, and by what the segments are
// recognised as those that the index was made of.
#pragma once

#include <map>

#include "repository/store/object_index.h"
#include "repository/store/segment_format.h"
#include "repository/store/unsynced_entries.h"

namespace holdfast::repository {

inline bool is_present(const std::optional<ObjectEntry>& entry) {
  return entry && !entry->incomplete && !entry->damaged;
}

// The last record that is indexed. If it is not where it was, the segments are not those that the
// index was made of: a disk was rolled back or replaced.
struct Anchor {
  Location location;
  std::uint64_t payload_checksum = 0;
};

class ObjectTable {
 public:
  using Entries = std::vector<std::optional<ObjectEntry>>;
  explicit ObjectTable(ObjectIndex& index) : index_(index) {}

  Result<Entries> get(std::span<const ObjectId> ids);
  Result<std::vector<bool>> present(std::span<const ObjectId> ids);
  // Every object once, in no particular order.
  Status for_each(const std::function<void(const ObjectId&, const ObjectEntry&)>& visit);

  // Not in the index before a commit() with a mark taken afterwards.
  void put(const ObjectId& id, const ObjectEntry& entry) { unsynced_.put(id, entry); }
  void put_record(RecordType type, const Location& location);
  // Marks on entries that exist, where they are. Should the index refuse, they hold until this
  // process ends: they can be found out again.
  void mark(std::span<const ObjectIndex::Put> changed);

  // Takes what was put before `mark` into the index. On failure it stays here, as good as before.
  Status commit(const UnsyncedEntries::Mark& mark, Checkpoint checkpoint,
                const std::optional<Anchor>& anchor,
                const std::map<std::uint32_t, std::uint64_t>& segment_lengths);
  UnsyncedEntries::Mark unsynced_mark() const { return unsynced_.mark(); }
  std::size_t unsynced_count() const { return unsynced_.size(); }
  void drop_from(const UnsyncedEntries::Mark& mark) { unsynced_.drop_from(mark); }

  // Those of one type, in order of location; unsynced ones too.
  Result<std::vector<Location>> records(RecordType type);
  void drop_record(RecordType type, const Location& location);
  // Whether the index may hold entries that are incomplete or damaged.
  Result<bool> may_hold_marks();
  void forget_marks();
  Result<std::map<std::uint32_t, std::uint64_t>> indexed_lengths();
  Result<std::optional<Anchor>> anchor();
  // Forgets everything, the index's content too.
  Status clear();
  ObjectIndex& index() { return index_; }

 private:
  ObjectIndex& index_;
  UnsyncedEntries unsynced_;
  bool marked_ = false;  // an incomplete or damaged entry was put since the store was opened
};

}  // namespace holdfast::repository
