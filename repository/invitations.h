// One-time permissions to bring a repository to this node. An operator hands one out; who holds its
// key may create one repository, and repeat that until the invitation expires.
#pragma once

#include <optional>

#include "common/base/digest.h"
#include "common/base/result.h"
#include "common/ports/transport.h"

namespace holdfast::repository {

struct Invitation {
  std::optional<RepositoryId> used_for;  // absent: not used yet
};

// Loop thread only.
class Invitations {
 public:
  virtual ~Invitations() = default;
  // The unexpired invitation of this key; nullopt if there is none, an error if it cannot be read.
  virtual Result<std::optional<Invitation>> find(const CurveKey& key) = 0;
  // Binds an invitation to a repository, durably, before that is created: a crash in between leaves
  // an invitation that is good for this repository alone. Binding again to the same one does
  // nothing. kNotFound, kConflict (it is bound to another), kIo, kNoSpace.
  virtual Status bind(const CurveKey& key, const RepositoryId& repository) = 0;
};

}  // namespace holdfast::repository
