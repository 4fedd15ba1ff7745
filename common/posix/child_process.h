// Another program, run beside this one: started, waited for with a time limit, ended if need be.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "common/ports/clock.h"
#include "common/posix/descriptor.h"

namespace holdfast {

struct ChildCommand {
  std::vector<std::string> arguments;  // the first is the program, looked up in PATH
  std::vector<std::pair<std::string, std::string>> environment;  // beside, and before, this one's
  int output = -1;           // what becomes its standard output; -1: that of this process
  bool reads_input = true;   // standard input is this process's, else /dev/null
  bool leads_group = false;  // a process group of its own, which is ended as a whole
};

// "sh -c TEXT".
std::vector<std::string> shell_command(std::string text);

struct ChildEnd {
  int exit_code = 0;
  int signal = 0;  // that ended it; 0: none did
  bool succeeded() const { return signal == 0 && exit_code == 0; }
  // "failed with exit code 3", "was ended by signal 9".
  std::string describe() const;
};

// One thread at a time.
class ChildProcess {
 public:
  // Signals are as they are for a program started from a shell. kNotFound, kPermissionDenied or
  // whatever else the system says if the program cannot be run.
  static Result<std::unique_ptr<ChildProcess>> start(const ChildCommand& command);
  // Ends it if it still runs.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Blocks until it has ended: at most `limit`, then kTimedOut; and only until the descriptor
  // `stop`, if there is one, can be read, then kInterrupted.
  Result<ChildEnd> wait(std::optional<Duration> limit = std::nullopt, int stop = -1);
  // SIGTERM and, if it has not ended within `grace`, SIGKILL; with leads_group to all its group,
  // whose members are killed, too, that outlive their leader. Nothing if it has ended.
  void end(Duration grace = std::chrono::seconds(10));

 private:
  ChildProcess(pid_t pid, Descriptor process, bool leads_group)
      : pid_(pid), process_(std::move(process)), leads_group_(leads_group) {}
  void signal(int number) const;
  void reap();

  const pid_t pid_;
  const Descriptor process_;  // a pidfd: readable once the process has ended
  const bool leads_group_;
  std::optional<ChildEnd> ended_;
};

}  // namespace holdfast
