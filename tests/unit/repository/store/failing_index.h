// An index of which calls are counted, and one fails, or it and all behind it.
#pragma once

#include <string>

#include "repository/store/object_index.h"

namespace holdfast::repository {

class FailingIndex final : public ObjectIndex {
 public:
  // The `nth` call fails (0 is none), and if `for_good` all behind it.
  FailingIndex(ObjectIndex& index, std::uint64_t nth, Code code, bool for_good)
      : index_(index), nth_(nth), code_(code), for_good_(for_good) {}
  explicit FailingIndex(ObjectIndex& index) : FailingIndex(index, 0, Code::kIo, false) {}
  // From now on the `nth` call fails; 0 ends it.
  void fail(std::uint64_t nth) { nth_ = nth == 0 ? 0 : calls_ + nth; }
  std::uint64_t calls() const { return calls_; }
  std::uint64_t writes() const { return writes_; }

  Result<std::vector<std::optional<ObjectEntry>>> get(std::span<const ObjectId> ids) override {
    HOLDFAST_TRY(begin("get"));
    return index_.get(ids);
  }
  Status write(std::span<const Put> puts, std::span<const ObjectId> removals,
               std::span<const Note> notes, Checkpoint checkpoint) override {
    ++writes_;
    HOLDFAST_TRY(begin("write"));
    return index_.write(puts, removals, notes, checkpoint);
  }
  Result<Checkpoint> checkpoint() override {
    HOLDFAST_TRY(begin("checkpoint"));
    return index_.checkpoint();
  }
  Status flush() override {
    HOLDFAST_TRY(begin("flush"));
    return index_.flush();
  }
  Status for_each(const std::function<bool(const ObjectId&, const ObjectEntry&)>& visit) override {
    HOLDFAST_TRY(begin("for_each"));
    return index_.for_each(visit);
  }
  Status for_each_note(std::string_view prefix,
                       const std::function<bool(std::string_view, ByteView)>& visit) override {
    HOLDFAST_TRY(begin("for_each_note"));
    return index_.for_each_note(prefix, visit);
  }
  Status clear() override {
    HOLDFAST_TRY(begin("clear"));
    return index_.clear();
  }
  Result<std::uint64_t> approximate_count() override {
    HOLDFAST_TRY(begin("approximate_count"));
    return index_.approximate_count();
  }

 private:
  Status begin(std::string_view call) {
    const bool fails = ++calls_ == nth_ || (for_good_ && calls_ > nth_);
    if (!fails) return {};
    return Error(code_, "injected fault of the index: " + std::string(call));
  }
  ObjectIndex& index_;
  std::uint64_t nth_;
  const Code code_;
  const bool for_good_;
  std::uint64_t calls_ = 0, writes_ = 0;
};

}  // namespace holdfast::repository
