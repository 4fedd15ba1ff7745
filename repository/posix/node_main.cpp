// The program holdfast-node.
#include <exception>
#include <iostream>

#include "repository/posix/node_command_line.h"
#include "repository/posix/node_commands.h"

int main(int argc, char** argv) {
  namespace repository = holdfast::repository;
  try {
    return repository::run_node_command_line(argc, argv, "holdfast-node " HOLDFAST_VERSION);
  } catch (const std::exception& error) {
    std::cerr << "holdfast-node: " << error.what() << "\n";
    return repository::kExitFailed;
  }
}
