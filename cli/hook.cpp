#include "cli/hook.h"

#include <fmt/format.h>
#include <unistd.h>

#include "common/posix/child_process.h"

namespace holdfast::cli {
namespace {

constexpr Duration kGrace = std::chrono::seconds(5);  // between SIGTERM and SIGKILL

}  // namespace

Status run_hook(std::string_view name, const std::vector<std::string>& command,
                const HookContext& context, Duration limit, int stop) {
  ChildCommand child;
  child.arguments = command;
  child.environment = {
      {"HOLDFAST_PROFILE", context.profile},
      {"HOLDFAST_EXIT_CODE", context.exit_code ? std::to_string(*context.exit_code) : ""},
      {"HOLDFAST_SNAPSHOT", context.snapshot}};
  child.output = STDERR_FILENO;  // standard output is for the backup's results
  child.reads_input = false;
  child.leads_group = true;
  const std::string what = fmt::format("hook {}", name);
  HOLDFAST_ASSIGN_OR(const auto process, ChildProcess::start(child), what);
  auto end = process->wait(limit, stop);
  if (!end) {
    process->end(kGrace);
    if (end.error().code() != Code::kTimedOut) return std::move(end).error().with_context(what);
    return Error(Code::kTimedOut,
                 fmt::format("{}: it had not ended after {} s and was ended", what,
                             std::chrono::duration_cast<std::chrono::seconds>(limit).count()));
  }
  if (end->succeeded()) return {};
  return Error(Code::kIo, fmt::format("{}: it {}", what, end->describe()));
}

}  // namespace holdfast::cli
