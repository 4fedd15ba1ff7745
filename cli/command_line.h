// The options of `holdfast`, and which command they ask for.
#pragma once

#include <functional>

#include "cli/commands.h"

// NOLINTNEXTLINE(readability-identifier-naming): CLI11's
namespace CLI {
class App;
}

namespace holdfast::cli {

// Parses, runs, prints the error if there is one, and returns the process's exit code.
int run_command_line(int argc, char** argv, Output& output, const char* version);

// Calls `visit` with the description of the command line, which is gone afterwards.
void describe_command_line(const std::function<void(const CLI::App&)>& visit);

// Runs one command and prints what it returns as an error.
int run_command(Session& session, const std::function<Result<int>(Session&)>& command);

}  // namespace holdfast::cli
