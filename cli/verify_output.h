// What a verification shows while it runs and says in the end.
#pragma once

#include "agent/verify_options.h"
#include "cli/output.h"
#include "cli/progress_display.h"

namespace holdfast::cli {

// `snapshots`: how many there are.
ProgressDisplay::Picture picture_of(const agent::VerifyResult& result, std::size_t snapshots);
// A node that cannot be reached is no damage: the command failed to verify it.
int exit_code_of(const agent::VerifyResult& result);
void print_report(Output& output, const agent::VerifyResult& result);

}  // namespace holdfast::cli
