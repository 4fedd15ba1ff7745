// Bringing index and memory up to what the segments hold: when a store is opened, from the index's
// checkpoint on; when the index is lost, not to be trusted or to be rebuilt, from the beginning.
//
// Idempotent: it changes the index by what is durable in segments, and segments by cutting off what
// is no record, so crashing in it and running it again gives the same.
#pragma once

#include "repository/store/record_scan.h"
#include "repository/store/store.h"
#include "repository/store/store_parts.h"

namespace holdfast::repository {

class Recovery {
 public:
  Recovery(StoreParts& parts, RecoveryReport& report) : parts_(parts), report_(report) {}

  // At opening. Fails if a segment cannot be read: a device in trouble is no reason to forget what
  // was acknowledged. `cuts` tells whether torn tails could be cut off; if not, the writer refuses.
  Status open(Status& cuts);
  // Everything from the segments alone; all of them are durable. Cuts nothing off.
  Status rebuild();

  // What open() replayed and the index had no room for. It stays with the table, as good as if the
  // index had it, and goes there when a sync has finished or writes are taken again.
  struct Lag {
    Error reason;
    Checkpoint end;
    std::map<std::uint32_t, std::uint64_t> lengths;  // of the segments concerned
  };
  const std::optional<Lag>& lag() const { return lag_; }

 private:
  Result<Checkpoint> trusted_checkpoint(const std::vector<std::uint32_t>& segments);
  Result<bool> index_fits(const std::vector<std::uint32_t>& segments, Checkpoint checkpoint);
  Status load_records();
  Status replay_all(const std::map<std::uint32_t, std::uint64_t>& lengths);
  Status replay(std::shared_ptr<File> file, std::uint32_t segment, std::uint64_t from,
                std::uint64_t end, bool may_cut);
  Result<bool> check_header(File& file, std::uint32_t segment);
  Result<bool> apply(const Stretch& stretch, const Location& location);
  void end_segment(std::uint32_t segment, std::uint64_t valid_end, std::uint64_t size);
  Status repair_header(std::uint32_t segment);
  Status restore_padding(std::uint32_t segment, std::uint64_t valid_end);
  Status commit(Checkpoint checkpoint);
  Status flush_index();
  Status resume(std::uint32_t segment, std::uint64_t end);

  StoreParts& parts_;
  RecoveryReport& report_;
  std::map<std::uint32_t, std::uint64_t> committed_lengths_;
  std::optional<Lag> lag_;
};

}  // namespace holdfast::repository
