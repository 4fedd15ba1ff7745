// A node ends behind an item whose hash has its low bits zero, once the node has a least number of
// items, and at the latest when it is full. Each rule looks only at the items since the last cut,
// and cuts are frequent, so two catalogs that differ in one place have all other nodes in common.
#include "agent/catalog_builder.h"

#include "agent/catalog_codec.h"
#include "common/content/checksum.h"

namespace holdfast::agent {
namespace {

struct CutRule {
  std::uint64_t mask;  // one item in mask + 1 ends a node
  std::size_t least, most;
  bool cuts(std::uint64_t hash, std::size_t items) const {
    return items >= most || (items >= least && (hash & mask) == 0);
  }
};

// About 20 KiB of leaf for 256 files: small enough to fetch for one file, large enough that a tree
// of ten million files has 40,000.
constexpr CutRule kLeafRule{127, 64, 1024};
constexpr CutRule kIndexRule{63, 32, 512};
constexpr std::size_t kMaxLeafBytes = 256 << 10;
constexpr std::size_t kMaxLeafRefs = 8192;
// A reader takes four times as much. Reached by paths of 4 KiB and more on the average.
constexpr std::size_t kMaxLeafPathBytes = std::size_t{4} << 20;

}  // namespace

struct CatalogBuilder::Leaf {
  LeafEncoder encoder;
  std::string first_path;
  std::uint64_t entries = 0, bytes = 0;
};

struct CatalogBuilder::Level {
  std::vector<CatalogChild> children;
  bool cut_before = false;  // a node of this level was emitted already
};

CatalogBuilder::CatalogBuilder(format::ObjectIdentifier& identifier, Emit emit)
    : identifier_(identifier), emit_(std::move(emit)), leaf_(std::make_unique<Leaf>()) {}

CatalogBuilder::~CatalogBuilder() = default;

ListObject CatalogBuilder::make(ListKind kind, std::vector<ObjectId> refs, Bytes payload) {
  const ObjectId id = identifier_.identify(format::ObjectKind::kList, refs, payload);
  return {id, kind, std::move(refs), std::move(payload)};
}

void CatalogBuilder::add(const CatalogEntry& entry) {
  if (leaf_->entries == 0) leaf_->first_path = entry.entry.path;
  leaf_->encoder.add(entry);
  ++leaf_->entries;
  if (entry.entry.is_regular()) leaf_->bytes += entry.entry.size;
  const std::uint64_t hash = content::checksum64(as_bytes(entry.entry.path));
  if (kLeafRule.cuts(hash, leaf_->entries) || leaf_->encoder.approximate_bytes() >= kMaxLeafBytes ||
      leaf_->encoder.refs() >= kMaxLeafRefs || leaf_->encoder.path_bytes() >= kMaxLeafPathBytes)
    cut_leaf();
}

ObjectId CatalogBuilder::add_chunk_list(std::span<const ObjectId> chunks,
                                        std::span<const std::uint32_t> lengths) {
  check(chunks.size() == lengths.size(), "a chunk list with as many lengths as chunks");
  ListObject list =
      make(ListKind::kChunkList, {chunks.begin(), chunks.end()}, encode_chunk_list(lengths));
  const ObjectId id = list.id;
  emit_(std::move(list));
  return id;
}

void CatalogBuilder::cut_leaf() {
  auto [refs, payload] = leaf_->encoder.take();
  ListObject object = make(ListKind::kLeaf, std::move(refs), std::move(payload));
  CatalogChild child{object.id, std::move(leaf_->first_path), leaf_->entries, leaf_->bytes};
  leaf_->first_path.clear();
  leaf_->entries = leaf_->bytes = 0;
  emit_(std::move(object));
  add_child(0, std::move(child));
}

void CatalogBuilder::add_child(std::size_t level, CatalogChild child) {
  if (levels_.size() <= level) levels_.resize(level + 1);
  const std::uint64_t hash = content::checksum64(as_bytes(child.first_path)) >> (8 + 4 * level);
  levels_[level].children.push_back(std::move(child));
  if (kIndexRule.cuts(hash, levels_[level].children.size())) cut_level(level);
}

void CatalogBuilder::cut_level(std::size_t level) {
  CatalogIndex index{static_cast<std::uint32_t>(level + 1), std::move(levels_[level].children)};
  levels_[level].children.clear();
  levels_[level].cut_before = true;
  CatalogChild parent{{}, index.children.front().first_path, 0, 0};
  std::vector<ObjectId> refs;
  refs.reserve(index.children.size());
  for (const CatalogChild& child : index.children) {
    refs.push_back(child.id);
    parent.entries += child.entries;
    parent.bytes += child.bytes;
  }
  ListObject object = make(ListKind::kIndex, std::move(refs), encode_index(index));
  parent.id = object.id;
  emit_(std::move(object));
  add_child(level + 1, std::move(parent));
}

CatalogChild CatalogBuilder::finish() {
  if (leaf_->entries > 0 || levels_.empty()) cut_leaf();
  // Closes level after level. The root is the first node that is alone on its level; what stands
  // above it, if a cut fell just behind it, is never needed: a single child is its own parent.
  for (std::size_t level = 0;; ++level) {
    Level& here = levels_[level];
    if (!here.cut_before && here.children.size() == 1) return std::move(here.children.front());
    if (!here.children.empty()) cut_level(level);
  }
}

}  // namespace holdfast::agent
