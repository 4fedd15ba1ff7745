// What went wrong with single files of a run that went on.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "cli/output.h"
#include "common/base/text.h"

namespace holdfast::cli {

// One problem of a file: a JSON object with "during", or a warning.
void print_problem(Output& output, std::string_view during, const std::string& path,
                   const Error& error);

// The first hundred of them, and how many more there are. A Problem has a path and an error.
template <typename Problem>
void print_problems(Output& output, std::string_view during, const std::vector<Problem>& problems,
                    std::uint64_t count) {
  constexpr std::size_t kPrinted = 100;
  for (std::size_t i = 0; i < problems.size() && i < kPrinted; ++i)
    print_problem(output, during, problems[i].path, problems[i].error);
  if (count > kPrinted) output.warning(fmt::format("{} more like these", count - kPrinted));
}

}  // namespace holdfast::cli
