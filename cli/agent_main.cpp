// The program holdfast-agent.
#include <cstdio>
#include <exception>

#include "cli/agent_command_line.h"
#include "cli/exit_code.h"

int main(int argc, char** argv) {
  namespace cli = holdfast::cli;
  try {
    cli::Output output("holdfast-agent");
    return cli::run_agent_command_line(argc, argv, output, "holdfast-agent " HOLDFAST_VERSION);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "holdfast-agent: %s\n", error.what());
    return cli::kFailed;
  }
}
