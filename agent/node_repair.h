// Brings one node whole from the others: each snapshot that they hold and it does not, content
// first, then the manifest. Nothing is read from any source of files.
//
// From a snapshot's root downwards the node is asked what it lacks, so that what it has, with all
// below it, is never fetched. Frames of data are passed on as their agents signed them. List
// objects go into frames of this run, since a frame that they came in may hold others whose refs
// are nowhere any more. Children are sent before parents.
//
// Memory is bounded by the fetch policy, the node's window and one batch of lists for each level of
// the catalog. A node that restarts or is away for a moment is begun with again.
//
// Loop thread only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "agent/node_feed.h"
#include "agent/object_fetcher.h"
#include "agent/repository_keys.h"
#include "agent/snapshot_list.h"
#include "common/format/frame_sealer.h"
#include "common/format/manifest.h"

namespace holdfast::agent {

struct RepairPolicy {
  FetchPolicy fetch;
  std::uint64_t upload_bytes_per_s = 0;          // of frames; 0: no limit
  Duration patience = std::chrono::seconds(15);  // for the node to come back
  unsigned attempts = 4;                         // how often it may go away
};

struct RepairReport {
  struct Failure {
    ManifestId snapshot;
    Error reason;
  };
  std::vector<ManifestId> completed;
  std::vector<Failure>
      failed;  // some object is on no node that answers, or the manifest is refused
  std::uint64_t sent_bytes = 0;
  std::optional<Error> ended;  // the node or all others went away or refuse: not all was tried
  bool is_whole() const { return failed.empty() && !ended; }
};

// What a node that was reached does not hold whole, the newest last, so that the order in which it
// gets them is that in which they were made.
std::vector<format::SignedManifest> missed_by(const SnapshotList& list, std::size_t node);

// All outlive the repair.
struct RepairPorts {
  EventLoop& loop;
  const Clock& clock;
  Executor& executor;
  Random& random;
};

class NodeRepair {
 public:
  using Done = std::function<void(RepairReport)>;

  // `node` is ready and not among `others`; its on_change is taken over. Links and keys outlive the
  // repair, and it outlives what it gave to the executor, which is drained before it goes.
  NodeRepair(RepairPorts ports, const WriterKeys& writer, std::shared_ptr<const ReaderKeys> reader,
             NodeLink& node, std::vector<NodeLink*> others, RepairPolicy policy = {});
  ~NodeRepair();
  NodeRepair(const NodeRepair&) = delete;
  NodeRepair& operator=(const NodeRepair&) = delete;

  // In this order; their signatures were verified. Once per object; `done` comes from the loop and
  // may destroy the repair.
  void start(std::vector<format::SignedManifest> snapshots, Done done);
  // So far; for whoever shows it.
  const RepairReport& so_far() const { return report_; }

 private:
  struct List {
    ObjectId id;
    std::vector<ObjectId> refs;
    Bytes payload;
  };
  // Objects of one depth that the node lacks, all of them below the same lists of the level above.
  struct Level {
    std::vector<ObjectId> due;
    std::size_t next = 0, batch;
    std::vector<List> lists;      // of the batch in hand; they wait for what is below them
    std::vector<ObjectId> below;  // refs of these
    std::size_t below_asked = 0, lists_sent = 0;
  };
  struct Framing;  // with the executor while it seals

  void begin_attempt();
  void next_snapshot();
  void fetch_batch();
  void take(std::vector<List> lists, SharedBytes frame);
  void gather_below();
  void ask_below();
  void send_lists();
  void leave_level();
  void seal(void (NodeRepair::*then)());
  void settle_when_drained();
  void commit();
  void fail_snapshot(Error reason);
  void feed_changed();
  void wait_for_node();
  void end(std::optional<Error> reason);
  const Error* loss_among(const std::vector<ObjectId>& refs) const;
  const ObjectId& root() const { return snapshots_[at_].manifest.root; }

  const RepairPorts ports_;
  const WriterKeys& writer_;
  const std::shared_ptr<const ReaderKeys> reader_;
  NodeLink& node_;
  const std::vector<NodeLink*> others_;
  const RepairPolicy policy_;
  const format::RunKeys run_;
  format::FrameCounter counter_;
  RateLimit upload_;
  NodeFeed feed_;
  std::unique_ptr<ObjectFetcher> fetcher_;
  std::unique_ptr<Framing> framing_;
  std::vector<format::SignedManifest> snapshots_;
  std::size_t at_ = 0;
  Done done_;
  RepairReport report_;

  std::vector<Level> levels_;                 // from the root's downwards
  std::unordered_set<ObjectId> sent_;         // lists, in this attempt
  std::unordered_map<ObjectId, Error> lost_;  // and why
  bool draining_ = false, waiting_for_node_ = false, ended_ = false;
  unsigned attempts_ = 0;
  std::uint64_t attempt_ = 0;  // what belongs to an earlier one is void
  std::optional<TimerId> timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace holdfast::agent
