#include "cli/reference/shell_completion.h"

#include <fmt/format.h>

#include <functional>

namespace holdfast::cli {
namespace {

// Every command with the commands above it ("holdfast", "key", "export"), those first.
using Visit = std::function<void(const std::vector<const CommandReference*>&)>;

void walk(std::vector<const CommandReference*>& path, const Visit& visit) {
  visit(path);
  for (const CommandReference& command : path.back()->commands) {
    path.push_back(&command);
    walk(path, visit);
    path.pop_back();
  }
}

void for_each_command(const CommandReference& program, const Visit& visit) {
  std::vector<const CommandReference*> path{&program};
  walk(path, visit);
}

// "key export"; of the program itself nothing.
std::string words_of(const std::vector<const CommandReference*>& path) {
  std::string words;
  for (std::size_t i = 1; i < path.size(); ++i) words += (words.empty() ? "" : " ") + path[i]->name;
  return words;
}

// A shell function's name.
std::string identifier(std::string text) {
  for (char& c : text)
    if (c == '-' || c == ' ') c = '_';
  return text;
}

std::string replaced(std::string_view text, char what, std::string_view with) {
  std::string out;
  for (const char c : text)
    if (c == what)
      out += with;
    else
      out += c;
  return out;
}

// Within '...' of a shell, where nothing is special but the quote.
std::string in_quotes(std::string_view text) { return "'" + replaced(text, '\'', "'\\''") + "'"; }

std::string joined(const std::vector<std::string>& words, const char* separator = " ") {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : separator) + word;
  return out;
}

std::vector<std::string> names_of(const std::vector<CommandReference>& commands) {
  std::vector<std::string> names;
  names.reserve(commands.size());
  for (const CommandReference& command : commands) names.push_back(command.name);
  return names;
}

// An option of a program is taken behind its commands, too.
std::vector<OptionReference> options_within(const std::vector<const CommandReference*>& path) {
  std::vector<OptionReference> options = path.back()->options;
  if (path.size() > 1)
    for (const OptionReference& option : path.front()->options)
      if (option.names.back() != "--help" && option.names.back() != "--version")
        options.push_back(option);
  return options;
}

// ---- bash

std::string bash_words(const std::string& words) {
  return fmt::format("mapfile -t COMPREPLY < <(compgen -W {} -- \"$cur\")", in_quotes(words));
}

// Told to append '/' to folders; outside of a completion, as in tests, compopt has a complaint.
constexpr const char* kBashFiles =
    "compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")";

std::string bash_values(const OptionReference& option) {
  if (!option.choices.empty()) return bash_words(joined(option.choices));
  return names_a_path(option.value) ? kBashFiles : ":";
}

std::string bash_case(const std::vector<const CommandReference*>& path) {
  const CommandReference& command = *path.back();
  std::string values, names, rest = ":";
  for (const OptionReference& option : options_within(path)) {
    names += (names.empty() ? "" : " ") + joined(option.names);
    if (!option.value.empty())
      values += fmt::format("        {}) {}; return ;;\n", joined(option.names, "|"),
                            bash_values(option));
  }
  if (!command.commands.empty())
    rest = bash_words(joined(names_of(command.commands)));
  else if (!command.operands.empty() && names_a_path(command.operands.front().names.front()))
    rest = kBashFiles;
  return fmt::format(
      "    {})\n"
      "      case $prev in\n"
      "{}"
      "        *) ;;\n"
      "      esac\n"
      "      if [[ $cur == -* ]]; then {}; else {}; fi\n"
      "      ;;\n",
      in_quotes(words_of(path)), values, bash_words(names), rest);
}

// ---- zsh

// What stands within [...] and between ':' of _arguments.
std::string zsh_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

std::string zsh_values(const std::string& value, const std::vector<std::string>& choices) {
  std::string action = " ";
  if (!choices.empty())
    action = "(" + joined(choices) + ")";
  else if (names_a_path(value))
    action = "_files";
  return ":" + zsh_text(value) + ":" + action;
}

std::string zsh_option(const OptionReference& option) {
  const std::string repeat = option.repeatable ? "*" : "";
  std::string lines;
  for (const std::string& name : option.names)
    lines += fmt::format(
        "    {} \\\n", in_quotes(fmt::format(
                           "{}{}[{}]{}", repeat, name, zsh_text(option.description),
                           option.value.empty() ? "" : zsh_values(option.value, option.choices))));
  return lines;
}

std::string zsh_function(const std::vector<const CommandReference*>& path,
                         const std::string& program) {
  const CommandReference& command = *path.back();
  const std::string words = words_of(path);
  const std::string name = identifier(words.empty() ? program : program + " " + words);
  std::string text = fmt::format("_{}() {{\n", name);
  if (!command.commands.empty())
    text += "  local context state state_descr line\n  typeset -A opt_args\n";
  text += "  _arguments -s -S \\\n";
  for (const OptionReference& option : options_within(path)) text += zsh_option(option);
  for (const OptionReference& operand : command.operands)
    text +=
        fmt::format("    {} \\\n", in_quotes((operand.repeatable ? "*" : "") +
                                             zsh_values(operand.names.front(), operand.choices)));
  if (command.commands.empty()) return text + "    && return\n}\n\n";
  text +=
      "    '1:command:->command' '*::argument:->argument' && return\n  case $state in\n    "
      "command)\n      local -a commands=(\n";
  for (const CommandReference& sub : command.commands)
    text += fmt::format("        {}\n", in_quotes(sub.name + ":" + zsh_text(sub.description)));
  text +=
      "      )\n      _describe command commands\n      ;;\n    argument)\n      case $line[1] "
      "in\n";
  for (const CommandReference& sub : command.commands)
    text += fmt::format("        {}) _{}_{} ;;\n", sub.name, name, identifier(sub.name));
  return text + "      esac\n      ;;\n  esac\n}\n\n";
}

// ---- fish

std::string fish_option(const std::string& program, const std::string& condition,
                        const OptionReference& option) {
  std::string line = fmt::format("complete -c {} -n {}", program, in_quotes(condition));
  for (const std::string& name : option.names)
    line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  if (!option.value.empty()) {
    if (!option.choices.empty())
      line += " -x -a " + in_quotes(joined(option.choices));
    else
      line += names_a_path(option.value) ? " -r -F" : " -x";
  }
  return line + " -d " + in_quotes(option.description) + "\n";
}

// True where exactly the commands of `path` have been typed.
std::string fish_condition(const std::vector<const CommandReference*>& path) {
  if (path.size() == 1) return "__fish_use_subcommand";
  std::string condition;
  for (std::size_t i = 1; i < path.size(); ++i)
    condition +=
        (condition.empty() ? "" : "; and ") + ("__fish_seen_subcommand_from " + path[i]->name);
  if (!path.back()->commands.empty())
    condition += "; and not __fish_seen_subcommand_from " + joined(names_of(path.back()->commands));
  return condition;
}

}  // namespace

std::string bash_completion(const CommandReference& program) {
  const std::string function = "_" + identifier(program.name);
  std::string cases, descend;
  for_each_command(program, [&](const auto& path) {
    cases += bash_case(path);
    if (path.size() > 1) descend += (descend.empty() ? "" : "|") + in_quotes(words_of(path));
  });
  return fmt::format(
      "# bash completion of {0}\n"
      "{1}() {{\n"
      "  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} command='' word\n"
      "  COMPREPLY=()\n"
      "  for word in \"${{COMP_WORDS[@]:1:COMP_CWORD-1}}\"; do\n"
      "    case ${{command:+$command }}$word in\n"
      "      {2}) command=${{command:+$command }}$word ;;\n"
      "      *) ;;\n"
      "    esac\n"
      "  done\n"
      "  case $command in\n"
      "{3}"
      "  esac\n"
      "}}\n"
      "complete -F {1} {0}\n",
      program.name, function, descend, cases);
}

std::string zsh_completion(const CommandReference& program) {
  std::string functions;
  for_each_command(program,
                   [&](const auto& path) { functions += zsh_function(path, program.name); });
  const std::string own = identifier(program.name);
  return fmt::format("#compdef {}\n\n{}_{} \"$@\"\n", program.name, functions, own);
}

std::string fish_completion(const CommandReference& program) {
  std::string text = fmt::format("# fish completion of {0}\ncomplete -c {0} -f\n", program.name);
  for_each_command(program, [&](const auto& path) {
    const std::string condition = fish_condition(path);
    for (const CommandReference& command : path.back()->commands)
      text += fmt::format("complete -c {} -n {} -a {} -d {}\n", program.name, in_quotes(condition),
                          command.name, in_quotes(command.description));
    for (const OptionReference& option : options_within(path))
      text += fish_option(program.name, condition, option);
    const auto& operands = path.back()->operands;
    if (!operands.empty() && names_a_path(operands.front().names.front()))
      text += fmt::format("complete -c {} -n {} -F\n", program.name, in_quotes(condition));
  });
  return text;
}

}  // namespace holdfast::cli
