#include "agent/restore_content.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "common/base/planted_bug.h"

namespace holdfast::agent {
namespace {

// A chunk has at most 64 MiB, so its length fits; only a forged catalog says otherwise.
constexpr std::uint64_t kMostChunk = format::kMaxFramePlaintext;

}  // namespace

// The file is there; if an attribute is missing, that is said, and it counts as written.
void RestoredFile::end(const Status& status) {
  if (!status) {
    if (status.error().code() != Code::kPermissionDenied) return fail(status.error());
    ledger_.problem(path(), status.error());
  }
  ledger_.file(RestoreLedger::Outcome::kWritten, ordinal(), entry().entry.size);
}

void RestoredFile::fail(Error error) {
  if (failed_.exchange(true)) return;
  if (HOLDFAST_PLANTED("say nothing of a file that cannot be restored")) return;
  ledger_.problem(path(), std::move(error));
  ledger_.file(RestoreLedger::Outcome::kFailed, ordinal(), entry().entry.size);
}

void RestoredFile::write_whole(ByteView content) {
  if (content.size() != entry().entry.size)
    return fail(Error(Code::kCorrupt, "its content has another size than its entry"));
  end(target_.write_file(path(), entry().entry, content));
}

Result<FileWriter*> RestoredFile::writer() {
  const std::lock_guard lock(mutex_);
  if (!writer_) {
    HOLDFAST_ASSIGN(writer_, target_.create_file(path(), entry().entry));
  }
  return writer_.get();
}

void RestoredFile::write(std::uint64_t offset, ByteView piece) {
  if (!failed_) {
    auto to = writer();
    const Status written = to ? (*to)->write_at(offset, piece) : Status(to.error());
    if (!written) fail(written.error());
  }
  done_with_piece();
}

void RestoredFile::done_with_piece() {
  if (--left_ != 0) return;
  // Nobody else writes any more.
  const std::unique_ptr<FileWriter> writer = std::move(writer_);
  if (failed_) return;
  if (writer)
    end(writer->finish(entry().entry));
  else
    write_whole({});  // no list of its lists had a chunk
}

void RestoreContent::add(std::shared_ptr<RestoredFile> file) {
  const CatalogEntry& from = file->entry();
  const Content& content = from.content;
  if (content.refs.size() == 1) {
    if (from.entry.size > kMostChunk)
      return file->fail(Error(Code::kCorrupt, "its only chunk is larger than any may be"));
    const auto at = static_cast<std::uint32_t>(files_.size());
    files_.push_back(std::move(file));
    places_.push_back({content.refs[0], 0, at, static_cast<std::uint32_t>(from.entry.size), true});
  } else if (content.refs.empty()) {
    file->write_whole({});
  } else {
    add(std::move(file), content.refs, content.lengths, 0);
  }
}

void RestoreContent::add(std::shared_ptr<RestoredFile> file, std::span<const ObjectId> chunks,
                         std::span<const std::uint32_t> lengths, std::uint64_t offset) {
  check(chunks.size() == lengths.size(), "chunks with as many lengths");
  file->expect(chunks.size());
  const auto at = static_cast<std::uint32_t>(files_.size());
  files_.push_back(std::move(file));
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    places_.push_back({chunks[i], offset, at, lengths[i], false});
    if (!HOLDFAST_PLANTED("write every piece to the beginning of its file")) offset += lengths[i];
  }
}

std::vector<ObjectId> RestoreContent::close() {
  std::vector<ObjectId> ids;
  std::unordered_set<ObjectId> seen;
  seen.reserve(places_.size());
  for (const Place& place : places_)
    if (seen.insert(place.id).second) ids.push_back(place.id);
  std::ranges::stable_sort(places_, {}, &Place::id);
  return ids;
}

std::span<const RestoreContent::Place> RestoreContent::places(const ObjectId& id) const {
  const auto range = std::ranges::equal_range(places_, id, {}, &Place::id);
  return {range.begin(), range.end()};
}

void RestoreContent::write(std::span<const format::OpenedObject* const> objects) const {
  for (const format::OpenedObject* object : objects) {
    for (const Place& place : places(object->id)) {
      RestoredFile& file = *files_[place.file];
      const bool fits =
          object->kind == format::ObjectKind::kData && object->payload.size() == place.length;
      if (!fits)
        fail(place, Error(Code::kCorrupt, fmt::format("its chunk {} is not what its entry says",
                                                      object->id.short_hex())));
      else if (place.whole)
        file.write_whole(object->payload);
      else
        file.write(place.offset, object->payload);
    }
  }
}

void RestoreContent::fail(const Place& place, const Error& reason) const {
  files_[place.file]->fail(reason);
  // A piece that is not written has come to its end all the same.
  if (!place.whole) files_[place.file]->release();
}

void RestoreContent::fail(const ObjectId& id, const Error& reason) const {
  for (const Place& place : places(id)) fail(place, reason);
}

}  // namespace holdfast::agent
