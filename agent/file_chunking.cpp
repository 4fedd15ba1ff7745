#include "agent/file_chunking.h"

#include <algorithm>
#include <cstring>

namespace holdfast::agent {
namespace {

void cut(const CutContext& context, ByteView content, std::size_t offset,
         std::vector<CutChunk>& chunks) {
  while (!content.empty()) {
    const std::size_t length = context.chunker.first_chunk(content);
    chunks.push_back(
        {context.identifier.identify(format::ObjectKind::kData, {}, content.first(length)),
         static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(length)});
    content = content.subspan(length);
    offset += length;
  }
}

// A reader found the file other than it was scanned: the entry says what it is now.
void note_change(Entry& entry, std::optional<Entry> now, std::uint64_t bytes_read) {
  if (now) {
    now->path = std::move(entry.path);
    now->user = std::move(entry.user);
    now->group = std::move(entry.group);
    now->xattrs = std::move(entry.xattrs);
    entry = std::move(*now);
  }
  entry.condition = EntryCondition::kChangedWhileRead;
  entry.size = bytes_read;  // what a restore gives back
}

void mark_unreadable(Entry& entry, std::optional<Error>& problem, Error error) {
  entry.condition = EntryCondition::kUnreadable;
  entry.size = 0;
  problem = std::move(error);
}

// Reads one small file to buffer[used..]; the bytes it took.
Result<std::size_t> read_small(const CutContext& context, Entry& entry, Buffer& buffer,
                               std::size_t used) {
  HOLDFAST_TRY(context.source.describe(entry));
  if (!entry.is_regular() || entry.size == 0) return std::size_t{0};
  HOLDFAST_ASSIGN(auto reader, context.source.open(entry));
  // One byte more than it should have tells whether it grew; the buffer has room for that.
  const std::size_t want = static_cast<std::size_t>(entry.size) + 1;
  HOLDFAST_ASSIGN(std::size_t got, reader->read({buffer.data() + used, want}));
  const bool grew = got > entry.size;
  if (grew) got = static_cast<std::size_t>(entry.size);
  HOLDFAST_ASSIGN(auto now, reader->changed_since(entry));
  if (grew || got != entry.size || now) note_change(entry, std::move(now), got);
  return got;
}

}  // namespace

CutPiece cut_small_files(const CutContext& context, std::vector<Entry> entries) {
  std::size_t capacity = 0;
  for (const Entry& entry : entries)
    if (entry.is_regular()) capacity += static_cast<std::size_t>(entry.size) + 1;
  Buffer buffer(capacity);
  CutPiece piece;
  piece.files.reserve(entries.size());
  std::size_t used = 0;
  for (Entry& entry : entries) {
    CutFile file{piece.chunks.size(), 0, std::move(entry), std::nullopt};
    auto got = read_small(context, file.entry, buffer, used);
    if (got) {
      cut(context, buffer.view().subspan(used, *got), used, piece.chunks);
      used += *got;
    } else {
      mark_unreadable(file.entry, file.problem, std::move(got).error());
    }
    file.chunk_count = piece.chunks.size() - file.first_chunk;
    piece.files.push_back(std::move(file));
  }
  piece.bytes = SharedBytes(std::move(buffer));
  return piece;
}

LargeFile::Piece LargeFile::end(Piece piece) {
  piece.last = true;
  reader_.reset();
  rest_ = {};
  return piece;
}

LargeFile::Piece LargeFile::next(const CutContext& context) {
  Piece piece;
  const auto give_up = [&](Error error) {
    mark_unreadable(entry_, problem_, std::move(error));
    piece.chunks.clear();
    return end(std::move(piece));
  };
  if (!described_) {
    described_ = true;
    if (auto status = context.source.describe(entry_); !status)
      return give_up(std::move(status).error());
    auto reader = context.source.open(entry_);
    if (!reader) return give_up(std::move(reader).error());
    reader_ = std::move(*reader);
  }

  const std::size_t lookahead = context.chunker.parameters().maximum();
  const std::size_t kept = rest_.size();
  // Room for what is left and a byte that tells whether there is more, or for a piece. A file that
  // has grown ends a piece behind where it was to end: it may grow as fast as it is read.
  const std::uint64_t most = entry_.size + piece_bytes_;
  const std::uint64_t left = (bytes_read_ > entry_.size ? most : entry_.size) - bytes_read_ + 1;
  const std::size_t want = static_cast<std::size_t>(
      std::min<std::uint64_t>(std::max(piece_bytes_, 2 * lookahead), left));
  Buffer buffer(kept + want);
  if (kept != 0) std::memcpy(buffer.data(), rest_.data(), kept);
  auto got = reader_->read(buffer.mutable_view().subspan(kept));
  if (!got) return give_up(std::move(got).error());
  bytes_read_ += *got;
  const std::size_t filled = kept + *got;
  const bool at_end = *got < want || bytes_read_ > most;

  // Cuts are final only where the chunker could look its whole distance ahead.
  std::size_t at = 0;
  while (at < filled && (at_end || filled - at >= lookahead)) {
    const ByteView rest = buffer.view().subspan(at, filled - at);
    const std::size_t length = context.chunker.first_chunk(rest);
    piece.chunks.push_back(
        {context.identifier.identify(format::ObjectKind::kData, {}, rest.first(length)),
         static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(length)});
    at += length;
  }
  rest_ = at_end ? Buffer() : Buffer::copy_of(buffer.view().subspan(at, filled - at));
  piece.bytes = SharedBytes(std::move(buffer));
  if (!at_end) return piece;
  auto now = reader_->changed_since(entry_);
  if (!now) return give_up(std::move(now).error());
  if (entry_.size == kUnknownSize) {
    entry_.size = bytes_read_;
  } else if (*now || bytes_read_ != entry_.size) {
    note_change(entry_, std::move(*now), bytes_read_);
  }
  return end(std::move(piece));
}

}  // namespace holdfast::agent
