// Whether every snapshot can be restored from every node: each node checks itself, the agent reads
// every catalog, and draws frames to see with its own eyes. What is damaged is traced to the files
// and snapshots that it touches.
//
// Loop thread only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <unordered_set>
#include <vector>

#include "agent/catalog_walk.h"
#include "agent/object_fetcher.h"
#include "agent/verify_options.h"

namespace holdfast::agent {

class VerifySession final : private CatalogVisitor {
 public:
  using Done = std::function<void(VerifyResult)>;

  // All outlive the session.
  VerifySession(std::vector<NodeLink*> links, std::shared_ptr<const ReaderKeys> keys,
                EventLoop& loop, const Clock& clock, Executor& executor, Random& random);
  ~VerifySession() override;

  // `list` is what a SnapshotListing over the same links gave: its signatures are verified, its
  // details open. Once per object; `done` comes from the loop and may destroy the session.
  void start(SnapshotList list, VerifyOptions options, Done done);

  // So far; for whoever shows it.
  const VerifyResult& so_far() const { return result_; }

 private:
  struct Run;
  struct Sample {
    ObjectId id;
    std::size_t snapshot;
    std::string path;
  };
  struct Inspection;

  // Each node by itself.
  void begin_run(std::size_t node);
  void ask_node(std::size_t node);
  void take_step(std::size_t node, Result<NodeLink::Reply> reply);
  void take_findings(std::size_t node, const wire::VerifyReply& step);
  void end_run(std::size_t node, std::optional<Error> failure);
  // The catalogs.
  void walk_next();
  bool wants(const CatalogChild& child, const std::string* end) override;
  bool wants(const ChunkListUse& list) override;
  void visit(WalkedNode&& node, const std::string& owner) override;
  void lost(const ObjectId& id, const std::string& path, const Error& error) override;
  bool is_tainted(const WalkedNode& node) const;
  void trace(const ObjectId& id, const std::string& path, bool is_subtree);
  void draw(const ObjectId& id, const std::string& path);
  // Frames of each node.
  void spot_check();
  void take_spot_checks(std::size_t node, std::vector<ObjectFetcher::Missing> missing);
  void finish();
  void report(std::size_t node, VerifyFinding finding);

  std::vector<NodeLink*> links_;
  std::shared_ptr<const ReaderKeys> keys_;
  EventLoop& loop_;
  const Clock& clock_;
  Executor& executor_;
  Random& random_;
  SnapshotList list_;
  VerifyOptions options_;
  Done done_;
  VerifyResult result_;

  std::vector<Run> runs_;  // one a link
  std::size_t open_runs_ = 0;
  std::shared_ptr<Inspection> inspection_;
  std::map<ObjectId, std::vector<std::size_t>> damaged_;  // and on which nodes
  std::unordered_set<ObjectId> traced_;                   // of the damaged: touch a snapshot
  std::unique_ptr<ObjectFetcher> fetcher_;
  std::unique_ptr<CatalogWalk> walk_;
  std::size_t next_snapshot_ = 0;
  std::unordered_set<std::uint64_t> sound_;  // ids cut short of list objects with nothing wrong
  std::unordered_set<ObjectId> tainted_;
  std::vector<std::map<std::uint64_t, Sample>> samples_;  // per node, by keyed hash
  std::vector<std::unique_ptr<ObjectFetcher>> spot_fetchers_;
  std::size_t open_spot_checks_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace holdfast::agent
