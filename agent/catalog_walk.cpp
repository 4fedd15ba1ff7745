// A stack of the nodes between the root and where the walk is. What comes next is taken from what
// arrived; when it has not, the walk waits. Ahead of it, the ids that follow on the stack, and in
// index nodes that arrived already, are asked for as far as memory allows.
#include "agent/catalog_walk.h"

#include <fmt/format.h>

#include <utility>

namespace holdfast::agent {
namespace {

// Leaves are some 10 KiB, with large files in them up to half a mebibyte; a frame holds about 60.
constexpr std::size_t kMostRequested = 128;
constexpr std::size_t kFewRequested = 64;
constexpr std::size_t kMostArrivedBytes = std::size_t{8} << 20;

Error misfit(std::string_view what) {
  return Error(Code::kCorrupt, fmt::format("catalog: {}", what));
}

void decode_leaf_into(WalkedNode& node, const std::vector<CatalogEntry>& entries) {
  if (!entries.empty()) {
    node.first_path = entries.front().entry.path;
    node.last_path = entries.back().entry.path;
  }
  node.entries = entries.size();
  for (const CatalogEntry& entry : entries) {
    if (entry.entry.is_regular()) node.bytes += entry.entry.size;
    if (!entry.content.lists) continue;
    for (const ObjectId& list : entry.content.refs)
      node.lists.push_back({list, entry.entry.path, std::nullopt});
    node.lists.back().size = entry.entry.size;
  }
}

Status decode_index_into(WalkedNode& node) {
  HOLDFAST_ASSIGN(CatalogIndex index, decode_index(node.object.refs, node.object.payload));
  node.level = index.level;
  node.first_path = index.children.front().first_path;
  for (std::size_t i = 0; i < index.children.size(); ++i) {
    const CatalogChild& child = index.children[i];
    node.entries += child.entries;
    node.bytes += child.bytes;
    if (i > 0 && compare_paths(index.children[i - 1].first_path, child.first_path) >= 0)
      return misfit("an index node's children out of order");
  }
  node.children = std::move(index.children);
  return {};
}

Result<WalkedNode> decode(const format::OpenedObject& from, const CatalogWalk::Inspect& inspect) {
  if (from.kind != format::ObjectKind::kList) return misfit("a chunk where a list belongs");
  WalkedNode node;
  node.object.id = from.id;
  node.object.refs = from.refs;
  node.object.payload.assign(from.payload.begin(), from.payload.end());
  HOLDFAST_ASSIGN(node.object.kind, list_kind(from.payload));
  std::vector<CatalogEntry> entries;
  switch (node.object.kind) {
    case ListKind::kLeaf: {
      HOLDFAST_ASSIGN(entries, decode_leaf(from.refs, from.payload));
      decode_leaf_into(node, entries);
      break;
    }
    case ListKind::kIndex:
      HOLDFAST_TRY(decode_index_into(node));
      break;
    case ListKind::kChunkList: {
      HOLDFAST_ASSIGN(const auto lengths, decode_chunk_list(from.refs, from.payload));
      node.entries = lengths.size();
      for (const auto length : lengths) node.bytes += length;
      break;
    }
  }
  if (inspect) inspect(node, entries);
  return node;
}

std::size_t size_of(const ListObject& object) {
  return object.payload.size() + object.refs.size() * ObjectId::kSize;
}

}  // namespace

void CatalogWalk::start(const ObjectId& root, CatalogVisitor& visitor, Inspect inspect,
                        std::function<void()> done) {
  check(visitor_ == nullptr, "a catalog walk started twice");
  root_ = root;
  visitor_ = &visitor;
  inspect_ = std::make_shared<const Inspect>(std::move(inspect));
  done_ = std::move(done);
  request({root});
}

void CatalogWalk::resume() {
  paused_ = false;
  loop_.post([this, alive = alive_] {
    if (*alive) advance();
  });
}

void CatalogWalk::advance() {
  while (!paused_ && !finished_) {
    if (stopped_) return finish();
    if (!open_.empty() && open_.back().next == open_.back().children()) {
      leave();
      continue;
    }
    if (open_.empty()) {
      if (root_entered_) return finish();
      const auto found = arrived_.find(root_);
      if (found == arrived_.end()) return;
      root_entered_ = true;
      Result<WalkedNode> root = std::move(found->second);
      arrived_.erase(found);
      Status good = root ? fits(*root, nullptr, 0) : Status(root.error());
      if (!good) {
        visitor_->lost(root_, "", good.error());
        return finish();
      }
      arrived_bytes_ -= size_of(root->object);
      open_.push_back({std::move(*root), "", 0, 0, false});
      continue;
    }
    if (!enter_child(open_.back())) break;
  }
  if (!finished_ && !paused_) prefetch();
}

// False if the next child has not arrived.
bool CatalogWalk::enter_child(Open& parent) {
  const std::size_t at = parent.next;
  if (!wants_child(parent, at)) {
    pass_unseen(parent);
    return true;
  }
  const bool is_index = parent.node.object.kind == ListKind::kIndex;
  const ObjectId id = is_index ? parent.node.children[at].id : parent.node.lists[at].id;
  const std::string path =
      is_index ? parent.node.children[at].first_path : parent.node.lists[at].path;
  const auto found = arrived_.find(id);
  if (found == arrived_.end()) return false;
  Result<WalkedNode> node = std::move(found->second);
  arrived_.erase(found);
  if (node) arrived_bytes_ -= size_of(node->object);
  const Status good = node ? fits(*node, &parent, at) : Status(node.error());
  if (!good) {
    pass_unseen(parent);
    visitor_->lost(id, path, good.error());
    return true;
  }
  ++parent.next;
  if (node->object.kind == ListKind::kLeaf && node->entries > 0) {
    last_path_ = node->last_path;
    any_leaf_ = true;
  }
  open_.push_back({std::move(*node), is_index ? "" : path, 0, 0, false});
  return true;
}

Status CatalogWalk::fits(const WalkedNode& node, const Open* parent, std::size_t at) {
  if (parent == nullptr) {
    if (node.object.kind == ListKind::kChunkList) return misfit("its root is a list of chunks");
    return {};
  }
  if (parent->node.object.kind == ListKind::kLeaf) {
    if (node.object.kind != ListKind::kChunkList)
      return misfit("a file's content is no list of chunks");
    Open& leaf = open_.back();
    leaf.list_bytes += node.bytes;
    const auto size = parent->node.lists[at].size;
    if (!size) return {};
    const std::uint64_t bytes = std::exchange(leaf.list_bytes, 0);
    if (std::exchange(leaf.list_unseen, false) || bytes == *size) return {};
    return misfit("a file's chunks do not add up to its size");
  }
  const CatalogChild& child = parent->node.children[at];
  if (node.object.kind == ListKind::kChunkList || node.level + 1 != parent->node.level)
    return misfit("a node at another level than its parent says");
  if (node.first_path != child.first_path || node.entries != child.entries ||
      node.bytes != child.bytes)
    return misfit("a node that is not what its parent says");
  if (node.object.kind == ListKind::kLeaf && any_leaf_ &&
      compare_paths(last_path_, node.first_path) >= 0)
    return misfit("leaves out of order");
  return {};
}

void CatalogWalk::pass_unseen(Open& parent) {
  if (parent.node.object.kind == ListKind::kLeaf) {
    parent.list_unseen = !parent.node.lists[parent.next].size;
    if (!parent.list_unseen) parent.list_bytes = 0;
  }
  ++parent.next;
}

void CatalogWalk::leave() {
  Open top = std::move(open_.back());
  open_.pop_back();
  visitor_->visit(std::move(top.node), top.owner);
}

bool CatalogWalk::wants_index_child(const WalkedNode& node, std::size_t at) {
  const std::string* end = nullptr;
  if (at + 1 < node.children.size()) end = &node.children[at + 1].first_path;
  return visitor_->wants(node.children[at], end);
}

bool CatalogWalk::wants_child(const Open& parent, std::size_t at) {
  return parent.node.object.kind == ListKind::kIndex ? wants_index_child(parent.node, at)
                                                     : visitor_->wants(parent.node.lists[at]);
}

// The ids behind `from` that are still to be asked for, depth first.
void CatalogWalk::collect(const WalkedNode& node, std::size_t from, std::vector<ObjectId>& ids) {
  const bool is_index = node.object.kind == ListKind::kIndex;
  const std::size_t count = is_index ? node.children.size() : node.lists.size();
  for (std::size_t at = from; at < count; ++at) {
    if (requested_.size() + ids.size() >= kMostRequested) return;
    if (is_index ? !wants_index_child(node, at) : !visitor_->wants(node.lists[at])) continue;
    const ObjectId& id = is_index ? node.children[at].id : node.lists[at].id;
    if (const auto found = arrived_.find(id); found != arrived_.end()) {
      // Levels go down by one, so this ends; an arrived node of a wrong level has no place.
      if (found->second && found->second->level + 1 == node.level) collect(*found->second, 0, ids);
    } else if (!requested_.contains(id)) {
      ids.push_back(id);
    }
  }
}

void CatalogWalk::prefetch() {
  // What is needed now is asked for in any case; what follows only if there is room.
  std::vector<ObjectId> ids;
  const bool room = requested_.size() <= kFewRequested && arrived_bytes_ < kMostArrivedBytes;
  if (room || requested_.empty())
    for (std::size_t depth = open_.size(); depth-- > 0;)
      collect(open_[depth].node, open_[depth].next, ids);
  if (!room && ids.size() > 1) ids.resize(1);
  if (!ids.empty()) request(std::move(ids));
}

void CatalogWalk::request(std::vector<ObjectId> ids) {
  requested_.insert(ids.begin(), ids.end());
  const auto on_frame = [this, alive = alive_, &loop = loop_, inspect = inspect_](
                            const format::OpenedFrame&,
                            std::span<const format::OpenedObject* const> wanted) {
    auto decoded = std::make_shared<std::vector<std::pair<ObjectId, Result<WalkedNode>>>>();
    for (const format::OpenedObject* object : wanted)
      decoded->emplace_back(object->id, decode(*object, *inspect));
    loop.post([this, alive, decoded] {
      if (!*alive) return;
      for (auto& [id, node] : *decoded) {
        requested_.erase(id);
        if (node) arrived_bytes_ += size_of(node->object);
        arrived_.emplace(id, std::move(node));
      }
      advance();
    });
  };
  fetcher_.fetch(std::move(ids), on_frame, [this, alive = alive_](auto missing) {
    if (!*alive || missing.empty()) return;
    for (auto& [id, reason] : missing) {
      requested_.erase(id);
      arrived_.emplace(id, std::move(reason));
    }
    advance();
  });
}

void CatalogWalk::finish() {
  finished_ = true;
  loop_.post([this, alive = alive_] {
    if (*alive) std::exchange(done_, nullptr)();
  });
}

}  // namespace holdfast::agent
