#include "repository/store/verification_time.h"

#include <fmt/format.h>

#include <charconv>

#include "common/content/checksum.h"

namespace holdfast::repository {
namespace {

constexpr std::size_t kLimit = 128;

std::string path_in(const std::string& store) { return store + "/verified"; }

// A digit that a disk has changed would be another time: hence a checksum.
std::string text_of(UnixTime ended) {
  const std::string time = fmt::format("verified {}", ended.nanoseconds);
  return fmt::format("{} {:016x}\n", time, content::checksum64(as_bytes(time)));
}

}  // namespace

Status keep_verification_time(FileSystem& files, const std::string& store, UnixTime ended) {
  return write_file_atomically(files, path_in(store), as_bytes(text_of(ended)));
}

std::optional<UnixTime> kept_verification_time(FileSystem& files, const std::string& store) {
  const auto bytes = read_file(files, path_in(store), kLimit);
  if (!bytes) return std::nullopt;
  const std::string_view text = as_text(*bytes);
  constexpr std::string_view kFirst = "verified ";
  if (!text.starts_with(kFirst)) return std::nullopt;
  UnixTime ended;
  std::from_chars(text.data() + kFirst.size(), text.data() + text.size(), ended.nanoseconds);
  if (text != text_of(ended)) return std::nullopt;
  return ended;
}

}  // namespace holdfast::repository
