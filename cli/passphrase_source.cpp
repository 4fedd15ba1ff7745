#include "cli/passphrase_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <optional>

#include "common/posix/child_process.h"
#include "common/posix/system_call.h"

namespace holdfast::cli {
namespace {

constexpr std::size_t kMostBytes = 64 << 10;

std::optional<std::string> from_environment(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

// The first line of what a descriptor gives.
Result<std::string> read_line(int fd, std::string_view what) {
  std::string text;
  std::array<char, 4096> piece{};
  for (;;) {
    const ssize_t count = retry_interrupted([&] { return ::read(fd, piece.data(), piece.size()); });
    if (count < 0) return error_from_errno(errno, what);
    if (count == 0) break;
    text.append(piece.data(), static_cast<std::size_t>(count));
    if (text.find('\n') != std::string::npos) break;
    if (text.size() > kMostBytes)
      return Error(Code::kInvalidArgument, fmt::format("{}: longer than a passphrase", what));
  }
  text.resize(std::min(text.size(), text.find_first_of("\r\n")));
  return text;
}

Result<std::string> from_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return error_from_errno(errno, fmt::format("passphrase file {}", path));
  return read_line(file.get(), fmt::format("passphrase file {}", path));
}

// Of a command whose first line was read. It is read on, for it would wait for that; not to its
// end, for something that it left behind may keep that open.
Result<ChildEnd> end_of(ChildProcess& process, int output) {
  std::array<char, 4096> piece{};
  for (std::size_t more = 0;;) {
    auto end = process.wait(std::nullopt, output);
    if (end || end.error().code() != Code::kInterrupted) return end;
    const ssize_t count =
        retry_interrupted([&] { return ::read(output, piece.data(), piece.size()); });
    if (count <= 0) return process.wait();
    more += static_cast<std::size_t>(count);
    if (more > kMostBytes) return Error(Code::kInvalidArgument, "prints more than a passphrase");
  }
}

Result<std::string> from_command(const std::string& command) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return error_from_errno(errno, "pipe");
  const Descriptor reading(ends[0]);
  Descriptor writing(ends[1]);
  ChildCommand child;
  child.arguments = shell_command(command);
  child.output = writing.get();
  HOLDFAST_ASSIGN_OR(const auto process, ChildProcess::start(child), "passphrase command");
  writing.reset();
  HOLDFAST_ASSIGN(std::string line, read_line(reading.get(), "passphrase command"));
  HOLDFAST_ASSIGN_OR(const ChildEnd end, end_of(*process, reading.get()), "passphrase command");
  if (!end.succeeded())
    return Error(Code::kWrongPassphrase,
                 fmt::format("passphrase command \"{}\" {}", command, end.describe()));
  return line;
}

// Typed without echo. The terminal is as before when the process ends at once, too.
Result<std::string> from_terminal(Workplace& work, const Descriptor& terminal,
                                  std::string_view prompt) {
  termios before{};
  if (::tcgetattr(terminal.get(), &before) != 0) return error_from_errno(errno, "terminal");
  termios silent = before;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  silent.c_lflag |= ECHONL;
  work.on_sudden_end([&terminal, &before] { ::tcsetattr(terminal.get(), TCSANOW, &before); });
  ::tcsetattr(terminal.get(), TCSAFLUSH, &silent);
  if (::write(terminal.get(), prompt.data(), prompt.size()) < 0)
    return error_from_errno(errno, "terminal");
  auto line = work.elsewhere([&terminal] { return read_line(terminal.get(), "terminal"); });
  ::tcsetattr(terminal.get(), TCSANOW, &before);
  work.on_sudden_end(nullptr);
  return std::move(*line);
}

Result<std::string> obtain(Workplace& work, const PassphraseOptions& options, bool twice) {
  if (!options.file.empty()) return from_file(options.file);
  if (!options.command.empty())
    return std::move(*work.elsewhere([&options] { return from_command(options.command); }));
  if (auto text = from_environment("HOLDFAST_PASSPHRASE")) return *text;
  if (auto path = from_environment("HOLDFAST_PASSPHRASE_FILE")) return from_file(*path);
  const Descriptor terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
  if (!terminal)
    return Error(Code::kWrongPassphrase,
                 "no passphrase: set HOLDFAST_PASSPHRASE or HOLDFAST_PASSPHRASE_FILE, or use "
                 "--passphrase-file or --passphrase-command");
  HOLDFAST_ASSIGN(std::string text,
                  from_terminal(work, terminal, twice ? "new passphrase: " : "passphrase: "));
  if (!twice) return text;
  HOLDFAST_ASSIGN(const std::string again, from_terminal(work, terminal, "the same again: "));
  if (again != text)
    return Error(Code::kWrongPassphrase, "the two passphrases differ; nothing was done");
  return text;
}

}  // namespace

Result<std::string> obtain_passphrase(Workplace& work, const PassphraseOptions& options,
                                      bool twice) {
  HOLDFAST_ASSIGN(std::string text, obtain(work, options, twice));
  if (text.empty()) return Error(Code::kWrongPassphrase, "the passphrase is empty");
  return text;
}

}  // namespace holdfast::cli
