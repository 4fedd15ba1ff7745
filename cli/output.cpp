#include "cli/output.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "common/base/text.h"

namespace holdfast::cli {
namespace {

// Of the terminal on standard error; lines longer than that would break the drawing over.
std::size_t terminal_columns() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

std::string cut_to(std::string_view text, std::size_t columns) {
  std::size_t width = 0, at = 0;
  while (at < text.size() && width < columns) {
    ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
    ++width;
  }
  return std::string(text.substr(0, at));
}

std::string dump(const Json& object) {
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

void Output::put(std::FILE* to, std::string_view text) {
  erase_locked();
  if (std::fwrite(text.data(), 1, text.size(), to) != text.size() || std::fputc('\n', to) == EOF)
    open_ = open_ && to != stdout;
}

void Output::line(std::string_view text) {
  if (json) return;
  const std::lock_guard lock(mutex_);
  put(stdout, text);
}

void Output::text(std::string_view whole) {
  while (whole.ends_with('\n')) whole.remove_suffix(1);
  const std::lock_guard lock(mutex_);
  put(stdout, whole);
}

void Output::object(const Json& object) {
  if (!json) return;
  const std::lock_guard lock(mutex_);
  put(stdout, dump(object));
}

void Output::note(std::string_view text) {
  if (verbosity == 0 || json) return;
  const std::lock_guard lock(mutex_);
  put(stderr, text);
}

void Output::warning(std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (json)
    put(stderr, dump({{"message_type", "warning"}, {"message", text}}));
  else
    put(stderr, fmt::format("{}: warning: {}", program_, text));
}

void Output::error(const Error& error) {
  const std::lock_guard lock(mutex_);
  if (json)
    put(stderr, dump({{"message_type", "error"},
                      {"code", name(error.code())},
                      {"message", error.message()}}));
  else
    put(stderr, fmt::format("{}: {}", program_, error.message()));
}

bool Output::can_draw() const {
  if (json || verbosity == 0 || ::isatty(STDERR_FILENO) == 0) return false;
  const char* const terminal = std::getenv("TERM");
  return terminal != nullptr && std::string_view(terminal) != "dumb";
}

void Output::draw(const std::vector<std::string>& lines) {
  const std::lock_guard lock(mutex_);
  const std::size_t columns = terminal_columns();
  std::string text;
  if (drawn_lines_ > 0) text += fmt::format("\033[{}A", drawn_lines_);
  for (const std::string& line : lines) text += "\r\033[K" + cut_to(line, columns - 1) + "\n";
  for (std::size_t extra = lines.size(); extra < drawn_lines_; ++extra) text += "\r\033[K\n";
  drawn_lines_ = std::max(drawn_lines_, lines.size());
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

void Output::erase() {
  const std::lock_guard lock(mutex_);
  erase_locked();
}

void Output::erase_locked() {
  if (drawn_lines_ == 0) return;
  fmt::print(stderr, "\033[{}A\r\033[J", drawn_lines_);
  std::fflush(stderr);
  drawn_lines_ = 0;
}

Status Output::flush() {
  const std::lock_guard lock(mutex_);
  erase_locked();
  if (std::fflush(stdout) != 0) open_ = false;
  if (!open_) return Error(Code::kIo, "standard output: not all of it could be written");
  return {};
}

void put_bytes(Json& object, const std::string& name, const std::string& bytes) {
  if (is_utf8(bytes)) {
    object[name] = bytes;
    return;
  }
  object[name] = printable(bytes);
  object[name + "_base64"] = base64_encode(as_bytes(bytes));
}

void put_all(Json& object, const std::string& name, const std::vector<std::string>& all) {
  bool exact = true;
  Json plain = Json::array(), encoded = Json::array();
  for (const std::string& one : all) {
    exact = exact && is_utf8(one);
    plain.push_back(is_utf8(one) ? one : printable(one));
    encoded.push_back(base64_encode(as_bytes(one)));
  }
  object[name] = std::move(plain);
  if (!exact) object[name + "_base64"] = std::move(encoded);
}

void EmbeddedLog::note(const repository::Event& event) {
  if (event.severity == repository::Severity::kInfo) return;
  output_.warning(event.line);
}

}  // namespace holdfast::cli
