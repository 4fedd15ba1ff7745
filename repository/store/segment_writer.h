// Appends records to the newest segment and starts the next one when it is long enough. Knows which
// bytes are durable, so that a failed sync can give up exactly the others.
//
// After a failed write or sync nothing is appended until start_afresh() has cut off what was given
// up and made a new segment durable: a half-written record never has another one behind it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "repository/store/object_index.h"
#include "repository/store/segment_files.h"
#include "repository/store/segment_format.h"

namespace holdfast::repository {

// What a sync is to make durable.
struct SyncPlan {
  struct Part {
    std::uint32_t segment;
    std::shared_ptr<File> file;
    std::uint64_t end;
  };
  std::vector<Part> parts;
  bool folder = false;
};

class SegmentWriter {
 public:
  // `segment_bytes`: a segment is sealed once it is this long; `writeback_bytes`: see StoreLimits.
  SegmentWriter(SegmentFiles& segments, std::uint64_t segment_bytes, std::uint64_t writeback_bytes)
      : segments_(segments), segment_bytes_(segment_bytes), writeback_bytes_(writeback_bytes) {}

  // Where to go on: segments up to `last` exist or existed.
  void begin_after(std::uint32_t last) { last_number_ = last; }
  // Goes on appending to the segment `last`, all of which up to `end` is durable.
  void resume(std::shared_ptr<File> file, std::uint64_t end);

  // Where the record begins. A failure makes the writer unusable.
  Result<Location> append(RecordType type, ByteView payload);
  // Of the payload of the last record appended.
  std::uint64_t last_checksum() const { return last_checksum_; }
  bool usable() const { return usable_; }
  // Behind the last record; zero before there is any segment.
  Checkpoint end() const;

  SyncPlan plan_sync() const;
  void synced(const SyncPlan& plan);
  // Whether a sync of another, in make_cuts(), has failed and may have taken with it what `plan`
  // was to make durable, so that its success proves nothing.
  bool has_lost(const SyncPlan& plan) const;
  std::uint64_t unsynced_bytes() const;
  // Forgets everything behind the last sync and makes the writer unusable.
  void give_up_unsynced();

  // Notes that a segment ends at `length`, and that what lies behind is to be cut off before
  // anything else is written; 0 removes the segment.
  void cut(std::uint32_t segment, std::uint64_t length);
  // Does the cuts. On failure the writer is unusable until start_afresh() succeeds; success leaves
  // it as usable as it was.
  Status make_cuts();
  // Cuts, then a new segment, synced with its name. The writer is usable afterwards.
  Status start_afresh();

 private:
  struct Tail {
    std::uint32_t segment;
    std::shared_ptr<File> file;
    std::uint64_t end;
    std::uint64_t synced;        // bytes of it that are durable, and then its name is; 0 is neither
    std::uint64_t written_back;  // up to here writeback was hinted
    bool lost = false;           // of what is not synced, by a sync that failed
  };
  struct Cut {
    std::uint32_t segment;
    std::uint64_t length;
  };
  Status begin_segment();
  void hint_writeback(Tail& tail);

  SegmentFiles& segments_;
  std::uint64_t segment_bytes_, writeback_bytes_;
  std::uint32_t last_number_ = 0;
  std::vector<Tail> tails_;  // not durable in whole, and the newest
  bool appending_ = false;   // to tails_.back()
  bool usable_ = true;
  std::uint64_t last_checksum_ = 0;
  std::vector<Cut> cuts_;
};

}  // namespace holdfast::repository
