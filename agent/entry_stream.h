// A scan as the backup pulls it: batches of entries in catalog order.
#pragma once

#include <vector>

#include "agent/source_tree.h"

namespace holdfast::agent {

class EntryStream {
 public:
  virtual ~EntryStream() = default;
  // The next entries, none behind the last. May block: called on an executor's thread, one call at
  // a time.
  virtual Result<std::vector<Entry>> next() = 0;
  // What could not be read since the last call. Beside next() or after it.
  virtual std::vector<ScanProblem> take_problems() = 0;
};

}  // namespace holdfast::agent
