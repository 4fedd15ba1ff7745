#include "repository/store/incomplete_lists.h"

#include "common/base/planted_bug.h"

namespace holdfast::repository {

void IncompleteLists::clear() {
  missing_.clear();
  waiting_.clear();
}

void IncompleteLists::wait(const ObjectId& list, std::span<const ObjectId> for_these) {
  auto& missing = missing_[list];
  for (const ObjectId& id : for_these)
    if (missing.insert(id).second) waiting_[id].push_back(list);
}

void IncompleteLists::forget(const ObjectId& list) { missing_.erase(list); }

std::vector<ObjectId> IncompleteLists::arrived(std::span<const ObjectId> ids) {
  std::vector<ObjectId> complete;
  std::vector<ObjectId> present(ids.begin(), ids.end());
  for (std::size_t i = 0; i < present.size(); ++i) {
    const auto waiting = waiting_.find(present[i]);
    if (waiting == waiting_.end()) continue;
    const std::vector<ObjectId> lists = std::move(waiting->second);
    waiting_.erase(waiting);
    for (const ObjectId& list : lists) {
      const auto found = missing_.find(list);
      if (found == missing_.end()) continue;
      found->second.erase(present[i]);
      if (!found->second.empty() && !HOLDFAST_PLANTED("call a list complete at the first arrival"))
        continue;
      missing_.erase(found);
      complete.push_back(list);
      present.push_back(list);
    }
  }
  if (missing_.empty()) waiting_.clear();
  return complete;
}

}  // namespace holdfast::repository
