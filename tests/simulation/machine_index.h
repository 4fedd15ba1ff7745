// An index that outlives the process which opened it, as files of its own do: what a process that
// was killed still wants of it is not done.
#pragma once

#include <memory>
#include <utility>

#include "repository/store/memory_index.h"

namespace holdfast::testing {

class MachineIndex final : public repository::ObjectIndex {
 public:
  MachineIndex(std::shared_ptr<repository::MemoryIndex> index, std::shared_ptr<bool> process_lives)
      : index_(std::move(index)), process_lives_(std::move(process_lives)) {}

  Result<std::vector<std::optional<repository::ObjectEntry>>> get(
      std::span<const ObjectId> ids) override {
    return index_->get(ids);
  }
  Status write(std::span<const Put> puts, std::span<const ObjectId> removals,
               std::span<const Note> notes, repository::Checkpoint checkpoint) override {
    return *process_lives_ ? index_->write(puts, removals, notes, checkpoint) : Status();
  }
  Result<repository::Checkpoint> checkpoint() override { return index_->checkpoint(); }
  Status flush() override { return *process_lives_ ? index_->flush() : Status(); }
  Status for_each(
      const std::function<bool(const ObjectId&, const repository::ObjectEntry&)>& visit) override {
    return index_->for_each(visit);
  }
  Status for_each_note(std::string_view prefix,
                       const std::function<bool(std::string_view, ByteView)>& visit) override {
    return index_->for_each_note(prefix, visit);
  }
  Status clear() override { return *process_lives_ ? index_->clear() : Status(); }
  Result<std::uint64_t> approximate_count() override { return index_->approximate_count(); }

 private:
  std::shared_ptr<repository::MemoryIndex> index_;
  std::shared_ptr<bool> process_lives_;
};

}  // namespace holdfast::testing
