// What an operator wants to know of a repository on this node: Status, and figures for metrics.
#include <algorithm>

#include "repository/hosted_repository.h"

namespace holdfast::repository {
namespace {

// Counting complete snapshots costs a look-up each. Up to so many are counted every time, more at
// most once a second.
constexpr std::size_t kCountedAtOnce = 1'024;

}  // namespace

Result<std::uint64_t> HostedRepository::complete_snapshots() {
  const std::span<const Snapshot> snapshots = snapshots_.durable();
  const Instant now = ports_.clock.now();
  const bool counted_lately = complete_count_ && snapshots.size() > kCountedAtOnce &&
                              complete_count_->of == snapshots.size() &&
                              now - complete_count_->at < std::chrono::seconds(1);
  if (!counted_lately) {
    HOLDFAST_ASSIGN(const std::vector<bool> present, roots_present(snapshots));
    const auto complete = std::count(present.begin(), present.end(), true);
    complete_count_ = {snapshots.size(), static_cast<std::uint64_t>(complete), now};
  }
  return complete_count_->complete;
}

void HostedRepository::receive_status(wire::StatusReply status, const Answer& answer) {
  const auto complete = complete_snapshots();
  if (!complete) return answer.fail(complete.error());
  const StoreStatistics statistics = store().statistics();
  status.set_segments(statistics.segments);
  status.set_stored_bytes(statistics.stored_bytes);
  status.set_objects(statistics.objects);
  status.set_damaged_objects(statistics.damaged_objects);
  status.set_free_bytes(statistics.free_bytes);
  status.set_read_only(statistics.read_only);
  status.set_read_only_reason(statistics.read_only_reason);
  status.set_snapshots(snapshots_.durable().size());
  status.set_complete_snapshots(*complete);
  status.set_charter_version(charter_version());
  wire::ReplyProto reply;
  *reply.mutable_status() = std::move(status);
  answer.succeed(std::move(reply));
}

RepositoryFigures HostedRepository::figures() {
  RepositoryFigures figures;
  figures.id = id_;
  figures.charter_version = charter_version();
  figures.store = store().statistics();
  figures.snapshots = snapshots_.durable().size();
  if (const auto complete = complete_snapshots()) figures.complete_snapshots = *complete;
  figures.counters = counters_;
  figures.counters.damage += verifications_.damage_found();
  figures.sync_seconds = commits_.sync_seconds();
  figures.failed_syncs = commits_.failed_syncs();
  // A clock that ran ahead then would keep the alert about this silent for as long.
  const auto verified_at = store().fully_verified_at();
  if (verified_at && *verified_at <= ports_.clock.wall()) figures.verified_at = verified_at;
  if (membership_ == nullptr) return figures;
  for (const format::CharterAgent& agent : membership_->charter().agents) {
    if (agent.revoked || (agent.roles & format::kAppend) == 0) continue;
    AgentFigures& added = figures.agents.emplace_back();
    added.id = agent.id;
    added.name = agent.name;
    const Snapshot* newest = snapshots_.head(agent.id);
    if (newest == nullptr) continue;
    added.newest_sequence = newest->sequence;
    added.newest_claimed = newest->claimed;
    added.newest_received = newest->received;
  }
  return figures;
}

}  // namespace holdfast::repository
