// What a node's index holds on disk, where the checksums of its blocks were made good:
//   0  an entry   1  a checkpoint
// What is taken for one is what the node would write for it, so that no other bytes mean the same.
#include <algorithm>

#include "repository/posix/index_values.h"
#include "tests/fuzz/allocation_budget.h"
#include "tests/fuzz/targets.h"

namespace holdfast::fuzz {

void index_values(ByteView input) {
  const Input parts(input);
  const AllocationBudget budget(parts.rest.size(), 0, 0);
  if (parts.mode == 1) {
    const auto checkpoint = repository::decode_checkpoint(parts.rest);
    check(checkpoint.has_value() == (parts.rest.size() == repository::kCheckpointSize),
          "a checkpoint of another size");
    check(!checkpoint || std::ranges::equal(repository::encode_checkpoint(*checkpoint), parts.rest),
          "a checkpoint that comes back otherwise");
    return;
  }
  const auto entry = repository::decode_entry(parts.rest);
  check(!entry || std::ranges::equal(repository::encode_entry(*entry), parts.rest),
        "an entry that comes back otherwise");
  check(!entry || entry->kind == format::ObjectKind::kData ||
            entry->kind == format::ObjectKind::kList,
        "an entry of no kind");
}

}  // namespace holdfast::fuzz
