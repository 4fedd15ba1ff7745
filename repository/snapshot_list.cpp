#include "repository/snapshot_list.h"

#include <fmt/format.h>

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
  const std::map<std::uint64_t, std::size_t>& order = agent->second;
  const auto at = [&](std::uint64_t sequence) -> const Snapshot* {
    const auto found = order.find(sequence);
    return found == order.end() ? nullptr : &all_[found->second];
  };
  if (const Snapshot* same = at(body.sequence); same != nullptr && same->id != manifest.id)
    return conflict(fmt::format("{} has that number already", same->id.short_hex()));
  if (const Snapshot* before = at(body.sequence - 1);
      before != nullptr && before->id != body.previous)
    return conflict(fmt::format("it does not follow {}", before->id.short_hex()));
  // A sequence of 2^64-1 has no next one: the sum is 0, which no manifest has.
  if (const Snapshot* after = at(body.sequence + 1);
      after != nullptr && after->previous != manifest.id)
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
  for (auto at = found->second.rbegin(); at != found->second.rend(); ++at)
    if (is_durable(at->second)) return &all_[at->second];
  return nullptr;
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
    // Of two with one number only the first is in the order.
    if (const auto at = order.find(last.sequence);
        at != order.end() && at->second == all_.size() - 1)
      order.erase(at);
    if (order.empty()) by_agent_.erase(last.agent);
    all_.pop_back();
  }
}

}  // namespace holdfast::repository
