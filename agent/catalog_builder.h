// From sorted entries to the list objects of a catalog, children before parents, in one pass and
// with memory for one node a level.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "agent/catalog_node.h"

namespace holdfast::agent {

class CatalogBuilder {
 public:
  using Emit = std::function<void(ListObject&&)>;
  // `identifier` and whatever `emit` uses outlive the builder.
  CatalogBuilder(format::ObjectIdentifier& identifier, Emit emit);
  ~CatalogBuilder();

  // In catalog order; a repeated or smaller path is a broken invariant of the caller.
  void add(const CatalogEntry& entry);
  // A list of chunks of a huge file, to be referred to by an entry added later. Returns its id.
  ObjectId add_chunk_list(std::span<const ObjectId> chunks, std::span<const std::uint32_t> lengths);
  // Emits what is left, the root last, and returns it with the totals. Call once.
  CatalogChild finish();

 private:
  struct Leaf;
  struct Level;
  void cut_leaf();
  void add_child(std::size_t level, CatalogChild child);
  void cut_level(std::size_t level);
  ListObject make(ListKind kind, std::vector<ObjectId> refs, Bytes payload);

  format::ObjectIdentifier& identifier_;
  Emit emit_;
  std::unique_ptr<Leaf> leaf_;
  std::vector<Level> levels_;  // levels_[0] is above the leaves
};

}  // namespace holdfast::agent
