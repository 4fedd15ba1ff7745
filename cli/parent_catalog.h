// The catalog of the newest snapshot of the same sources, brought here from the nodes where this
// machine has none: without it every file would be read again.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/repository_keys.h"
#include "cli/repository_access.h"

namespace holdfast::cli {

// Writes the file at `path` if there is such a snapshot. False if there is none or it could not be
// had, which costs time and nothing else.
bool fetch_parent_catalog(Workplace& work, RepositoryAccess& access,
                          std::shared_ptr<const agent::ReaderKeys> keys, const AgentId& agent,
                          const std::string& host, const std::vector<std::string>& paths,
                          const std::string& path);

}  // namespace holdfast::cli
