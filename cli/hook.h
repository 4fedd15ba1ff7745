// A command that a profile has run beside its backup.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/ports/clock.h"

namespace holdfast::cli {

// What a hook finds in its environment.
struct HookContext {
  std::string profile;           // HOLDFAST_PROFILE
  std::optional<int> exit_code;  // HOLDFAST_EXIT_CODE; empty before the backup
  std::string snapshot;          // HOLDFAST_SNAPSHOT: its id; empty if none was made
};

// Runs `command` to its end, with our standard error as both its outputs. Blocks. After `limit`, or
// once `stop` (a descriptor, -1 for none) can be read, its whole process group is ended: by SIGTERM
// and, where that does not help, SIGKILL. An error, which begins with "hook NAME", unless it ended
// with exit code 0; kTimedOut and kInterrupted tell the two reasons for ending it.
Status run_hook(std::string_view name, const std::vector<std::string>& command,
                const HookContext& context, Duration limit, int stop = -1);

}  // namespace holdfast::cli
