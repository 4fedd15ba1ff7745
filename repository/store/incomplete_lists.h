// Which list objects wait for which objects below them. Holds only what is incomplete, so it is
// empty in a store without damage and its memory is proportional to what is missing.
//
// A list object waits for every one of its refs that is not present: absent, damaged, or itself an
// incomplete list. When the last one arrives it is complete, and arrives for those above it.
#pragma once

#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "common/base/digest.h"

namespace holdfast::repository {

class IncompleteLists {
 public:
  bool empty() const { return missing_.empty(); }
  std::size_t size() const { return missing_.size(); }
  bool contains(const ObjectId& list) const { return missing_.contains(list); }
  void clear();

  // `list` waits for these too.
  void wait(const ObjectId& list, std::span<const ObjectId> for_these);
  // `list` itself was replaced or went away.
  void forget(const ObjectId& list);
  // These are present now. Returns the lists that became complete by it, children before parents.
  std::vector<ObjectId> arrived(std::span<const ObjectId> ids);

 private:
  std::unordered_map<ObjectId, std::unordered_set<ObjectId>> missing_;  // of each list
  // The lists to look at when an id arrives. May name lists that wait no more.
  std::unordered_map<ObjectId, std::vector<ObjectId>> waiting_;
};

}  // namespace holdfast::repository
