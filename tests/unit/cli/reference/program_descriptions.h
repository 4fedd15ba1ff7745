// The three programs' command lines as they are.
#pragma once

#include "cli/agent_command_line.h"
#include "cli/command_line.h"
#include "cli/reference/command_reference.h"
#include "repository/posix/node_command_line.h"

namespace holdfast::testing {

inline std::vector<cli::CommandReference> all_programs() {
  std::vector<cli::CommandReference> programs;
  const auto take = [&](const CLI::App& app) { programs.push_back(cli::reference_of(app)); };
  cli::describe_command_line(take);
  cli::describe_agent_command_line(take);
  repository::describe_node_command_line(take);
  return programs;
}

// "holdfast-key-export" for each command that does something by itself.
inline void collect_leaves(const cli::CommandReference& command, const std::string& called,
                           std::vector<std::string>& to) {
  if (command.commands.empty()) to.push_back(called);
  for (const cli::CommandReference& below : command.commands)
    collect_leaves(below, called + "-" + below.name, to);
}

}  // namespace holdfast::testing
