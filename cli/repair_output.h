// What the repair of a node shows while it runs and says in the end.
#pragma once

#include <string>

#include "agent/node_repair.h"
#include "cli/output.h"
#include "cli/progress_display.h"

namespace holdfast::cli {

// `name`: the node's, printable; `snapshots`: how many it lacked.
ProgressDisplay::Picture picture_of(const std::string& name, const agent::RepairReport& so_far,
                                    std::size_t snapshots);
void print_report(Output& output, const std::string& name, const agent::RepairReport& report);

}  // namespace holdfast::cli
