// An ObjectIndex on a simulated disk, so that crashes take their part of it as they do of the
// segments: a log of batches, read back into memory when it is opened. As RocksDB does, it writes
// batches out without being asked to, and a crash may leave it any number of them from the
// beginning, never one out of the middle.
#pragma once

#include <memory>
#include <string>

#include "common/ports/file_system.h"
#include "repository/store/memory_index.h"

namespace holdfast::repository {

// Not thread-safe. `files` outlives it.
class IndexOnDisk final : public ObjectIndex {
 public:
  // Made empty if it is not there. What follows the last whole batch is cut off.
  static Result<std::unique_ptr<IndexOnDisk>> open(FileSystem& files, const std::string& path);

  Result<std::vector<std::optional<ObjectEntry>>> get(std::span<const ObjectId> ids) override;
  Status write(std::span<const Put> puts, std::span<const ObjectId> removals,
               std::span<const Note> notes, Checkpoint checkpoint) override;
  Result<Checkpoint> checkpoint() override { return memory_.checkpoint(); }
  Status flush() override;
  Status for_each(const std::function<bool(const ObjectId&, const ObjectEntry&)>& visit) override;
  Status for_each_note(std::string_view prefix,
                       const std::function<bool(std::string_view, ByteView)>& visit) override;
  Status clear() override;
  Result<std::uint64_t> approximate_count() override { return memory_.approximate_count(); }

 private:
  IndexOnDisk(FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}
  Status start_empty();
  // Writes all of it to a fresh file, in whose place the one goes that a write or a sync failed on.
  Status repair();
  Status replay();
  // False at the first byte that is no whole batch.
  Result<bool> take_batch(ByteView log);

  FileSystem& files_;
  const std::string path_;
  std::unique_ptr<File> file_;
  Bytes log_;                // what the file holds, unless it is broken
  std::uint64_t chain_ = 0;  // the last batch's checksum, which the next one's begins with
  bool broken_ = false;
  MemoryIndex memory_;
};

}  // namespace holdfast::repository
