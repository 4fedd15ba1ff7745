// The simulator as a program.
#include "tests/simulation/swarm_command.h"

int main(int argc, char** argv) {
  return holdfast::testing::swarm_command("./dev sim", {argv + 1, argv + argc});
}
