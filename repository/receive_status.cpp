// Status: what an operator and `holdfast status` want to know of a repository on this node.
#include <algorithm>

#include "repository/hosted_repository.h"

namespace holdfast::repository {
namespace {

// Counting complete snapshots costs a look-up each. Up to so many are counted every time, more at
// most once a second.
constexpr std::size_t kCountedAtOnce = 1'024;

}  // namespace

void HostedRepository::receive_status(wire::StatusReply status, const Answer& answer) {
  const std::span<const Snapshot> snapshots = snapshots_.durable();
  const Instant now = ports_.clock.now();
  const bool counted_lately = complete_count_ && snapshots.size() > kCountedAtOnce &&
                              complete_count_->of == snapshots.size() &&
                              now - complete_count_->at < std::chrono::seconds(1);
  if (!counted_lately) {
    const auto present = roots_present(snapshots);
    if (!present) return answer.fail(present.error());
    const auto complete = std::count(present->begin(), present->end(), true);
    complete_count_ = {snapshots.size(), static_cast<std::uint64_t>(complete), now};
  }
  const StoreStatistics statistics = store().statistics();
  status.set_segments(statistics.segments);
  status.set_stored_bytes(statistics.stored_bytes);
  status.set_objects(statistics.objects);
  status.set_damaged_objects(statistics.damaged_objects);
  status.set_free_bytes(statistics.free_bytes);
  status.set_read_only(statistics.read_only);
  status.set_read_only_reason(statistics.read_only_reason);
  status.set_snapshots(snapshots.size());
  status.set_complete_snapshots(complete_count_->complete);
  status.set_charter_version(charter_version());
  wire::ReplyProto reply;
  *reply.mutable_status() = std::move(status);
  answer.succeed(std::move(reply));
}

}  // namespace holdfast::repository
