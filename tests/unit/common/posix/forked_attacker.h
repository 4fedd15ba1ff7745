// An attacker in a process of its own, so that its memory and its crashes are not taken for the
// node's. Made before the test has threads; it waits for its target, attacks, and reports single
// letters until it is killed.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "common/posix/curve_key_pair.h"
#include "common/posix/descriptor.h"

namespace holdfast {

// What the attacker is told. Plain bytes, sent through a socket.
struct Target {
  int port = 0;
  CurveKey server_key{};
  CurveKey public_key{};
  CurveKey secret_key{};
};

class Reporter {
 public:
  explicit Reporter(int fd) : fd_(fd) {}
  void operator()(char letter) const {
    if (::write(fd_, &letter, 1) != 1) ::_exit(0);  // the test is over
  }

 private:
  int fd_;
};

class ForkedAttacker {
 public:
  using Attack = void (*)(const Target&, const Reporter&);

  explicit ForkedAttacker(Attack attack) {
    int ends[2];
    check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
    ours_ = Descriptor(ends[0]);
    const Descriptor theirs(ends[1]);
    child_ = ::fork();
    check(child_ >= 0, "fork");
    if (child_ != 0) return;
    ours_.reset();
    Target target;
    if (::read(theirs.get(), &target, sizeof target) == sizeof target)
      attack(target, Reporter(theirs.get()));
    ::_exit(0);
  }
  ~ForkedAttacker() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  ForkedAttacker(const ForkedAttacker&) = delete;
  ForkedAttacker& operator=(const ForkedAttacker&) = delete;

  void go(int port, const CurveKey& server_key, const CurveKeyPair& keys) {
    Target target{port, server_key, keys.public_key, {}};
    std::copy(keys.secret_key.view().begin(), keys.secret_key.view().end(),
              target.secret_key.begin());
    check(::write(ours_.get(), &target, sizeof target) == sizeof target, "write");
  }
  // The next letter; 0 if none comes within the time.
  char next_report(int milliseconds = 60'000) {
    pollfd waiting{ours_.get(), POLLIN, 0};
    char got;
    if (::poll(&waiting, 1, milliseconds) != 1 || ::read(ours_.get(), &got, 1) != 1) return 0;
    return got;
  }
  // True once it has reported one of `letters` so many times; false after a minute of silence.
  bool reported_any(std::string_view letters, int times = 1) {
    while (times > 0) {
      const char got = next_report();
      if (got == 0) return false;
      if (letters.find(got) != std::string_view::npos) --times;
    }
    return true;
  }
  bool reported(char letter, int times = 1) {
    return reported_any(std::string_view(&letter, 1), times);
  }

 private:
  Descriptor ours_;
  pid_t child_ = -1;
};

// The most memory this process has had in RAM, in bytes, since it was reset.
inline std::size_t peak_memory() {
  FILE* file = std::fopen("/proc/self/status", "r");
  check(file != nullptr, "/proc/self/status");
  char line[256];
  std::size_t kilobytes = 0;
  while (std::fgets(line, sizeof line, file) != nullptr)
    if (std::sscanf(line, "VmHWM: %zu kB", &kilobytes) == 1) break;
  std::fclose(file);
  return kilobytes * 1024;
}
inline std::size_t reset_peak_memory() {
  if (FILE* file = std::fopen("/proc/self/clear_refs", "w")) {
    std::fputs("5", file);
    std::fclose(file);
  }
  return peak_memory();
}

// Sanitizers keep freed memory for a while, so how much there is says nothing.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMemoryIsMeasurable = false;
#else
constexpr bool kMemoryIsMeasurable = true;
#endif

}  // namespace holdfast
