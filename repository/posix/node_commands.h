// What holdfast-node can be told to do, one function each; docs/operating.md. Each returns the
// process's exit code: 0 done, 1 failed with a line on standard error.
#pragma once

#include <string>

#include "repository/posix/data_folder.h"

namespace holdfast::repository {

constexpr int kExitDone = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

int init_node(const std::string& data, const NodeConfiguration& configuration);
// Returns after SIGTERM or SIGINT. `program`: name and version.
int serve_node(const std::string& data, const std::string& program);
int invite_to_node(const std::string& data);
int reindex_node(const std::string& data);

}  // namespace holdfast::repository
