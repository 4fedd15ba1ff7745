// An ObjectIndex in memory, for simulations and tests. What a crash leaves is chosen by the caller:
// what the last flush() held, or that and any number of the batches behind it, since a real index
// may write out more than it was asked to.
#pragma once

#include <map>

#include "repository/store/object_index.h"

namespace holdfast::repository {

// Not thread-safe.
class MemoryIndex final : public ObjectIndex {
 public:
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

  // How many batches a crash may lose.
  std::size_t unflushed_batches() const { return unflushed_.size(); }
  // Goes back to the last flush and `kept` of the batches behind it.
  void crash(std::size_t kept);
  // From now on every call but clear() answers kCorrupt.
  void damage() { damaged_ = true; }
  // write() and flush() fail with this from now on; nullopt ends it.
  void refuse_writes(std::optional<Code> code) { refusal_ = code; }

 private:
  struct Batch {
    std::vector<Put> puts;
    std::vector<ObjectId> removals;
    std::vector<Note> notes;
    Checkpoint checkpoint;
  };
  struct Content {
    std::map<ObjectId, ObjectEntry> objects;
    std::map<std::string, Bytes, std::less<>> notes;
    Checkpoint checkpoint;
    void apply(const Batch& batch);
  };
  Status usable() const;
  Status writable() const;

  Content durable_, current_;
  std::vector<Batch> unflushed_;
  bool damaged_ = false;
  std::optional<Code> refusal_;
};

}  // namespace holdfast::repository
