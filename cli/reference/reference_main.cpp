// Run by the build, not installed: writes what belongs to the programs' command lines beside them.
//
//   reference complete bash|zsh|fish PROGRAM    a shell's completions
//   reference manual < page.scd                 a manual page's source, filled in
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <iostream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "cli/agent_command_line.h"
#include "cli/command_line.h"
#include "cli/reference/manual_page.h"
#include "cli/reference/shell_completion.h"
#include "repository/posix/node_command_line.h"

namespace holdfast::cli {
namespace {

Result<CommandReference> program_named(const std::string& name) {
  std::optional<CommandReference> found;
  const auto take = [&](const CLI::App& app) { found = reference_of(app); };
  if (name == "holdfast") describe_command_line(take);
  if (name == "holdfast-agent") describe_agent_command_line(take);
  if (name == "holdfast-node") repository::describe_node_command_line(take);
  if (!found) return Error(Code::kNotFound, fmt::format("there is no program {}", name));
  return std::move(*found);
}

Result<std::string> completion(const std::string& shell, const std::string& program) {
  HOLDFAST_ASSIGN(const CommandReference reference, program_named(program));
  if (shell == "bash") return bash_completion(reference);
  if (shell == "zsh") return zsh_completion(reference);
  if (shell == "fish") return fish_completion(reference);
  return Error(Code::kNotFound, fmt::format("there is no shell {}", shell));
}

int run(const std::vector<std::string>& words) {
  Result<std::string> text =
      Error(Code::kInvalidArgument, "say: complete SHELL PROGRAM, or manual");
  if (words.size() == 3 && words[0] == "complete") text = completion(words[1], words[2]);
  if (words.size() == 1 && words[0] == "manual")
    text = manual_page(std::string{std::istreambuf_iterator<char>(std::cin), {}}, program_named);
  if (!text) {
    std::cerr << "reference: " << text.error().message() << "\n";
    return 1;
  }
  std::cout << *text << std::flush;
  return std::cout.good() ? 0 : 1;
}

}  // namespace
}  // namespace holdfast::cli

int main(int argc, char** argv) {
  try {
    return holdfast::cli::run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "reference: %s\n", error.what());
    return 1;
  }
}
