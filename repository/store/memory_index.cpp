// Two copies of the content: what a crash surely leaves, and what is answered. The batches between
// them are kept, so that a crash can stop behind any of them.
#include "repository/store/memory_index.h"

namespace holdfast::repository {

void MemoryIndex::Content::apply(const Batch& batch) {
  for (const Put& put : batch.puts) objects.insert_or_assign(put.id, put.entry);
  for (const ObjectId& id : batch.removals) objects.erase(id);
  for (const Note& note : batch.notes) {
    if (note.value)
      notes.insert_or_assign(note.name, *note.value);
    else
      notes.erase(note.name);
  }
  checkpoint = batch.checkpoint;
}

Status MemoryIndex::usable() const {
  if (damaged_) return Error(Code::kCorrupt, "the index is damaged");
  return {};
}

Status MemoryIndex::writable() const {
  HOLDFAST_TRY(usable());
  if (refusal_) return Error(*refusal_, "the index takes no writes");
  return {};
}

Result<std::vector<std::optional<ObjectEntry>>> MemoryIndex::get(std::span<const ObjectId> ids) {
  HOLDFAST_TRY(usable());
  std::vector<std::optional<ObjectEntry>> entries(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (auto found = current_.objects.find(ids[i]); found != current_.objects.end())
      entries[i] = found->second;
  return entries;
}

Status MemoryIndex::write(std::span<const Put> puts, std::span<const ObjectId> removals,
                          std::span<const Note> notes, Checkpoint checkpoint) {
  HOLDFAST_TRY(writable());
  unflushed_.push_back({{puts.begin(), puts.end()},
                        {removals.begin(), removals.end()},
                        {notes.begin(), notes.end()},
                        checkpoint});
  current_.apply(unflushed_.back());
  return {};
}

Result<Checkpoint> MemoryIndex::checkpoint() {
  HOLDFAST_TRY(usable());
  return current_.checkpoint;
}

Status MemoryIndex::flush() {
  HOLDFAST_TRY(writable());
  for (const Batch& batch : unflushed_) durable_.apply(batch);
  unflushed_.clear();
  return {};
}

Status MemoryIndex::for_each(
    const std::function<bool(const ObjectId&, const ObjectEntry&)>& visit) {
  HOLDFAST_TRY(usable());
  for (const auto& [id, entry] : current_.objects)
    if (!visit(id, entry)) break;
  return {};
}

Status MemoryIndex::for_each_note(std::string_view prefix,
                                  const std::function<bool(std::string_view, ByteView)>& visit) {
  HOLDFAST_TRY(usable());
  for (auto at = current_.notes.lower_bound(prefix); at != current_.notes.end(); ++at)
    if (!at->first.starts_with(prefix) || !visit(at->first, at->second)) break;
  return {};
}

Status MemoryIndex::clear() {
  durable_ = current_ = {};
  unflushed_.clear();
  damaged_ = false;
  return {};
}

Result<std::uint64_t> MemoryIndex::approximate_count() {
  HOLDFAST_TRY(usable());
  return current_.objects.size();
}

void MemoryIndex::crash(std::size_t kept) {
  check(kept <= unflushed_.size(), "a crash keeps batches that were never written");
  for (std::size_t i = 0; i < kept; ++i) durable_.apply(unflushed_[i]);
  unflushed_.clear();
  current_ = durable_;
}

}  // namespace holdfast::repository
