#include "cli/reference/command_reference.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace holdfast::cli {
namespace {

// CLI11 appends what a validator says to the type's name: "TEXT:{low,normal,high}".
std::vector<std::string> choices_of(const std::string& type) {
  std::vector<std::string> choices;
  const std::size_t begin = type.find('{'), end = type.find('}');
  if (begin == std::string::npos || end == std::string::npos) return choices;
  std::string_view list = std::string_view(type).substr(begin + 1, end - begin - 1);
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    choices.emplace_back(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return choices;
}

std::string value_of(const CLI::Option& option, const std::vector<std::string>& choices) {
  if (option.get_items_expected_max() == 0) return "";
  if (!choices.empty()) {
    std::string joined;
    for (const std::string& choice : choices) joined += (joined.empty() ? "" : "|") + choice;
    return joined;
  }
  const std::string type = option.get_type_name();
  return type.substr(0, type.find(':') == type.find("://") ? std::string::npos : type.find(':'));
}

OptionReference reference_of(const CLI::Option& option) {
  OptionReference reference;
  for (const std::string& name : option.get_snames()) reference.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) reference.names.push_back("--" + name);
  if (reference.names.empty()) reference.names.push_back(option.get_name(true));
  reference.choices = choices_of(option.get_type_name());
  reference.value = value_of(option, reference.choices);
  reference.description = option.get_description();
  reference.default_value = option.get_default_str();
  reference.environment = option.get_envname();
  reference.required = option.get_required();
  reference.repeatable = option.get_expected_max() > 1;
  return reference;
}

}  // namespace

CommandReference reference_of(const CLI::App& app) {
  CommandReference reference;
  reference.name = app.get_name();
  reference.description = app.get_description();
  reference.footer = app.get_footer();
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    auto& to = option->nonpositional() ? reference.options : reference.operands;
    to.push_back(reference_of(*option));
  }
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    if (!command->get_group().empty()) reference.commands.push_back(reference_of(*command));
  return reference;
}

bool names_a_path(const std::string& value) {
  static constexpr std::array<std::string_view, 6> kPaths = {"FILE", "DIR",     "REPO",
                                                             "PATH", "PROFILE", "INVITE_OR_DIR"};
  return std::ranges::find(kPaths, value) != kPaths.end();
}

}  // namespace holdfast::cli
