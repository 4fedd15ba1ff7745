// The inside of a Store.
#pragma once

#include <memory>
#include <string>

#include "repository/store/recovery.h"
#include "repository/store/store.h"
#include "repository/store/store_parts.h"
#include "repository/store/verification.h"

namespace holdfast::repository {

struct Store::State {
  State(FileSystem& file_system, std::string folder, std::unique_ptr<FileLock> held_lock,
        const NodeId& node, ObjectIndex& index, StoreLimits store_limits);

  Status recover();
  // Why nothing can be appended now, or success.
  Status writable() const;
  // Success if a frame of `size` bytes would leave the reserve.
  Status room_for(std::uint64_t size);
  Error refuse_writes(Error error);
  Result<Location> append(RecordType type, ByteView payload);

  // From the segments alone. Until it succeeds the index lacks what was not replayed: nothing may
  // be written to it that says how far it goes.
  Status rebuild_index();

  SyncWork begin_sync();
  Status finish_sync(const SyncWork::State& work, Status outcome);
  void give_up_unsynced();
  void write_again(const std::vector<SegmentRange>& lost);
  // Takes what is durable into the index.
  Status write_index();

  FileSystem& files;
  std::string path;
  std::unique_ptr<FileLock> lock;
  StoreLimits limits;
  RecoveryReport report;
  StoreParts parts;
  Verification verification;
  std::optional<UnixTime> fully_verified_at;

  bool read_only = false;
  std::optional<Code> read_only_code;
  std::string read_only_reason;

  // What the last successful sync covered. Entries before the mark may still wait for the index.
  UnsyncedEntries::Mark durable_mark;
  Checkpoint durable_end;
  std::optional<Anchor> durable_anchor;
  std::map<std::uint32_t, std::uint64_t> durable_lengths;  // not in the index yet
  bool index_lags = false;
  bool index_is_whole = true;
  std::uint64_t unflushed_bytes = 0;  // of segments, since the index was flushed
  std::uint64_t syncs_begun = 0, syncs_finished = 0;
  std::uint64_t epoch = 0;  // counts failed syncs: what was begun before one is given up
};

struct SyncWork::State {
  SegmentFiles* segments;
  SyncPlan plan;
  UnsyncedEntries::Mark mark;
  Checkpoint end;
  std::optional<Anchor> anchor;
  std::uint64_t number, epoch;
};

}  // namespace holdfast::repository
