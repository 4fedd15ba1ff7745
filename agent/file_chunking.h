// Reading and cutting files, on an executor's thread: nothing here touches the loop.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/catalog_node.h"
#include "agent/source_tree.h"
#include "common/content/chunker.h"
#include "common/format/object.h"

namespace holdfast::agent {

// A chunk of a piece, within its buffer.
struct CutChunk {
  ObjectId id;
  std::uint32_t offset = 0, length = 0;
};

// What one worker needs to read and cut; one at a time uses it.
struct CutContext {
  SourceTree& source;
  const content::Chunker& chunker;
  format::ObjectIdentifier& identifier;
};

// A regular file as it was cut: where its chunks begin in the piece's list, and what became of it.
struct CutFile {
  std::size_t first_chunk = 0, chunk_count = 0;
  Entry entry;  // described, with size and times as they are if they changed
  std::optional<Error> problem;
};

// Consecutive whole files in one buffer.
struct CutPiece {
  SharedBytes bytes;
  std::vector<CutChunk> chunks;
  std::vector<CutFile> files;
};

// Reads files whole; their sizes as scanned add up to about a mebibyte. What cannot be read has its
// condition set and a problem; a file that has grown is read as far as it was when it was
// scanned, and marked as changed. Of other entries than regular files only the description is
// filled in.
CutPiece cut_small_files(const CutContext& context, std::vector<Entry> entries);

// A file larger than a piece, read one piece a call by whichever worker is free.
class LargeFile {
 public:
  LargeFile(Entry entry, std::size_t piece_bytes)
      : entry_(std::move(entry)), piece_bytes_(piece_bytes) {}
  struct Piece {
    SharedBytes bytes;
    std::vector<CutChunk> chunks;
    bool last = false;
  };
  // Describes and opens at the first call. An unreadable file ends with `last` and problem().
  Piece next(const CutContext& context);
  // Valid after the last piece.
  Entry& entry() { return entry_; }
  const std::optional<Error>& problem() const { return problem_; }

 private:
  Piece end(Piece piece);
  Entry entry_;
  std::size_t piece_bytes_;
  std::unique_ptr<ContentReader> reader_;
  Buffer rest_;  // read and not cut yet
  bool described_ = false;
  std::optional<Error> problem_;
  std::uint64_t bytes_read_ = 0;
};

}  // namespace holdfast::agent
