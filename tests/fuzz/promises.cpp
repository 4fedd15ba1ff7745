#include "tests/fuzz/promises.h"

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "common/base/text.h"
#include "tests/testing/source_tree.h"

namespace holdfast::fuzz {

void check_error(const Error& error, std::initializer_list<Code> codes) {
  if (std::find(codes.begin(), codes.end(), error.code()) == codes.end())
    std::fprintf(stderr, "%s: %s\n", std::string(name(error.code())).c_str(),
                 error.message().c_str());
  check(std::find(codes.begin(), codes.end(), error.code()) != codes.end(),
        "an error with a code that its parser does not announce");
  check(!error.message().empty(), "an error without words");
  check(printable(error.message()) == error.message(), "an error that drives the terminal");
}

// The first column of the table under "### Errors": `code` or `code`, `code`.
const std::set<std::string>& documented_codes() {
  static const std::set<std::string> codes = [] {
    std::ifstream file(holdfast::testing::source_root() + "/docs/protocol.md");
    std::set<std::string> found;
    bool within = false;
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with("### ")) within = line == "### Errors";
      if (!within || !line.starts_with("| `")) continue;
      const std::string cell = line.substr(0, line.find('|', 1));
      for (std::size_t at = cell.find('`'); at != std::string::npos;) {
        const std::size_t end = cell.find('`', at + 1);
        found.insert(cell.substr(at + 1, end - at - 1));
        at = cell.find('`', end + 1);
      }
    }
    check(found.size() >= 15, "docs/protocol.md has no table of errors");
    return found;
  }();
  return codes;
}

}  // namespace holdfast::fuzz
