// Who sends a request, and what the newest charter lets that key do. Made anew for every message
// and never kept: a role that was taken away is gone with the next message.
#pragma once

#include <optional>

#include "common/format/charter.h"
#include "repository/invitations.h"

namespace holdfast::repository {

constexpr std::uint32_t kAllRoles = format::kAppend | format::kRead | format::kAdmin;

struct Asker {
  Peer peer;
  bool embedder = false;                        // the process that this node runs in: all roles
  const format::CharterAgent* agent = nullptr;  // enrolled and not revoked
  std::optional<Invitation> invitation;         // looked up only for who is not enrolled
  std::uint32_t roles = 0;

  bool enrolled() const { return embedder || agent != nullptr; }
  bool has(std::uint32_t any_of) const { return (roles & any_of) != 0; }
  // Whose frames and manifests it may hand in: everybody's for a reader, who also repairs; its own
  // for who can only append.
  bool may_bring_from(const AgentId& author) const {
    return has(format::kRead) || (agent != nullptr && agent->id == author);
  }
};

}  // namespace holdfast::repository
