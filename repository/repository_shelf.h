// Where a node keeps its repositories: one store and its index each.
#pragma once

#include <memory>
#include <vector>

#include "repository/store/object_index.h"
#include "repository/store/store.h"

namespace holdfast::repository {

// A store needs its index as long as it lives: members go in reverse order.
struct OpenedStore {
  std::unique_ptr<ObjectIndex> index;
  std::unique_ptr<Store> store;
};

// Loop thread only. What it opens may be used after it is gone.
class RepositoryShelf {
 public:
  virtual ~RepositoryShelf() = default;
  // Those that were created, in order of id.
  virtual Result<std::vector<RepositoryId>> list() = 0;
  // Opens one that exists. kNoRepository, kConflict (another process has it), and what Store::open
  // says.
  virtual Result<OpenedStore> open(const RepositoryId& id) = 0;
  // Creates an empty store, durably, and opens it. What a crash in an earlier attempt left behind
  // is taken over. kAlreadyExists if list() has it.
  virtual Result<OpenedStore> create(const RepositoryId& id) = 0;
};

}  // namespace holdfast::repository
