// The options of `holdfast-agent`, which runs a profile's backup unattended, as its units do.
#pragma once

#include <functional>

#include "cli/output.h"

// NOLINTNEXTLINE(readability-identifier-naming): CLI11's
namespace CLI {
class App;
}

namespace holdfast::cli {

// Parses, runs, prints the error if there is one, and returns the process's exit code.
int run_agent_command_line(int argc, char** argv, Output& output, const char* version);

// Calls `visit` with the description of the command line, which is gone afterwards.
void describe_agent_command_line(const std::function<void(const CLI::App&)>& visit);

}  // namespace holdfast::cli
