#include "repository/membership.h"

#include <fmt/format.h>

namespace holdfast::repository {

Membership::Membership(format::SignedCharter charter) : charter_(std::move(charter)) {
  for (const format::CharterAgent& agent : charter_.charter.agents) {
    by_id_.emplace(agent.id, &agent);
    if (!agent.revoked && agent.curve_key != CurveKey{}) by_key_.emplace(agent.curve_key, &agent);
  }
}

std::size_t Membership::KeyHash::operator()(const CurveKey& key) const noexcept {
  std::size_t value;  // only agents of a signed charter are in the table: no flooding by strangers
  std::memcpy(&value, key.data(), sizeof value);
  return value;
}

const format::CharterAgent* Membership::by_key(const CurveKey& key) const {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? nullptr : found->second;
}

const format::CharterAgent* Membership::by_id(const AgentId& id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

Result<const format::CharterAgent*> Membership::author(const AgentId& id) const {
  const format::CharterAgent* agent = by_id(id);
  if (agent == nullptr)
    return Error(Code::kPermissionDenied,
                 fmt::format("agent {} is not in charter {}", id.short_hex(), charter().version));
  if (agent->revoked)
    return Error(Code::kPermissionDenied, fmt::format("agent {} is revoked", id.short_hex()));
  if ((agent->roles & format::kAppend) == 0)
    return Error(Code::kPermissionDenied,
                 fmt::format("agent {} may not add snapshots", id.short_hex()));
  return agent;
}

}  // namespace holdfast::repository
