#include "agent/posix/stream_origin.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "common/base/text.h"

namespace holdfast::agent {

Result<int> StandardInput::begin() {
  if (::fcntl(STDIN_FILENO, F_GETFD) < 0) return error_from_errno(errno, "standard input");
  return STDIN_FILENO;
}

Result<int> CommandOutput::begin() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return error_from_errno(errno, "pipe");
  reading_ = Descriptor(ends[0]);
  const Descriptor writing(ends[1]);
  ChildCommand command;
  command.arguments = arguments_;
  command.output = writing.get();
  HOLDFAST_ASSIGN(child_, ChildProcess::start(command));
  return reading_.get();
}

Status CommandOutput::finish(int stop) {
  HOLDFAST_ASSIGN(const ChildEnd end, child_->wait(std::nullopt, stop));
  if (end.succeeded()) return {};
  return Error(Code::kIo, fmt::format("the command {} {}, so what it printed is not kept",
                                      printable(arguments_.front()), end.describe()));
}

}  // namespace holdfast::agent
