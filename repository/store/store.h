// One repository on one node: an append-only log of records in segments, and an index over it.
//
// What it promises (the design's invariants 1 to 4 and 7):
//   closure      `present` is answered only for objects below which everything is present, too; a
//                list object whose refs are not all present is refused;
//   durability   what finish_sync() reported is on the device; nothing else is claimed to be. The
//                index is written after the segment is synced, never before, so it can only lag;
//   truth        every durable fact is a record; the index can be deleted and rebuilt;
//   never wrong  bytes are checked against their checksum whenever they are read; what fails is
//                marked damaged and from then on not present, with everything above it.
//
// Not thread-safe: one thread (or loop) owns it. The one exception is SyncWork::run(), which is
// made to run elsewhere while the owner goes on appending and reading.
//
// Life: open, then any of put_frame, append_*, present, read_frame, begin_sync and finish_sync,
// then the destructor.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/format/frame.h"
#include "common/ports/clock.h"
#include "common/ports/file_system.h"
#include "repository/store/object_index.h"
#include "repository/store/segment_format.h"

namespace holdfast::repository {

struct StoreLimits {
  std::uint64_t segment_bytes = 256ull << 20;  // a segment is sealed once it is this long
  std::uint64_t writeback_bytes = 8ull << 20;  // hints writeback every so many appended bytes
  std::uint64_t reserve_bytes = 64ull << 20;   // refuses frames below this much free space
};

// What recovery met when the store was opened; for the log and the tests.
struct RecoveryReport {
  bool index_rebuilt = false;  // it was absent, unreadable or ahead of the segments
  std::uint64_t records_replayed = 0;
  std::uint64_t torn_bytes = 0;       // cut off the end of the last segment
  std::uint64_t damaged_records = 0;  // in the middle, skipped; their objects are not present
};

struct PutOutcome {
  std::uint64_t new_objects = 0;  // 0: all were present, nothing was written
};

// Part of an fsync that may run on another thread: see Store::begin_sync.
class SyncWork {
 public:
  // Syncs the files and folders concerned; may block for long. Call once, from any thread. The
  // store must outlive it.
  Status run();

 private:
  friend class Store;
  struct State;
  std::shared_ptr<State> state_;
};

struct ManifestRecord {
  ManifestId id;
  UnixTime received;
  Bytes signed_bytes;     // SignedProto
  bool complete = false;  // its root is present: this node alone can restore it
};

struct StoreStatistics {
  std::uint64_t segments = 0;
  std::uint64_t stored_bytes = 0;     // of all segments
  std::uint64_t objects = 0;          // approximate
  std::uint64_t damaged_objects = 0;  // known to be damaged, not yet replaced
  std::uint64_t free_bytes = 0;
  std::uint64_t incomplete_lists = 0;  // list objects below which something is missing or damaged
  bool read_only = false;
  std::optional<Code> read_only_code;  // what made it so
  std::string read_only_reason;
};

// One step of a verification: a bounded piece of work and what it found. Counts are of this step;
// `bytes` are those of the segments that were passed, so that those of all steps make total_bytes.
struct VerifyProgress {
  std::uint64_t frames = 0, bytes = 0, records = 0;
  std::uint64_t total_bytes = 0;
  std::vector<ObjectId> damaged;      // objects whose frame failed, newly found in this step
  std::vector<std::string> problems;  // one sentence each: segment, offset, what is wrong
  bool done = false;
};
struct VerifyDepth {
  enum Kind { kStructure, kChecksum, kSignature } kind = kStructure;
  double fraction = 1.0;  // of the frames whose bytes are read; a pseudo-random subset
  std::uint64_t seed = 0;
};

class Store {
 public:
  // Finds the key of a frame's agent; nullopt if the charter does not know it.
  using AgentKeys = std::function<std::optional<crypto::VerifyKey>(const AgentId&)>;

  // Creates the folders and files of an empty store at `path`, durably.
  static Status create(FileSystem& files, const std::string& path, const NodeId& node);
  // Opens and recovers: replays what the index lacks, cuts off a torn tail, marks list objects that
  // lost something below as incomplete. Crashing in it and opening again is harmless. kConflict if
  // another process has the store open, kNoRepository if there is none.
  static Result<std::unique_ptr<Store>> open(FileSystem& files, const std::string& path,
                                             ObjectIndex& index, const NodeId& node,
                                             StoreLimits limits = {});
  ~Store();

  const RecoveryReport& recovery() const;

  // For each id whether the object and all that is below it are present (durable or not yet).
  Result<std::vector<bool>> present(std::span<const ObjectId> ids);

  // Stores a frame whose checksum and signature the caller has verified. Nothing of it is durable
  // before a sync that began afterwards has finished. Objects that are present already are not
  // indexed again; a frame of which all are present is not written. An object that was damaged is
  // replaced, and what was incomplete because of it is complete again as soon as all is there.
  // kMissingObjects: a ref of a list object is not present and not earlier in this frame, missing
  // ids via missing_refs(); kNoSpace/kIo/kReadOnly: nothing was acknowledged, the store is
  // read-only.
  Result<PutOutcome> put_frame(const format::ParsedFrame& frame);
  // The refs of `frame`'s objects that are neither present nor earlier in the frame, each once.
  Result<std::vector<ObjectId>> missing_refs(const format::ParsedFrame& frame);

  // Appends a manifest (kMissingObjects unless its root is present) or a charter. Durable like a
  // frame. Appending what is there already does nothing.
  Status append_manifest(const ManifestId& id, const ObjectId& root, UnixTime received,
                         ByteView signed_bytes);
  Status append_charter(std::uint64_t version, ByteView record);

  // Everything appended before begin_sync() is durable once the work has run and finish_sync() has
  // returned success. Several may be under way; they finish in order. A failed run makes the store
  // read-only: the unsynced tail is given up, its objects are not present any more, and writing
  // goes on in a fresh segment once try_recover_writes() succeeds.
  SyncWork begin_sync();
  Status finish_sync(SyncWork work, Status outcome);
  Status sync() {
    auto work = begin_sync();
    auto outcome = work.run();
    return finish_sync(std::move(work), std::move(outcome));
  }
  std::uint64_t unsynced_bytes() const;

  bool read_only() const;
  // Tries to leave read-only mode: enough free space, a fresh segment can be created, written and
  // synced. Harmless to call at any time.
  Status try_recover_writes();

  // The frame that holds `id` on this node, its record's checksum verified. kNotFound; kCorrupt:
  // the damage is now marked.
  Result<Buffer> read_frame(const ObjectId& id);
  Result<std::optional<ObjectEntry>> locate(const ObjectId& id);
  // Somebody who can open frames says that the one with `id` is bad: it is read and verified
  // (checksum, signature) and, if that fails too, marked.
  Result<bool> report_damage(const ObjectId& id, const AgentKeys& keys);

  // Of those whose record is readable, in order of receipt. Signatures are for the caller to check,
  // as of charters.
  std::vector<ManifestRecord> manifests();
  std::optional<ManifestRecord> manifest(const ManifestId& id);
  // The newest charter that passes, of those whose records are readable. A record that was found by
  // searching behind damage may be anybody's bytes: who takes one checks its signature.
  std::optional<Bytes> charter(const std::function<bool(ByteView record)>& passes = {});

  // Goes through all segments in disk order, a bounded step (about 8 MiB or 4,096 records) a call,
  // from the beginning after restart. kStructure: record headers, index entries and closure;
  // kChecksum: also every byte (XXH3); kSignature: also SHA-256 and Ed25519 of every frame. Damage
  // found is marked; a manifest or charter that is damaged on the disk alone is written again. A
  // step that meets a record that went away goes on.
  Result<VerifyProgress> verify_step(const VerifyDepth& depth, const AgentKeys& keys, bool restart);
  // When a verification ended that read every byte, as far as it is known: restarts forget it if it
  // could not be kept. The caller says so when it has gone through all steps of one.
  std::optional<UnixTime> fully_verified_at() const;
  void set_fully_verified_at(UnixTime ended);

  StoreStatistics statistics();

  // Rebuilds the index from the segments alone, after syncing what is not durable yet. Reads every
  // byte before it returns. kConflict while a sync is under way. On any other failure the store is
  // read-only and knows of a part only, until this or try_recover_writes() succeeds.
  Status reindex();

 private:
  struct State;
  explicit Store(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::repository
