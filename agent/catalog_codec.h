// Encoding of leaves, one entry at a time; used by the builder alone.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>

#include "agent/catalog_node.h"

namespace holdfast::agent {

// A catalog of 2^64 entries has fewer levels.
constexpr std::uint32_t kMaxCatalogLevels = 16;

class LeafEncoder {
 public:
  LeafEncoder();
  ~LeafEncoder();
  void add(const CatalogEntry& entry);
  std::size_t refs() const;
  std::size_t approximate_bytes() const;
  std::size_t path_bytes() const;  // of all paths in full, though they are not written so
  // The refs and the payload; the encoder is empty again.
  std::pair<std::vector<ObjectId>, Bytes> take();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::agent
