// The list objects that a snapshot is made of, and their encoding (common/format/catalog.proto).
//
// A catalog is a sorted sequence of entries cut into leaves, with index nodes above. Where a cut
// falls depends on the entries alone (a probabilistic B-tree), so that the same tree gives the same
// objects whatever way it was reached, and a changed file changes one leaf and the nodes above it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/entry.h"
#include "common/base/digest.h"
#include "common/base/result.h"
#include "common/format/object.h"

namespace holdfast::agent {

// The first byte of a list object's payload.
enum class ListKind : std::uint8_t { kLeaf = 1, kIndex = 2, kChunkList = 3 };

// What a regular file holds: its chunks in order; of a huge file lists of chunks.
struct Content {
  std::vector<ObjectId> refs;
  std::vector<std::uint32_t> lengths;  // of the chunks, where refs are more than one and are chunks
  bool lists = false;                  // refs are chunk lists, at least one
  friend bool operator==(const Content&, const Content&) = default;
};

struct CatalogEntry {
  Entry entry;
  Content content;
  friend bool operator==(const CatalogEntry&, const CatalogEntry&) = default;
};

// A list object before or after it is in a frame.
struct ListObject {
  ObjectId id;
  ListKind kind = ListKind::kLeaf;
  std::vector<ObjectId> refs;
  Bytes payload;
  friend bool operator==(const ListObject&, const ListObject&) = default;
};

struct CatalogChild {
  ObjectId id;
  std::string first_path;
  std::uint64_t entries = 0;  // below it
  std::uint64_t bytes = 0;    // of the files below it
  friend bool operator==(const CatalogChild&, const CatalogChild&) = default;
};

struct CatalogIndex {
  std::uint32_t level = 1;
  std::vector<CatalogChild> children;
};

// Above so many chunks the ids of a file become list objects of their own.
constexpr std::size_t kMaxInlineChunks = 1024;
constexpr std::size_t kChunksPerList = 1024;

// kCorrupt for an empty payload or an unknown kind.
Result<ListKind> list_kind(ByteView payload);
// kCorrupt for anything malformed: entries out of order, paths that no scan gives (empty
// components,
// "." or "..", NUL), refs out of range.
Result<std::vector<CatalogEntry>> decode_leaf(std::span<const ObjectId> refs, ByteView payload);
Result<CatalogIndex> decode_index(std::span<const ObjectId> refs, ByteView payload);
// The lengths of the chunks that a chunk list refers to, one a ref.
Result<std::vector<std::uint32_t>> decode_chunk_list(std::span<const ObjectId> refs,
                                                     ByteView payload);

Bytes encode_index(const CatalogIndex& index);
Bytes encode_chunk_list(std::span<const std::uint32_t> lengths);

// Whether a path may stand in a catalog.
bool is_valid_path(std::string_view path);

}  // namespace holdfast::agent
