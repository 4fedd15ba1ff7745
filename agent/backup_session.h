// One backup: scan, compare, read, and one stream to each node; then a manifest that W of them
// accept.
//
// Order of events
//   1. Links are decided: ready or down. Fewer than W ready: failure, nothing was sent.
//   2. The nodes that hold the snapshot before (the parent), and all when there is none, take part
//   in
//      the main pass; the others lag.
//   3. The main pass. Entries keep their order in a bounded window while their contents are read;
//   list
//      objects follow the chunks they refer to.
//   4. Nodes of the main pass make all of it durable (prepare).
//   5. Nodes that lag and can be reached are caught up from the local catalog and prepare, too.
//   Once W
//      are prepared, the manifest is committed on these and then on each that follows.
//   6. Snapshots of this agent that a node missed, and that it now could restore, are committed
//   there.
//
// Loop thread only.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/catalog_builder.h"
#include "agent/catalog_file.h"
#include "agent/catch_up.h"
#include "agent/change_detector.h"
#include "agent/content_pipeline.h"
#include "agent/node_feed.h"
#include "agent/repository_keys.h"
#include "common/format/manifest.h"

namespace holdfast::agent {

struct BackupRequest {
  std::string host, user;
  std::vector<std::string> paths;  // absolute, for the record
  std::vector<std::string> tags;
  std::uint32_t write_quorum = 1;
  std::uint64_t charter_version = 0;
  std::uint64_t upload_bytes_per_s = 0;  // of frames, to all nodes together; 0: no limit
  std::string catalog_path;  // the local catalog: the parent's if it exists, then this snapshot's
  // The source gives its content only once, so that nobody can be caught up from it: nodes that
  // lack the parent take part in the main pass, at the price of a question about every chunk.
  bool reads_once = false;
  Duration grace = std::chrono::seconds(1);     // for the nodes that are not ready when W are
  Duration patience = std::chrono::seconds(2);  // that the others wait for one that does not move
  Duration rejoin =
      std::chrono::seconds(3);  // for a node that went away, before going on without it
};

struct BackupProgress {
  std::uint64_t entries = 0, files = 0, bytes = 0;  // done
  std::uint64_t bytes_stored = 0;
  bool scanned = false;                              // all entries are known
  std::uint64_t total_entries = 0, total_bytes = 0;  // so far
  struct Node {
    std::string name;
    std::string
        state;  // "connecting", "active", "catching up", "committed", "behind: why", "failed: why"
    std::uint64_t pending_bytes = 0;
  };
  std::vector<Node> nodes;
};

struct BackupReport {
  struct Node {
    std::string name;
    bool committed = false;
    bool caught_up = false;
    std::optional<Error> error;
    std::uint64_t sent_bytes = 0;  // of frames that it acknowledged
  };
  // Of regular files: as the snapshot has them, and what was read of them.
  struct Bytes {
    std::uint64_t is_new = 0, changed = 0, unmodified = 0, read = 0;
  };
  std::optional<format::SignedManifest> manifest;  // absent: nothing was committed
  format::SnapshotDetail detail;
  Bytes bytes;
  bool had_parent = false;
  std::vector<Node> nodes;
  std::size_t committed = 0;
  std::uint64_t relayed = 0;          // earlier snapshots completed on nodes that had missed them
  std::vector<ScanProblem> problems;  // the first thousand
  std::uint64_t problem_count = 0;
};

// All outlive the session.
struct BackupPorts {
  EventLoop& loop;
  Executor& executor;
  const Clock& clock;
  Random& random;
  FileSystem& files;
};

class BackupSession {
 public:
  using Done = std::function<void(Result<BackupReport>)>;

  // References outlive the session, and it outlives what it gave to the executor, which is drained
  // before it goes. `links` are started, or will be, by the caller, and their
  // on_change is taken over. `done` is called once from the loop: a report whenever the manifest
  // was accepted by at least W nodes, else an error that names each node's reason.
  BackupSession(BackupPorts ports, SourceTree& source, EntryStream& scan, const WriterKeys& keys,
                std::vector<NodeLink*> links, BackupRequest request, Done done);
  ~BackupSession();
  void start();
  // Ends as soon as possible with kInterrupted; what was sent stays and is found by the next run.
  void interrupt();
  BackupProgress progress() const;

 private:
  enum class Phase { kConnecting, kChoosing, kScanning, kFinishing, kEnded };
  struct NodeState;
  struct Slot {
    CatalogEntry entry;
    bool done = false;
  };

  void advance();
  void choose_parent();
  void begin_main_pass();
  void pull();
  void take(std::vector<PlannedEntry> planned);
  void take_outcome(std::uint64_t index, ContentPipeline::FileOutcome&& outcome);
  void drain_slots();
  void count(const CatalogEntry& entry);
  void emit(ListObject&& list);
  void finish_catalog();
  struct Head {
    std::uint64_t sequence;
    ManifestId id;
  };
  // nullopt unless this agent signed it.
  std::optional<Head> proven_head(const wire::HeadReply& reply) const;
  void sign(std::uint64_t sequence, std::optional<ManifestId> previous);
  void prepare_ready();
  void prepare(NodeState& node);
  void catch_up_next();
  void commit_prepared();
  void commit(NodeState& node);
  void rebase();
  void bring_parent();
  void relay_missed();
  void watch_stall();
  void conclude();
  void end(Result<BackupReport> result);
  void note(ScanProblem problem);
  std::size_t prepared_or_committed() const;
  Error quorum_error() const;

  EventLoop& loop_;
  Executor& executor_;
  const Clock& clock_;
  FileSystem& files_;
  SourceTree& source_;
  EntryStream& scan_;
  const WriterKeys& keys_;
  BackupRequest request_;
  Done done_;

  format::RunKeys run_;
  format::FrameCounter counter_;
  format::ObjectIdentifier identifier_;
  RateLimit upload_;
  std::vector<std::unique_ptr<NodeState>> nodes_;
  Phase phase_ = Phase::kConnecting;
  bool interrupted_ = false;

  std::optional<CatalogFileReader> parent_, own_catalog_, missed_catalog_;
  std::optional<format::SignedManifest> parent_manifest_;
  std::unique_ptr<ChangeDetector> detector_;
  std::unique_ptr<ContentPipeline> pipeline_;
  std::unique_ptr<CatalogBuilder> builder_;
  std::optional<CatalogFileWriter> catalog_writer_;
  std::unique_ptr<CatchUp> catch_up_;
  NodeState* catching_up_ = nullptr;

  std::deque<Slot> slots_;
  std::uint64_t first_slot_ = 0;
  bool pulling_ = false, scan_ended_ = false;
  std::optional<Error> fatal_;
  std::optional<ObjectId> root_;
  UnixTime began_;
  Instant started_, finishing_since_;
  format::SnapshotDetail detail_;
  std::optional<format::SignedManifest> manifest_;
  unsigned rebases_ = 0;
  BackupReport report_;
  std::uint64_t seen_entries_ = 0, seen_bytes_ = 0, done_entries_ = 0;
  std::uint64_t open_calls_ = 0;
  bool relayed_ = false;
  std::optional<TimerId> timer_;
  bool advancing_ = false, advance_again_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace holdfast::agent
