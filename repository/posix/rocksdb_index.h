// The ObjectIndex of a node on a disk: RocksDB (7.8), as a table of 33-byte keys.
//
// No write-ahead log: the segments are the log, so what was not flushed is lost in a crash, in
// whole batches from the end. Filters keep "not here", the answer a first backup mostly gets, in
// memory: about 1.3 bytes an object while the cache holds them.
#pragma once

#include <memory>
#include <string>

#include "repository/store/object_index.h"

namespace rocksdb {
class DB;
class Status;
}  // namespace rocksdb

namespace holdfast::repository {

struct RocksDbLimits {
  // All that RocksDB may hold, together: blocks with filters, and what is being written. It also
  // runs within an agent that has 128 MB for everything.
  std::size_t cache_bytes = std::size_t{24} << 20;
  std::size_t memtable_bytes = std::size_t{12} << 20;
  // Free room below which nothing is written. RocksDB as Debian builds it has its assertions on,
  // and some of them take a full disk for a broken invariant (WritableFileWriter, 7.8): it must not
  // meet one.
  std::uint64_t room_bytes = std::uint64_t{24} << 20;
};

// Thread-safe where ObjectIndex lets it matter: one owner, RocksDB's own threads beside it.
class RocksDbIndex final : public ObjectIndex {
 public:
  // Opens or creates the index in the folder `path`, whose parent exists. A damaged one is opened
  // too: it answers kCorrupt to everything until clear() has made it anew. kConflict if another
  // process has it open, kIo, kNoSpace, kPermissionDenied.
  static Result<std::unique_ptr<RocksDbIndex>> open(const std::string& path,
                                                    RocksDbLimits limits = {});
  ~RocksDbIndex() override;

  Result<std::vector<std::optional<ObjectEntry>>> get(std::span<const ObjectId> ids) override;
  Status write(std::span<const Put> puts, std::span<const ObjectId> removals,
               std::span<const Note> notes, Checkpoint checkpoint) override;
  Result<Checkpoint> checkpoint() override;
  Status flush() override;
  Status for_each(const std::function<bool(const ObjectId&, const ObjectEntry&)>& visit) override;
  Status for_each_note(std::string_view prefix,
                       const std::function<bool(std::string_view, ByteView)>& visit) override;
  Status clear() override;
  Result<std::uint64_t> approximate_count() override;

 private:
  RocksDbIndex(std::string path, RocksDbLimits limits);
  Status open_database();
  Status open_for_reading(Error refusal);
  Status usable() const;
  // As usable(), and there is room, and opened for writing, if need be now.
  Status writable();
  Status room() const;
  bool holds_unflushed() const;
  Error failed(const rocksdb::Status& status, const char* doing);
  void remember_damage(const std::string& what);
  Status scan(const std::string& first, const std::string& end,
              const std::function<Result<bool>(std::string_view, std::string_view)>& visit);

  std::string path_;
  RocksDbLimits limits_;
  std::unique_ptr<rocksdb::DB> database_;  // null while the index is damaged
  std::string damage_;                     // what is wrong; empty if nothing is
  bool reads_only_ = false;
};

}  // namespace holdfast::repository
