// Completions of a command line for three shells. The text is a whole file, to be put where the
// shell looks: bash-completion/completions/NAME, zsh/vendor-completions/_NAME,
// fish/vendor_completions.d/ NAME.fish below /usr/share.
#pragma once

#include <string>

#include "cli/reference/command_reference.h"

namespace holdfast::cli {

std::string bash_completion(const CommandReference& program);
std::string zsh_completion(const CommandReference& program);
std::string fish_completion(const CommandReference& program);

}  // namespace holdfast::cli
