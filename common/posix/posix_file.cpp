#include "common/posix/posix_file.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>

#include "common/posix/system_call.h"

namespace holdfast {
namespace {

// Offsets are off_t to the system; what lies beyond can never be in a file.
Status check_offset(std::uint64_t offset, std::uint64_t length, const std::string& path) {
  constexpr auto kLargest = static_cast<std::uint64_t>(LLONG_MAX);
  if (offset <= kLargest && length <= kLargest - offset) return {};
  return Error(Code::kInvalidArgument,
               path + ": an offset of " + std::to_string(offset) + " bytes is beyond any file");
}

// Drops `written` bytes from the front of `parts`; `first` is the first that is not used up.
void advance(std::vector<ByteView>& parts, std::size_t& first, std::size_t written) {
  while (first < parts.size() && written >= parts[first].size()) written -= parts[first++].size();
  if (written > 0) parts[first] = parts[first].subspan(written);
}

}  // namespace

Result<std::size_t> PosixFile::read_at(std::uint64_t offset, MutableByteView out) {
  HOLDFAST_TRY(check_offset(offset, out.size(), path_));
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t got = retry_interrupted([&] {
      return ::pread(descriptor_.get(), out.data() + done, out.size() - done,
                     static_cast<off_t>(offset + done));
    });
    if (got < 0) return system_error("read", path_);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

Status PosixFile::write_at(std::uint64_t offset, std::vector<ByteView> parts) {
  std::uint64_t total = 0;
  for (const ByteView part : parts) total += part.size();
  HOLDFAST_TRY(check_offset(offset, total, path_));
  std::size_t first = 0;
  advance(parts, first, 0);
  while (first < parts.size()) {
    std::array<iovec, 64> vectors;
    const std::size_t count = std::min(vectors.size(), parts.size() - first);
    for (std::size_t i = 0; i < count; ++i) {
      const ByteView part = parts[first + i];
      vectors[i] = {const_cast<Byte*>(part.data()), part.size()};
    }
    const ssize_t written = retry_interrupted([&] {
      return ::pwritev(descriptor_.get(), vectors.data(), static_cast<int>(count),
                       static_cast<off_t>(offset));
    });
    if (written < 0) return system_error("write", path_);
    if (written == 0) return Error(Code::kIo, "write " + path_ + ": the device takes no bytes");
    offset += static_cast<std::uint64_t>(written);
    advance(parts, first, static_cast<std::size_t>(written));
  }
  return {};
}

Status PosixFile::sync_data() {
  if (retry_interrupted([&] { return ::fdatasync(descriptor_.get()); }) != 0)
    return system_error("fdatasync", path_);
  return {};
}

Status PosixFile::forget_cached() {
  // Of the whole file. It passes over pages that are dirty, which sync_data() cared for, or mapped,
  // which none of ours ever is.
  if (const int failed = ::posix_fadvise(descriptor_.get(), 0, 0, POSIX_FADV_DONTNEED)) {
    errno = failed;
    return system_error("fadvise", path_);
  }
  return {};
}

Status PosixFile::truncate(std::uint64_t size) {
  HOLDFAST_TRY(check_offset(size, 0, path_));
  if (retry_interrupted([&] { return ::ftruncate(descriptor_.get(), static_cast<off_t>(size)); }))
    return system_error("truncate", path_);
  return {};
}

Result<std::uint64_t> PosixFile::size() {
  struct stat status {};
  if (::fstat(descriptor_.get(), &status) != 0) return system_error("stat", path_);
  return static_cast<std::uint64_t>(status.st_size);
}

void PosixFile::start_writeback(std::uint64_t offset, std::uint64_t length) {
  // 0 would mean "to the end". A hint that is refused costs speed only; errors of the device are
  // kept by the kernel for the next sync_data().
  if (length == 0 || !check_offset(offset, length, path_)) return;
  ::sync_file_range(descriptor_.get(), static_cast<off_t>(offset), static_cast<off_t>(length),
                    SYNC_FILE_RANGE_WRITE);
}

}  // namespace holdfast
