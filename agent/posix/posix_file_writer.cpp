// A file that exists is never opened for writing: its inode may have other names, outside the
// target too. It is replaced by a rename, so that it is there as a whole, old or new, at any time.
#include "agent/posix/posix_file_writer.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "agent/posix/restored_attributes.h"
#include "common/base/text.h"
#include "common/posix/system_call.h"

namespace holdfast::agent {
namespace {

constexpr int kCreateFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC;
constexpr std::size_t kMostBytesPerCall = 1 << 30;  // write() takes no more than 2 GiB

Error place_error(int value, std::string_view what, const TargetPlace& place) {
  return error_from_errno(value, std::string(what) + " \"" + printable(place.name) + "\"");
}

}  // namespace

std::string temporary_name() {
  Byte random[12];
  check(::getrandom(random, sizeof random, 0) == static_cast<ssize_t>(sizeof random),
        "the system has no randomness");
  return ".holdfast-" + hex_encode(random);
}

Result<std::unique_ptr<PosixFileWriter>> PosixFileWriter::create(TargetPlace place,
                                                                 const Entry& entry) {
  const auto open_new = [&](const std::string& name) {
    return Descriptor(static_cast<int>(retry_interrupted([&] {
      return ::openat(place.fd(), name.c_str(), kCreateFlags, creation_mode(*place.folder, entry));
    })));
  };
  std::string temporary;
  Descriptor file = open_new(place.name);
  if (!file && errno == EEXIST) {
    struct stat there {};
    if (::fstatat(place.fd(), place.c_name(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISDIR(there.st_mode))
      return Error(Code::kAlreadyExists,
                   "a folder is in the place of file \"" + printable(place.name) + "\"");
    temporary = temporary_name();
    file = open_new(temporary);
  }
  if (!file) return place_error(errno, "cannot create", place);
  return std::unique_ptr<PosixFileWriter>(
      new PosixFileWriter(std::move(place), std::move(temporary), std::move(file)));
}

PosixFileWriter::~PosixFileWriter() {
  if (finished_) return;
  const std::string& name = temporary_.empty() ? place_.name : temporary_;
  (void)::unlinkat(place_.fd(), name.c_str(), 0);
}

Status PosixFileWriter::write_at(std::uint64_t offset, ByteView bytes) {
  constexpr auto kLargestOffset = static_cast<std::uint64_t>(std::numeric_limits<off_t>::max());
  if (offset > kLargestOffset || bytes.size() > kLargestOffset - offset)
    return Error(Code::kInvalidArgument, "content behind the largest possible file");
  while (!bytes.empty()) {
    const std::size_t length = std::min(bytes.size(), kMostBytesPerCall);
    const auto written = retry_interrupted(
        [&] { return ::pwrite(file_.get(), bytes.data(), length, static_cast<off_t>(offset)); });
    if (written < 0) return place_error(errno, "cannot write", place_);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return {};
}

Status PosixFileWriter::finish(const Entry& entry) {
  check(!finished_, "a restored file was finished twice");
  struct stat now {};
  if (::fstat(file_.get(), &now) != 0) return place_error(errno, "fstat", place_);
  if (static_cast<std::uint64_t>(now.st_size) != entry.size) {
    if (entry.size > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max()))
      return Error(Code::kInvalidArgument, "a size beyond the largest possible file");
    if (::ftruncate(file_.get(), static_cast<off_t>(entry.size)) != 0)
      return place_error(errno, "cannot set the size of", place_);
  }
  Status attributes = set_attributes(file_.get(), now, entry, place_.folder->has_default_acl);
  if (!temporary_.empty() &&
      ::renameat(place_.fd(), temporary_.c_str(), place_.fd(), place_.c_name()) != 0)
    return place_error(errno, "cannot replace", place_);
  finished_ = true;
  if (!attributes)
    return std::move(attributes).error().with_context("\"" + printable(place_.name) + "\"");
  return {};
}

}  // namespace holdfast::agent
