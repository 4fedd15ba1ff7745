// A component is matched by greedy stars with one step of going back (the last star takes one more
// character), which is enough because an earlier star can never do better than a later one. The
// same holds one level up for `**` among components. So no pattern takes exponential time.
#include "agent/path_filter.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "agent/case_folding.h"
#include "common/base/text.h"

namespace holdfast::agent {
namespace {

constexpr auto kNone = std::string_view::npos;

// The character of `text` at `at` as a code point, and how many bytes it takes. A byte that begins
// no UTF-8 character stands for itself, above all code points, so that it equals only itself.
struct Character {
  std::uint32_t value;
  std::size_t length;
};

Character character_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint32_t first = byte(at);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xf0 && first < 0xf8   ? 4
                             : first >= 0xe0 && first < 0xf0 ? 3
                             : first >= 0xc2 && first < 0xe0 ? 2
                                                             : 0;
  const Character raw{0x110000 + first, 1};
  if (length == 0 || at + length > text.size()) return raw;
  std::uint32_t value = first & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return raw;
    value = value << 6 | (byte(at + i) & 0x3fU);
  }
  return {value, length};
}

// Reads the character of a pattern that begins at `at`, perhaps with a backslash. nullopt if that
// is the last of it.
std::optional<std::uint32_t> take(std::string_view pattern, std::size_t& at) {
  if (pattern[at] == '\\') ++at;
  if (at >= pattern.size()) return std::nullopt;
  const Character character = character_at(pattern, at);
  at += character.length;
  return character.value;
}

// Parses the set that begins at pattern[at] == '[' and moves `at` behind it. Whether `value` is in
// it; nullopt if the set is malformed (not closed, empty, or a range from high to low).
std::optional<bool> in_set(std::string_view pattern, std::size_t& at, std::uint32_t value) {
  ++at;
  bool negated = false;
  if (at < pattern.size() && (pattern[at] == '^' || pattern[at] == '!')) {
    negated = true;
    ++at;
  }
  bool found = false;
  for (bool first = true;; first = false) {
    if (at >= pattern.size()) return std::nullopt;
    if (pattern[at] == ']') {
      if (first) return std::nullopt;
      ++at;
      return found != negated;
    }
    const auto low = take(pattern, at);
    if (!low) return std::nullopt;
    auto high = low;
    if (at < pattern.size() && pattern[at] == '-') {
      ++at;
      if (at >= pattern.size() || pattern[at] == ']') return std::nullopt;
      high = take(pattern, at);
      if (!high || *high < *low) return std::nullopt;
    }
    found = found || (*low <= value && value <= *high);
  }
}

// Where the one pattern character at `at` ends if `value` fits it, kNone if it does not.
std::size_t fit_one(std::string_view pattern, std::size_t at, std::uint32_t value) {
  if (pattern[at] == '?') return at + 1;
  if (pattern[at] == '[') return in_set(pattern, at, value).value_or(false) ? at : kNone;
  return take(pattern, at) == value ? at : kNone;
}

bool is_well_formed(std::string_view component) {
  for (std::size_t at = 0; at < component.size();) {
    if (component[at] == '[') {
      if (!in_set(component, at, 0)) return false;
    } else if (!take(component, at)) {
      return false;  // a backslash at the end
    }
  }
  return true;
}

std::string unescape(std::string_view component) {
  std::string plain;
  for (std::size_t at = 0; at < component.size(); ++at) {
    if (component[at] == '\\') ++at;
    plain += component[at];
  }
  return plain;
}

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> names;
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    if (end > begin) names.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

}  // namespace

bool matches_wildcard(std::string_view pattern, std::string_view name) {
  std::size_t at = 0, in_name = 0;
  std::size_t star = kNone, star_in_name = 0;
  while (in_name < name.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      star_in_name = in_name;
      continue;
    }
    const Character next = character_at(name, in_name);
    const std::size_t fitted = at < pattern.size() ? fit_one(pattern, at, next.value) : kNone;
    if (fitted != kNone) {
      at = fitted;
      in_name += next.length;
      continue;
    }
    if (star == kNone) return false;
    star_in_name += character_at(name, star_in_name).length;
    in_name = star_in_name;
    at = star + 1;
  }
  while (at < pattern.size() && pattern[at] == '*') ++at;
  return at == pattern.size();
}

Result<PathFilter> PathFilter::parse(const std::vector<std::string>& patterns, bool in_any_case) {
  PathFilter filter;
  filter.in_any_case_ = in_any_case;
  filter.patterns_.reserve(patterns.size());
  for (const std::string& text : patterns) {
    HOLDFAST_ASSIGN_OR(Pattern pattern, parse_one(in_any_case ? fold_case(text) : text),
                       "pattern \"" + printable(text) + "\"");
    filter.patterns_.push_back(std::move(pattern));
  }
  return filter;
}

Result<PathFilter::Pattern> PathFilter::parse_one(std::string_view text) {
  Pattern pattern;
  if (text.starts_with('!')) {
    pattern.negated = true;
    text.remove_prefix(1);
  }
  if (text.find('\0') != kNone) return Error(Code::kInvalidArgument, "it holds a NUL byte");
  pattern.anchored = text.starts_with('/');
  for (const std::string_view part : split(text)) {
    if (part == ".") continue;
    if (part == "..") return Error(Code::kInvalidArgument, "\"..\" cannot match any path");
    if (part == "**") {
      if (pattern.components.empty() || pattern.components.back().kind != Kind::kAnyDepth)
        pattern.components.push_back({Kind::kAnyDepth, {}});
    } else if (!is_well_formed(part)) {
      return Error(Code::kInvalidArgument, "a set is not closed or \\ is its last character");
    } else if (part.find_first_of("*?[") == kNone) {
      pattern.components.push_back({Kind::kLiteral, unescape(part)});
    } else {
      pattern.components.push_back({Kind::kWildcard, std::string(part)});
    }
  }
  if (pattern.components.empty() && !pattern.anchored)
    return Error(Code::kInvalidArgument, "it is empty");
  return pattern;
}

// Whether all of the pattern fits the first of `names`; what follows lies below the match. Unless
// anchored, the pattern behaves as if it began with `**`.
bool PathFilter::matches_prefix(const Pattern& pattern, const Names& names) {
  const auto& components = pattern.components;
  std::size_t at = 0, name = 0;
  std::size_t any = pattern.anchored ? kNone : 0, any_name = 0;  // where to go on after going back
  while (at < components.size()) {
    if (components[at].kind == Kind::kAnyDepth) {
      any = ++at;
      any_name = name;
      continue;
    }
    if (name == names.size()) return false;
    const Component& wanted = components[at];
    if (wanted.kind == Kind::kLiteral ? wanted.text == names[name]
                                      : matches_wildcard(wanted.text, names[name])) {
      ++at;
      ++name;
      continue;
    }
    if (any == kNone) return false;
    name = ++any_name;
    at = any;
  }
  return true;
}

bool PathFilter::may_match_below(const Pattern& pattern, const Names& names) {
  if (!pattern.anchored) return true;
  for (std::size_t i = 0; i < names.size() && i < pattern.components.size(); ++i) {
    const Component& wanted = pattern.components[i];
    if (wanted.kind == Kind::kAnyDepth) return true;
    if (wanted.kind == Kind::kLiteral ? wanted.text != names[i]
                                      : !matches_wildcard(wanted.text, names[i]))
      return false;
  }
  return true;
}

bool PathFilter::matches(std::string_view path) const {
  if (patterns_.empty()) return false;
  const std::string folded = in_any_case_ ? fold_case(path) : std::string();
  const Names names = split(in_any_case_ ? folded : path);
  for (auto pattern = patterns_.rbegin(); pattern != patterns_.rend(); ++pattern)
    if (matches_prefix(*pattern, names)) return !pattern->negated;
  return false;
}

bool PathFilter::may_match_below(std::string_view path) const {
  const std::string folded = in_any_case_ ? fold_case(path) : std::string();
  const Names names = split(in_any_case_ ? folded : path);
  return std::any_of(patterns_.begin(), patterns_.end(), [&](const Pattern& pattern) {
    return !pattern.negated && may_match_below(pattern, names);
  });
}

}  // namespace holdfast::agent
