// One repository on one node: what it answers to requests that Node has let through. There is one
// file for each family of messages, receive_*.cpp; docs/protocol.md says what each promises.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/ports/executor.h"
#include "repository/answer.h"
#include "repository/asker.h"
#include "repository/event_log.h"
#include "repository/group_commit.h"
#include "repository/membership.h"
#include "repository/node_figures.h"
#include "repository/repository_shelf.h"
#include "repository/snapshot_list.h"
#include "repository/verification_runs.h"

namespace holdfast::repository {

struct RepositoryLimits {
  // More appended bytes than this are not left without a sync.
  std::uint64_t unsynced_bytes = std::uint64_t{64} << 20;
  // How often a node without room tries to write again, by itself and when asked to write.
  Duration recovery_interval = std::chrono::seconds(5);
  Duration recovery_interval_when_asked = std::chrono::seconds(1);
};

// What of the node a repository uses; all of it outlives it.
struct RepositoryPorts {
  EventLoop& loop;
  Executor& executor;
  const Clock& clock;
  EventLog& log;
  RepositoryLimits limits;
  std::function<void()> acknowledged_bytes_lost;  // a sync failed
};

// Loop thread only. Must not be destroyed while the executor still has work of it.
class HostedRepository {
 public:
  // Reads charter and manifests. kCorrupt, kForged, kUnsupportedVersion: the charter on disk is
  // not one; without any charter the repository waits for its first.
  static Result<std::unique_ptr<HostedRepository>> load(const RepositoryId& id, OpenedStore opened,
                                                        RepositoryPorts ports);
  ~HostedRepository();

  // The newest durable charter; null before the first.
  const Membership* membership() const { return membership_.get(); }
  std::uint64_t charter_version() const { return membership_ ? membership_->charter().version : 0; }
  StoreStatistics statistics() { return store().statistics(); }
  RepositoryFigures figures();

  // receive_put_frame.cpp
  void receive_present(const wire::PresentRequest&, const Answer&);
  void receive_put_frame(const Asker&, const SharedBytes& frame, const Answer&);
  // receive_commit.cpp
  void receive_prepare(const wire::PrepareRequest&, const Answer&);
  void receive_commit(const Asker&, const wire::CommitRequest&, const Answer&);
  void receive_head(const Asker&, const wire::HeadRequest&, const Answer&);
  void receive_list_manifests(const Asker&, const wire::ListManifestsRequest&, const Answer&);
  // receive_charter.cpp
  void receive_get_charter(const Asker&, const Answer&);
  void receive_put_charter(const Asker&, const wire::PutCharterRequest&, const Answer&);
  // receive_read.cpp
  void receive_locate(const wire::LocateRequest&, const Answer&);
  void receive_get_frame(const wire::GetFrameRequest&, const Answer&);
  void receive_report_damage(const wire::ReportDamageRequest&, const Answer&);
  // receive_verify.cpp
  void receive_verify(const Asker&, const wire::VerifyRequest&, const Answer&);
  // receive_status.cpp; the node itself adds what it knows of itself.
  void receive_status(wire::StatusReply reply, const Answer&);

  void forget(const Peer& peer) { commits_.forget(peer.connection); }
  // Makes durable what is not, then calls `done`, never from inside this call.
  void sync(GroupCommit::Done done);

 private:
  HostedRepository(const RepositoryId& id, OpenedStore opened, RepositoryPorts ports);
  Store& store() { return *opened_.store; }
  Status load_charter();
  Status check_signature(const format::SignedManifest& manifest) const;
  void load_manifests();

  // What a request to write begins with: a node that was out of room may have some again.
  void try_to_write_again();
  // What a write that failed ends with.
  void watch_read_only();
  void on_recovery_timer();
  bool recovers_writes();
  void sync_begun();
  void sync_finished(const Status& result);
  void note(Severity severity, std::string_view kind, std::string_view line,
            const std::optional<AgentId>& agent = {});

  Status accept_frame(const Asker& asker, const format::ParsedFrame& frame) const;
  Result<format::SignedManifest> accept_manifest(const Asker& asker,
                                                 const wire::CommitRequest& request) const;
  Status check_next_charter(const Asker& asker, const format::SignedCharter& next) const;
  // kMissingObjects if it is not there with all below it.
  Status require_present(const ObjectId& root);
  Result<std::vector<bool>> roots_present(std::span<const Snapshot> snapshots);
  Result<std::uint64_t> complete_snapshots();
  void answer_when_durable(const Answer& answer, wire::ReplyProto reply);
  Store::AgentKeys agent_keys() const;

  const RepositoryId id_;
  const RepositoryPorts ports_;
  OpenedStore opened_;
  std::unique_ptr<Membership> membership_;
  std::optional<format::SignedCharter> pending_charter_;  // appended, not yet durable
  SnapshotList snapshots_;
  GroupCommit commits_;
  VerificationRuns verifications_;
  RepositoryCounters counters_;

  struct Covered {  // by the sync that runs
    std::size_t snapshots = 0;
    bool charter = false;
  };
  Covered covered_;
  TimerId recovery_timer_ = 0;
  bool recovery_timer_runs_ = false;
  Instant recovery_tried_at_;
  struct CompleteCount {
    std::size_t of = 0;
    std::uint64_t complete = 0;
    Instant at;
  };
  std::optional<CompleteCount> complete_count_;
};

}  // namespace holdfast::repository
