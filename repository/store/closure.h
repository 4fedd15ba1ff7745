// Keeps the closure: what is answered as present has everything below it present.
//
// Takes frames in (which objects of it are new, which refs are missing), marks what is damaged with
// the list objects above it, and completes those again when what they wait for has arrived. Without
// damage none of this reads anything but the index.
#pragma once

#include <map>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

#include "common/format/frame.h"
#include "repository/store/incomplete_lists.h"
#include "repository/store/object_table.h"
#include "repository/store/segment_files.h"

namespace holdfast::repository {

// What storing a frame would mean.
struct FramePlan {
  ObjectTable::Entries known;                  // before it, one an object
  std::vector<bool> wanted;                    // not present yet
  std::vector<std::vector<ObjectId>> missing;  // per object, of the wanted lists; else empty
  std::size_t wanted_count = 0;
  bool refs_missing = false;
};

struct RangeDamage {
  std::vector<bool> used;       // one a range: objects lie in it that no better copy replaced
  std::vector<ObjectId> fresh;  // not marked before
};

class Closure {
 public:
  Closure(ObjectTable& table, SegmentFiles& segments) : table_(table), segments_(segments) {}

  // Reads only.
  Result<FramePlan> plan(const format::FrameHeader& header);
  // The frame was appended at `location`: its wanted objects lie there now. Those with missing refs
  // are incomplete (only recovery takes them in). Completes what waited for them. How many are new.
  Result<std::uint64_t> take_in(const FramePlan& plan, const format::FrameHeader& header,
                                const Location& location);

  // Marks every object that lies in the record at `location`, and the lists above them. Returns the
  // ids that were not marked before. If it fails, it has marked nothing.
  Result<std::vector<ObjectId>> damage_record(const Location& location);
  // The same for these objects alone, whatever else lies beside them.
  Result<std::vector<ObjectId>> damage(std::vector<ObjectId> ids);
  // Whether any object is read from the record at `location`: not if better copies replaced all of
  // them, or if nothing of it was ever taken in.
  Result<bool> is_used(const Location& location);
  // Like damage_record for stretches in which records cannot be told apart, all by one pass over
  // the whole index.
  Result<RangeDamage> damage_ranges(std::span<const SegmentRange> ranges);
  // The same for a list whose refs turn out not to be present.
  Status lose_list(const ObjectId& list, std::span<const ObjectId> missing);

  // Finds out anew what is incomplete and damaged, from the marks in the table: after opening, and
  // after a failed sync took entries back.
  Status restore();
  std::uint64_t damaged_objects() const { return damaged_; }
  std::uint64_t incomplete_lists() const { return incomplete_.size(); }

 private:
  using IdSet = std::unordered_set<ObjectId>;
  Status complete(std::span<const ObjectId> arrived);
  // What is to be marked at once.
  struct Losses {
    std::map<ObjectId, ObjectEntry> entries;                        // as they are to be
    std::vector<ObjectId> damaged;                                  // of these
    std::vector<std::pair<ObjectId, std::vector<ObjectId>>> waits;  // lists, and what they lack
  };
  Result<bool> lose_damaged(std::span<const ObjectId> ids, Losses& losses);
  Status lose_above(Losses& losses);
  Result<bool> lose_in_frame(const format::FrameHeader& header, const Location& location,
                             Losses& losses);
  void mark(const Losses& losses);
  Result<std::optional<Buffer>> read_lists(const Location& location);
  Status restore_frame(const format::FrameHeader& header, const Location& location,
                       std::vector<ObjectIndex::Put>& complete_after_all);
  Result<std::vector<ObjectId>> objects_at(const Location& location);
  Result<std::vector<ObjectId>> objects_in_ranges(std::span<const SegmentRange> ranges,
                                                  std::vector<bool>& used);

  ObjectTable& table_;
  SegmentFiles& segments_;
  IncompleteLists incomplete_;
  std::uint64_t damaged_ = 0;
};

}  // namespace holdfast::repository
