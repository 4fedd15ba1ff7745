// Brings a snapshot's catalog from the nodes into a local catalog file.
//
// Whole: every list object, children before parents, in the order in which the builder emitted
// them, so that the file can serve as the parent of a backup. Otherwise only the leaves that may
// hold a path at or below `below`, which is what reading entries takes.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/catalog_file.h"
#include "agent/catalog_walk.h"

namespace holdfast::agent {

struct CatalogScope {
  std::string below = {};  // a path as in an Entry; "" is all
  bool whole = false;      // then `below` is not looked at
};

struct FetchedCatalog {
  std::uint64_t entries = 0, bytes = 0;  // of the leaves that were written
  // Subtrees that no node gives, by their first path. Never any in a whole one: that fails.
  struct Lost {
    std::string first_path;
    Error error;
  };
  std::vector<Lost> lost;
};

// Loop thread only; files are written on the executor. One fetch per object.
class CatalogFetch final : private CatalogVisitor {
 public:
  using Done = std::function<void(Result<FetchedCatalog>)>;

  // All outlive the fetch.
  CatalogFetch(ObjectFetcher& fetcher, FileSystem& files, EventLoop& loop, Executor& executor);
  ~CatalogFetch() override;

  // Replaces the file at `path`; what it writes is valid if and only if this succeeds. `done` may
  // destroy the fetch. Fails if the root cannot be had, with a whole catalog if anything cannot,
  // and with what the file system says.
  void start(const ObjectId& root, Bytes signed_manifest, std::string path, CatalogScope scope,
             Done done);

 private:
  bool wants(const CatalogChild& child, const std::string* end) override;
  bool wants(const ChunkListUse&) override { return scope_.whole; }
  void visit(WalkedNode&& node, const std::string& owner) override;
  void lost(const ObjectId& id, const std::string& path, const Error& error) override;
  void write(bool last);

  FileSystem& files_;
  EventLoop& loop_;
  Executor& executor_;
  CatalogWalk walk_;
  ObjectId root_;
  Bytes manifest_;
  std::string path_;
  CatalogScope scope_;
  Done done_;
  FetchedCatalog fetched_;
  std::optional<Error> failure_;
  std::shared_ptr<CatalogFileWriter> writer_;  // with the executor while it writes
  std::vector<ListObject> pending_;
  std::size_t pending_bytes_ = 0;
  bool writing_ = false, walked_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace holdfast::agent
