#include "cli/reference/manual_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <span>

namespace holdfast::cli {
namespace {

struct Words {
  explicit Words(std::string_view line) {
    while (!line.empty()) {
      const std::size_t space = std::min(line.find(' '), line.size());
      if (space != 0) all.emplace_back(line.substr(0, space));
      line.remove_prefix(std::min(space + 1, line.size()));
    }
  }
  std::vector<std::string> all;
};

// A command and how it is called.
struct Called {
  const CommandReference* command;
  std::string words;
};

Result<Called> descend(Called from, std::span<const std::string> words) {
  for (const std::string& word : words) {
    const auto next = std::ranges::find(from.command->commands, word, &CommandReference::name);
    if (next == from.command->commands.end())
      return Error(Code::kInvalidArgument,
                   fmt::format("{} has no command \"{}\"", from.words, word));
    from = {&*next, from.words + " " + word};
  }
  return from;
}

// Plain text: what scdoc would read as its own is escaped.
std::string plain(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '*' || c == '_' || c == '#' || c == '[' || c == '|' || c == '.' ||
        c == '!' || c == '~' || c == '<' || c == '-')
      out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

std::string value_of(const OptionReference& option) {
  return option.value.empty() ? "" : " _" + plain(option.value) + "_";
}

std::string synopsis(const Called& called) {
  const CommandReference& command = *called.command;
  std::string text = "*" + plain(called.words) + "*";
  for (const OptionReference& option : command.options)
    if (option.required)
      text += fmt::format(" *{}*{}", plain(option.names.back()), value_of(option));
  text += command.commands.empty() ? " [_options_...]" : " _command_ [_options_...]";
  for (const OptionReference& operand : command.operands) {
    const std::string word =
        "_" + plain(operand.names.front()) + "_" + (operand.repeatable ? "..." : "");
    text += " " + (operand.required ? word : "[" + word + "]");
  }
  return text + "\n";
}

// A description as a sentence.
std::string sentence(std::string_view text) {
  std::string out = plain(text);
  if (!out.empty() && !std::ispunct(static_cast<unsigned char>(out.back()))) out += '.';
  return out;
}

std::string entry(const OptionReference& option) {
  std::string text;
  for (const std::string& name : option.names)
    text += fmt::format("{}*{}*", text.empty() ? "" : ", ", plain(name));
  text += value_of(option) + "\n\t" + sentence(option.description);
  if (!option.default_value.empty() && !option.value.empty())
    text += fmt::format(" The default is {}.", plain(option.default_value));
  if (!option.environment.empty())
    text += fmt::format(" Also by the environment variable *{}*.", plain(option.environment));
  if (option.repeatable) text += " May be given more than once.";
  return text + "\n\n";
}

std::string options(const CommandReference& command) {
  std::string text;
  for (const OptionReference& operand : command.operands)
    text +=
        fmt::format("_{}_\n\t{}\n\n", plain(operand.names.front()), sentence(operand.description));
  for (const OptionReference& option : command.options) text += entry(option);
  return text;
}

class Page {
 public:
  explicit Page(const FindProgram& find) : find_(find) {}

  Status take(std::string_view line) {
    if (!line.starts_with('@')) {
      text_.append(line).append("\n");
      return {};
    }
    const Words words(line);
    const std::span arguments = std::span(words.all).subspan(1);
    if (words.all[0] == "@command" && !arguments.empty()) return begin(arguments);
    if (called_.command == nullptr)
      return Error(Code::kInvalidArgument, "a page with such a line begins with @command");
    HOLDFAST_ASSIGN(const Called called, descend(called_, arguments));
    if (words.all[0] == "@synopsis")
      text_ += synopsis(called);
    else if (words.all[0] == "@options")
      text_ += options(*called.command);
    else if (words.all[0] == "@program-options" && arguments.empty())
      text_ += options(program_);
    else
      return Error(Code::kInvalidArgument, "there is no such line");
    return {};
  }
  std::string text() && { return std::move(text_); }

 private:
  Status begin(std::span<const std::string> words) {
    HOLDFAST_ASSIGN(program_, find_(words[0]));
    HOLDFAST_ASSIGN(called_, descend({&program_, words[0]}, words.subspan(1)));
    return {};
  }

  const FindProgram& find_;
  CommandReference program_;
  Called called_{nullptr, ""};
  std::string text_;
};

}  // namespace

Result<std::string> manual_page(std::string_view text, const FindProgram& find) {
  Page page(find);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (auto taken = page.take(line); !taken)
      return std::move(taken).error().with_context(std::string(line));
  }
  return std::move(page).text();
}

}  // namespace holdfast::cli
