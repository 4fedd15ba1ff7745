// What a program that runs the swarm is asked for: seeds, one seed again with its trace, or the
// least that still fails. Prints what was done and found.
#pragma once

#include <string>
#include <vector>

namespace holdfast::testing {

// `words` are the options, which --help lists; `command` is what a user types before them. 0 if
// nothing was violated, 1 if something was, and the process ends with 2 for a wrong option.
int swarm_command(const std::string& command, const std::vector<std::string>& words);

}  // namespace holdfast::testing
