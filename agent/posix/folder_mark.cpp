#include "agent/posix/folder_mark.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/text.h"
#include "common/posix/descriptor.h"
#include "common/posix/system_call.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kMaxHeader = 4096;

}  // namespace

Result<FolderMark> FolderMark::parse(std::string_view text) {
  const auto colon = text.find(':');
  FolderMark mark;
  mark.name = text.substr(0, colon);
  if (colon != std::string_view::npos) mark.header = text.substr(colon + 1);
  if (mark.name.empty() || mark.name == "." || mark.name == ".." ||
      mark.name.find_first_of(std::string_view("/\0", 2)) != std::string::npos)
    return Error(Code::kInvalidArgument,
                 fmt::format("\"{}\" is not NAME or NAME:HEADER, NAME being that of a file "
                             "without a folder",
                             printable(text)));
  if (mark.header.size() > kMaxHeader)
    return Error(Code::kInvalidArgument, fmt::format("the header of {} is longer than {} bytes",
                                                     printable(mark.name), kMaxHeader));
  return mark;
}

FolderMark FolderMark::cache() {
  return {"CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55"};
}

bool FolderMark::is_in(int folder) const {
  struct stat stat;
  if (header.empty()) return ::fstatat(folder, name.c_str(), &stat, AT_SYMLINK_NOFOLLOW) == 0;
  const Descriptor file(
      ::openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file || ::fstat(file.get(), &stat) != 0 || !S_ISREG(stat.st_mode)) return false;
  std::string begin(header.size(), '\0');
  const auto length =
      retry_interrupted([&] { return ::read(file.get(), begin.data(), begin.size()); });
  return length == static_cast<ssize_t>(begin.size()) && begin == header;
}

}  // namespace holdfast::agent
