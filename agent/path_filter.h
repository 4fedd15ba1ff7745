// Which paths a backup leaves out or a restore takes: restic's patterns.
//
//   /home/*/cache   begins with '/': matched from the root
//   *.o, a/b        otherwise: matched anywhere, at the borders of components
//   *  ?  [a-z]     within one component: any bytes, one character, one of a set ([^a] or [!a]:
//   none)
//   **              as a whole component: any number of components, also none
//   \x              x itself
//   !pattern        takes back what an earlier pattern matched
//
// A pattern matches a path also by matching one of the folders that it lies in. The last word on a
// path has the last pattern that matches it. What lies in a folder that is not entered cannot be
// taken back; "/cache/*" with "!/cache/keep" enters it. Names are bytes; "?" and sets take one
// UTF-8 character where the bytes are UTF-8, else one byte.
//
// Immutable, hence usable from all threads.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace holdfast::agent {

class PathFilter {
 public:
  PathFilter() = default;  // matches nothing
  // kInvalidArgument with the pattern in its message if one is empty or malformed. `in_any_case`:
  // the case of letters makes no difference (see fold_case()).
  static Result<PathFilter> parse(const std::vector<std::string>& patterns,
                                  bool in_any_case = false);

  bool empty() const { return patterns_.empty(); }
  // `path` as in an Entry: absolute without the leading '/'.
  bool matches(std::string_view path) const;
  // False only if nothing below the folder `path` can match: an include need not enter it.
  bool may_match_below(std::string_view path) const;

 private:
  enum class Kind { kLiteral, kWildcard, kAnyDepth };
  struct Component {
    Kind kind;
    std::string text;
  };
  struct Pattern {
    std::vector<Component> components;
    bool anchored = false;
    bool negated = false;
  };
  using Names = std::vector<std::string_view>;

  static Result<Pattern> parse_one(std::string_view text);
  static bool matches_prefix(const Pattern& pattern, const Names& names);
  static bool may_match_below(const Pattern& pattern, const Names& names);

  std::vector<Pattern> patterns_;
  bool in_any_case_ = false;
};

// Whether `name`, one component, matches the wildcard `pattern`. Takes time proportional to the
// product of their lengths at worst. `pattern` is well formed.
bool matches_wildcard(std::string_view pattern, std::string_view name);

}  // namespace holdfast::agent
