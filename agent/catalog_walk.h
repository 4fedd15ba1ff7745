// Visits the list objects of a catalog in the order in which its builder emitted them: the lists of
// chunks of a leaf's files, the leaf, and every index node behind all that is below it. Objects are
// fetched some way ahead; memory is bounded by that and by the height of the tree.
//
// What is visited was decoded and fits its place: its level, its first path, its figures, and the
// order of paths from leaf to leaf. Loop thread only.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "agent/catalog_node.h"
#include "agent/object_fetcher.h"

namespace holdfast::agent {

// A chunk list that a leaf's file refers to.
struct ChunkListUse {
  ObjectId id;
  std::string path;                   // of the file
  std::optional<std::uint64_t> size;  // of the file, with its last list
};

struct WalkedNode {
  ListObject object;
  std::string first_path, last_path;     // of a leaf; of an index node the first alone
  std::uint64_t entries = 0, bytes = 0;  // below; of a chunk list its chunks and their bytes
  std::uint32_t level = 0;               // of an index node, else 0
  std::vector<CatalogChild> children;    // of an index node
  std::vector<ChunkListUse> lists;       // of a leaf
  // What an inspection found.
  struct Mark {
    ObjectId id;
    std::string path;  // of the file; empty in a chunk list, which does not know it
    unsigned kind;     // the inspection's own
  };
  std::vector<Mark> marks;
};

class CatalogVisitor {
 public:
  virtual ~CatalogVisitor() = default;
  // Whether to go below. `end`: no path below it is as great, null if there is none such. May be
  // asked more than once.
  virtual bool wants(const CatalogChild& child, const std::string* end) = 0;
  virtual bool wants(const ChunkListUse& list) = 0;
  // `owner`: of a chunk list, the path of its file.
  virtual void visit(WalkedNode&& node, const std::string& owner) = 0;
  // It cannot be had, or does not fit its place; the walk goes on behind it. `path`: its first, or
  // that of its file.
  virtual void lost(const ObjectId& id, const std::string& path, const Error& error) = 0;
};

class CatalogWalk {
 public:
  // Runs on the executor for each node, several at once, to do there what takes time; `entries`
  // are a leaf's, else empty.
  using Inspect = std::function<void(WalkedNode& node, const std::vector<CatalogEntry>& entries)>;

  CatalogWalk(ObjectFetcher& fetcher, EventLoop& loop) : fetcher_(fetcher), loop_(loop) {}
  ~CatalogWalk() { *alive_ = false; }
  CatalogWalk(const CatalogWalk&) = delete;
  CatalogWalk& operator=(const CatalogWalk&) = delete;

  // Once per object. `visitor` outlives the walk; `done` comes from the loop, never from within a
  // call, and may destroy the walk.
  void start(const ObjectId& root, CatalogVisitor& visitor, Inspect inspect,
             std::function<void()> done);
  // Between these two nothing is visited.
  void pause() { paused_ = true; }
  void resume();
  // Visits nothing any more and is done soon.
  void stop() { stopped_ = true; }

 private:
  // A node some of whose children are to be visited.
  struct Open {
    WalkedNode node;
    std::string owner;
    std::size_t next = 0;
    std::uint64_t list_bytes = 0;  // of the lists of the file in hand
    bool list_unseen = false;      // one of them was lost or not wanted
    std::size_t children() const {
      return node.object.kind == ListKind::kIndex ? node.children.size() : node.lists.size();
    }
  };
  using Decoded = std::unordered_map<ObjectId, Result<WalkedNode>>;

  void advance();
  bool enter_child(Open& parent);
  void pass_unseen(Open& parent);
  void leave();
  bool wants_child(const Open& parent, std::size_t at);
  bool wants_index_child(const WalkedNode& node, std::size_t at);
  Status fits(const WalkedNode& node, const Open* parent, std::size_t at);
  void prefetch();
  void collect(const WalkedNode& node, std::size_t from, std::vector<ObjectId>& ids);
  void request(std::vector<ObjectId> ids);
  void finish();

  ObjectFetcher& fetcher_;
  EventLoop& loop_;
  CatalogVisitor* visitor_ = nullptr;
  std::shared_ptr<const Inspect> inspect_;
  std::function<void()> done_;
  ObjectId root_;
  bool root_entered_ = false, paused_ = false, stopped_ = false, finished_ = false;
  std::vector<Open> open_;
  std::string last_path_;
  bool any_leaf_ = false;
  std::unordered_set<ObjectId> requested_;
  Decoded arrived_;  // not visited yet; errors too
  std::size_t arrived_bytes_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace holdfast::agent
