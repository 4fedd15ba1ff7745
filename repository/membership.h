// A charter as it is asked about with every message: by key and by agent, without a search.
#pragma once

#include <unordered_map>

#include "common/format/charter.h"

namespace holdfast::repository {

class Membership {
 public:
  explicit Membership(format::SignedCharter charter);
  // Its tables point into the charter.
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;

  const format::SignedCharter& signed_charter() const { return charter_; }
  const format::Charter& charter() const { return charter_.charter; }
  // The agent that this key belongs to; null if there is none or it is revoked. The all-zero key
  // belongs to nobody, whatever the charter says.
  const format::CharterAgent* by_key(const CurveKey& key) const;
  // Revoked ones too: what they signed in their time stays theirs.
  const format::CharterAgent* by_id(const AgentId& id) const;
  // The agent, if it may add frames and snapshots now. kPermissionDenied says why not.
  Result<const format::CharterAgent*> author(const AgentId& id) const;

 private:
  struct KeyHash {
    std::size_t operator()(const CurveKey& key) const noexcept;
  };
  const format::SignedCharter charter_;
  std::unordered_map<CurveKey, const format::CharterAgent*, KeyHash> by_key_;
  std::unordered_map<AgentId, const format::CharterAgent*> by_id_;
};

}  // namespace holdfast::repository
