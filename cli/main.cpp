// The program holdfast.
#include <cstdio>
#include <exception>

#include "cli/command_line.h"

int main(int argc, char** argv) {
  namespace cli = holdfast::cli;
  try {
    cli::Output output("holdfast");
    return cli::run_command_line(argc, argv, output, "holdfast " HOLDFAST_VERSION);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "holdfast: %s\n", error.what());
    return cli::kFailed;
  }
}
