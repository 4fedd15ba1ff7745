// The child is waited for by a pidfd, so that a time limit and a request to stop need neither a
// signal handler nor a thread. It is reaped by this object alone: until then its pid is nobody
// else's, and a signal cannot hit another process.
#include "common/posix/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>

#include "common/base/check.h"
#include "common/base/text.h"
#include "common/posix/system_call.h"
#include "common/posix/system_clock.h"

extern char** environ;  // NOLINT: POSIX

namespace holdfast {
namespace {

// What posix_spawn() reads, for one call.
class SpawnSettings {
 public:
  explicit SpawnSettings(const ChildCommand& command) {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    if (command.output >= 0)
      posix_spawn_file_actions_adddup2(&actions, command.output, STDOUT_FILENO);
    if (!command.reads_input)
      posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    sigset_t none, usual;
    sigemptyset(&none);
    sigemptyset(&usual);
    for (const int number : {SIGPIPE, SIGINT, SIGTERM}) sigaddset(&usual, number);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    if (command.leads_group) flags |= POSIX_SPAWN_SETPGROUP;
    posix_spawnattr_setflags(&attributes, static_cast<short>(flags));
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
};

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  all.reserve(texts.size() + 1);
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

// A variable that is given replaces the one of that name.
std::vector<std::string> environment_of(const ChildCommand& command) {
  std::vector<std::string> all;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    const bool replaced =
        std::any_of(command.environment.begin(), command.environment.end(),
                    [&](const auto& own) { return text.starts_with(own.first + "="); });
    if (!replaced) all.emplace_back(text);
  }
  for (const auto& [name, value] : command.environment)
    all.emplace_back(name).append("=").append(value);
  return all;
}

}  // namespace

std::vector<std::string> shell_command(std::string text) {
  return {"/bin/sh", "-c", std::move(text)};
}

std::string ChildEnd::describe() const {
  if (signal != 0) return fmt::format("was ended by signal {}", signal);
  if (exit_code != 0) return fmt::format("failed with exit code {}", exit_code);
  return "succeeded";
}

Result<std::unique_ptr<ChildProcess>> ChildProcess::start(const ChildCommand& command) {
  check(!command.arguments.empty(), "a child process without a program");
  const SpawnSettings settings(command);
  std::vector<std::string> arguments = command.arguments;
  std::vector<std::string> environment = environment_of(command);
  pid_t pid = 0;
  const int failed =
      ::posix_spawnp(&pid, arguments.front().c_str(), &settings.actions, &settings.attributes,
                     pointers(arguments).data(), pointers(environment).data());
  if (failed != 0) return error_from_errno(failed, printable(arguments.front()));
  Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process) {
    Error error = system_error("pidfd_open of", printable(arguments.front()));
    ::kill(pid, SIGKILL);
    static_cast<void>(retry_interrupted([&] { return ::waitpid(pid, nullptr, 0); }));
    return error;
  }
  return std::unique_ptr<ChildProcess>(
      new ChildProcess(pid, std::move(process), command.leads_group));
}

ChildProcess::~ChildProcess() { end(); }

Result<ChildEnd> ChildProcess::wait(std::optional<Duration> limit, int stop) {
  const SystemClock clock;
  const Instant began = clock.now();
  while (!ended_) {
    int left_ms = -1;
    if (limit) {
      const Duration left = *limit - (clock.now() - began);
      if (left <= Duration(0))
        return Error(Code::kTimedOut, "the process has not ended within its time limit");
      const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(left).count();
      left_ms = static_cast<int>(std::min<std::int64_t>(rounded, INT_MAX));
    }
    std::array<pollfd, 2> watched{{{process_.get(), POLLIN, 0}, {stop, POLLIN, 0}}};
    if (::poll(watched.data(), watched.size(), left_ms) < 0 && errno != EINTR)
      return error_from_errno(errno, "poll");
    if (watched[0].revents != 0)
      reap();
    else if (watched[1].revents != 0)
      return Error(Code::kInterrupted, "interrupted");
  }
  return *ended_;
}

void ChildProcess::reap() {
  int status = 0;
  const pid_t pid = retry_interrupted([&] { return ::waitpid(pid_, &status, 0); });
  ended_ = ChildEnd{};
  if (pid == pid_ && WIFEXITED(status)) ended_->exit_code = WEXITSTATUS(status);
  if (pid == pid_ && WIFSIGNALED(status)) ended_->signal = WTERMSIG(status);
}

void ChildProcess::signal(int number) const { ::kill(leads_group_ ? -pid_ : pid_, number); }

void ChildProcess::end(Duration grace) {
  if (ended_) return;
  signal(SIGTERM);
  // A stopped process takes no SIGTERM.
  signal(SIGCONT);
  pollfd watched{process_.get(), POLLIN, 0};
  const SystemClock clock;
  const Instant give_up = clock.now() + grace;
  for (;;) {
    const Duration left = give_up - clock.now();
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    const int ready = ::poll(&watched, 1, static_cast<int>(std::max<std::int64_t>(ms, 0)));
    if (ready > 0 || left <= Duration(0)) break;
  }
  // Before the leader is reaped, so that the group's number is still its own.
  if (leads_group_ || watched.revents == 0) signal(SIGKILL);
  reap();
}

}  // namespace holdfast
