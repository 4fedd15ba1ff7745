#include "agent/posix/file_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "common/posix/system_call.h"

namespace holdfast::agent {
namespace {

// From here on the kernel is told to read ahead twice as far as it would (posix_fadvise(2)).
// Smaller files fit into its usual window, and the call would cost them a tenth of their reading.
constexpr std::uint64_t kLargeFile = 1 << 20;
constexpr std::size_t kMostBytesPerCall = 1 << 30;  // read() takes no more than 2 GiB

}  // namespace

FileReader::FileReader(Descriptor file, const FileStat& stat)
    : file_(std::move(file)), size_when_opened_(stat.size) {
  if (stat.size >= kLargeFile) ::posix_fadvise(file_.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
}

Result<std::size_t> FileReader::read(MutableByteView out) {
  std::size_t filled = 0;
  while (filled < out.size()) {
    const std::size_t wanted = std::min(out.size() - filled, kMostBytesPerCall);
    const auto length =
        retry_interrupted([&] { return ::read(file_.get(), out.data() + filled, wanted); });
    if (length < 0) return error_from_errno(errno, "read");
    if (length == 0) break;
    filled += static_cast<std::size_t>(length);
    position_ += static_cast<std::uint64_t>(length);
    // At the size that the file had, the call that would say "end" is saved. If it has grown since,
    // changed_since() says so. Files of size 0 that have content (/proc) are read to the end.
    if (position_ == size_when_opened_) break;
  }
  return filled;
}

Result<std::optional<Entry>> FileReader::changed_since(const Entry& scanned) {
  struct stat stat;
  if (::fstat(file_.get(), &stat) != 0) return error_from_errno(errno, "fstat");
  const FileStat now = file_stat(stat);
  if (!differs(now, scanned)) return std::optional<Entry>();
  Entry entry = scanned;
  apply(now, entry);
  return std::optional<Entry>(std::move(entry));
}

}  // namespace holdfast::agent
