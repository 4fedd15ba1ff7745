#include "cli/workplace.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <barrier>
#include <cstdio>
#include <thread>

#include "cli/exit_code.h"
#include "common/posix/descriptor_limit.h"

namespace holdfast::cli {
namespace {

sigset_t end_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

// Before the members of Workplace that make threads.
unsigned prepare_process() {
  const sigset_t signals = end_signals();
  check(pthread_sigmask(SIG_BLOCK, &signals, nullptr) == 0, "signals cannot be blocked");
  signal(SIGPIPE, SIG_IGN);  // NOLINT: no handler that could return an error
  raise_descriptor_limit();
  // One more than cores: somebody mostly waits for a disk.
  return std::max(1U, std::thread::hardware_concurrency()) + 1;
}

}  // namespace

Workplace::Workplace(std::unique_ptr<FileSystem> files_of_its_own)
    : own_files_(std::move(files_of_its_own)), files(*own_files_), pool(prepare_process()) {
  const sigset_t signals = end_signals();
  signals_ = Descriptor(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  check(static_cast<bool>(signals_), "no descriptor left for signals");
  watch_ = loop.watch(signals_.get(), [this] { take_signal(); });
}

Workplace::~Workplace() { loop.unwatch(*watch_); }

ZmqContext& Workplace::zmq() {
  if (!zmq_) zmq_ = std::make_unique<ZmqContext>();
  return *zmq_;
}

void Workplace::drain() {
  const auto threads = static_cast<std::ptrdiff_t>(pool.concurrency());
  const auto all = std::make_shared<std::barrier<>>(threads + 1);
  for (std::ptrdiff_t thread = 0; thread < threads; ++thread)
    pool.submit([all] { all->arrive_and_wait(); });
  all->arrive_and_wait();
}

void Workplace::on_sudden_end(std::function<void()> action) {
  const std::lock_guard lock(mutex_);
  sudden_end_ = std::move(action);
}

void Workplace::take_signal() {
  signalfd_siginfo taken{};
  if (::read(signals_.get(), &taken, sizeof taken) != sizeof taken) return;
  if (interrupt_) return std::exchange(interrupt_, nullptr)();
  {
    const std::lock_guard lock(mutex_);
    if (sudden_end_) sudden_end_();
  }
  std::fputs("\nholdfast: interrupted\n", stderr);
  std::fflush(stdout);
  ::_exit(kInterruptedByUser);
}

}  // namespace holdfast::cli
