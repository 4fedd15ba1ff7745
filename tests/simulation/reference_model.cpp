#include "tests/simulation/reference_model.h"

#include <algorithm>

namespace holdfast::testing {

void Verdict::require(bool holds, const std::string& invariant,
                      const std::function<std::string()>& why) {
  ++checks_[invariant];
  if (!holds) violated(invariant, why());
}

void Verdict::violated(const std::string& invariant, std::string detail) {
  if (!violation_) violation_ = {invariant, std::move(detail)};
}

KnownSnapshot* ReferenceModel::find(const ManifestId& id) {
  const auto found = snapshots_.find(id);
  return found == snapshots_.end() ? nullptr : &found->second;
}

void ReferenceModel::add(format::SignedManifest manifest, std::shared_ptr<const Files> contents) {
  const ManifestId id = manifest.id;
  if (snapshots_
          .try_emplace(id, KnownSnapshot{std::move(manifest), std::move(contents), false, {}, {}})
          .second)
    order_.push_back(id);
}

void ReferenceModel::acknowledge(const ManifestId& id, std::size_t node) {
  KnownSnapshot* snapshot = find(id);
  if (snapshot == nullptr) return;  // a liar's
  snapshot->acks.insert(node);
  claim(id, node);
}

void ReferenceModel::claim(const ManifestId& id, std::size_t node) {
  KnownSnapshot* snapshot = find(id);
  if (snapshot != nullptr && !nodes_[node].doubtful) snapshot->good.insert(node);
}

std::vector<const KnownSnapshot*> ReferenceModel::acknowledged() const {
  std::vector<const KnownSnapshot*> all;
  for (const ManifestId& id : order_)
    if (const KnownSnapshot& snapshot = snapshots_.at(id); snapshot.acknowledged)
      all.push_back(&snapshot);
  return all;
}

void ReferenceModel::learn(const ObjectId& list, std::span<const ObjectId> refs) {
  lists_.try_emplace(list, refs.begin(), refs.end());
}

bool ReferenceModel::may_lose(std::size_t node) const {
  return std::all_of(snapshots_.begin(), snapshots_.end(), [&](const auto& entry) {
    const std::set<std::size_t>& good = entry.second.good;
    return !good.contains(node) || good.size() > 1;
  });
}

bool ReferenceModel::may_doubt(std::size_t node) const {
  const auto doubtful = std::count_if(nodes_.begin(), nodes_.end(),
                                      [](const NodeTruth& truth) { return truth.doubtful; });
  return (nodes_[node].doubtful || doubtful + 1 < write_quorum_) && may_lose(node);
}

void ReferenceModel::lose(std::size_t node) {
  ++nodes_[node].harms;
  ++losses_;
  for (auto& [id, snapshot] : snapshots_) snapshot.good.erase(node);
}

void ReferenceModel::doubt(std::size_t node) {
  lose(node);
  nodes_[node].doubtful = true;
}

void ReferenceModel::trust(std::size_t node) { nodes_[node].doubtful = false; }

void ReferenceModel::scar(std::size_t node) {
  ++nodes_[node].harms;
  nodes_[node].scarred = true;
}

}  // namespace holdfast::testing
