#include "cli/problem_list.h"

namespace holdfast::cli {

void print_problem(Output& output, std::string_view during, const std::string& path,
                   const Error& error) {
  if (!output.json) return output.warning(fmt::format("{}: {}", printable(path), error.message()));
  Json line{{"message_type", "error"},
            {"during", during},
            {"code", name(error.code())},
            {"message", error.message()}};
  put_bytes(line, "item", path);
  output.object(line);
}

}  // namespace holdfast::cli
