// A program's command line as data, read from its CLI11 description: what completions and manual
// pages are made of, so that neither can name an option that the program does not have.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace holdfast::cli {

struct OptionReference {
  std::vector<std::string> names;    // "-r", "--repo"; of an operand its one name, "SNAPSHOT"
  std::string value;                 // what its value is called, "FILE"; empty: it takes none
  std::vector<std::string> choices;  // its only values, if they are few
  std::string description, default_value, environment;
  bool required = false, repeatable = false;
};

struct CommandReference {
  std::string name, description, footer;
  std::vector<OptionReference> options, operands;
  std::vector<CommandReference> commands;
};

// All that `app` describes, in its order, without what it hides.
CommandReference reference_of(const CLI::App& app);

// Does a value of this name stand for a path on this machine?
bool names_a_path(const std::string& value);

}  // namespace holdfast::cli
