// The next version of the charter: made, signed by the owner and given to the nodes.
#pragma once

#include "cli/repository_access.h"

namespace holdfast::cli {

// `change` is made to a copy of the newest charter, with version and time set. Asks for the
// passphrase. The result is signed and checked as a node would, and on no node yet.
Result<format::SignedCharter> next_charter(Workplace& work, RepositoryAccess& access,
                                           const std::function<Status(format::Charter&)>& change);

}  // namespace holdfast::cli
