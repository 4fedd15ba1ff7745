// The options of `holdfast-node`.
#pragma once

#include <functional>

// NOLINTNEXTLINE(readability-identifier-naming): CLI11's
namespace CLI {
class App;
}

namespace holdfast::repository {

// Parses, runs, and returns the process's exit code. `version`: the program's name and version.
int run_node_command_line(int argc, char** argv, const char* version);

// Calls `visit` with the description of the command line, which is gone afterwards.
void describe_node_command_line(const std::function<void(const CLI::App&)>& visit);

}  // namespace holdfast::repository
