#include "repository/snapshot_list.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/planted_bug.h"

namespace holdfast::repository {

Status SnapshotList::check_order(const format::SignedManifest& manifest) const {
  if (HOLDFAST_PLANTED("believe an agent's number")) return {};
  const format::Manifest& body = manifest.manifest;
  const auto agent = by_agent_.find(body.agent);
  if (agent == by_agent_.end()) return {};
  const auto conflict = [&](std::string_view why) {
    return Error(Code::kConflict,
                 fmt::format("manifest {}, number {} of agent {}: {}", manifest.id.short_hex(),
                             body.sequence, body.agent.short_hex(), why));
  };
  if (by_id_.contains(manifest.id)) return {};
  // One of those with this number, unless there is none or one of them passes.
  const auto stranger = [&](std::uint64_t sequence, const auto& passes) -> const Snapshot* {
    const auto [begin, end] = agent->second.equal_range(sequence);
    const bool one_passes =
        std::any_of(begin, end, [&](const auto& entry) { return passes(all_[entry.second]); });
    return begin == end || one_passes ? nullptr : &all_[begin->second];
  };
  if (const auto* same = stranger(body.sequence, [](const Snapshot&) { return false; }))
    return conflict(fmt::format("{} has that number already", same->id.short_hex()));
  if (const auto* before =
          stranger(body.sequence - 1, [&](const Snapshot& one) { return one.id == body.previous; }))
    return conflict(fmt::format("it does not follow {}", before->id.short_hex()));
  // A sequence of 2^64-1 has no next one: the sum is 0, which no manifest has.
  if (const auto* after = stranger(
          body.sequence + 1, [&](const Snapshot& one) { return one.previous == manifest.id; }))
    return conflict(fmt::format("{} does not follow it", after->id.short_hex()));
  return {};
}

void SnapshotList::append(const format::SignedManifest& manifest, UnixTime received) {
  const format::Manifest& body = manifest.manifest;
  const bool is_new = by_id_.emplace(manifest.id, all_.size()).second;
  check(is_new, "a manifest was put on the list twice");
  by_agent_[body.agent].emplace(body.sequence, all_.size());
  all_.push_back({manifest.id, body.agent, body.sequence, body.previous, body.root,
                  body.claimed_time, received});
}

std::optional<std::size_t> SnapshotList::find(const ManifestId& id) const {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return std::nullopt;
  return found->second;
}

const Snapshot* SnapshotList::head(const AgentId& agent) const {
  const auto found = by_agent_.find(agent);
  if (found == by_agent_.end()) return nullptr;
  const Snapshot* head = nullptr;
  for (auto at = found->second.rbegin(); at != found->second.rend(); ++at) {
    const Snapshot& one = all_[at->second];
    if (head != nullptr && one.sequence < head->sequence) break;
    if (is_durable(at->second) && (head == nullptr || one.id < head->id)) head = &one;
  }
  return head;
}

void SnapshotList::set_durable(std::size_t count) {
  check(count >= durable_ && count <= all_.size(), "a durable manifest is lost");
  durable_ = count;
}

void SnapshotList::give_up_the_rest() {
  while (all_.size() > durable_) {
    const Snapshot& last = all_.back();
    by_id_.erase(last.id);
    auto& order = by_agent_[last.agent];
    const auto [begin, end] = order.equal_range(last.sequence);
    order.erase(std::find_if(begin, end,
                             [&](const auto& entry) { return entry.second == all_.size() - 1; }));
    if (order.empty()) by_agent_.erase(last.agent);
    all_.pop_back();
  }
}

}  // namespace holdfast::repository
