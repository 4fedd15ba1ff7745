#include "agent/posix/posix_target_view.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "agent/posix/file_stat.h"
#include "agent/posix/open_beneath.h"
#include "common/base/text.h"
#include "common/posix/system_call.h"

namespace holdfast::agent {
namespace {

// A folder that is deeper has been made by somebody who wants to exhaust our descriptors.
constexpr unsigned kMostDepth = PATH_MAX / 2;

Error error_for(int value, const std::string& path) {
  return error_from_errno(value, "\"" + printable(path) + "\" in the target");
}

bool is_absent(int value) { return value == ENOENT || value == ENOTDIR; }

Status check_path(std::string_view path) {
  bool sound = path.find('\0') == path.npos;
  for (std::size_t begin = 0; sound && !path.empty() && begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view name = path.substr(begin, end - begin);
    sound = !name.empty() && name != "." && name != "..";
    begin = end + 1;
  }
  if (sound) return {};
  return Error(Code::kInvalidArgument, "\"" + printable(path) + "\" is no path within a target");
}

std::string folder_path(const std::string& path) {
  const auto slash = path.rfind('/');
  return path.substr(0, slash == path.npos ? 0 : slash);
}
std::string last_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

Result<std::vector<std::string>> names_in(int folder, const std::string& path) {
  const int own = ::fcntl(folder, F_DUPFD_CLOEXEC, 0);
  DIR* const stream = own >= 0 ? ::fdopendir(own) : nullptr;
  if (stream == nullptr) {
    const int value = errno;
    if (own >= 0) ::close(own);
    return error_for(value, path);
  }
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* const entry = ::readdir(stream);  // NOLINT: one thread has this stream
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  const int value = errno;
  ::closedir(stream);
  if (value != 0) return error_for(value, path);
  return names;
}

// `name` in an open folder, whatever it is and with all that is in it.
Status remove_from(int folder, const std::string& name, const std::string& path, unsigned depth) {
  if (::unlinkat(folder, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR) return error_for(errno, path);
  if (depth == kMostDepth)
    return Error(Code::kResourceExhausted, "\"" + printable(path) + "\" is too deep to remove");
  Descriptor inside(
      ::openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!inside) return errno == ENOENT ? Status() : Status(error_for(errno, path));
  HOLDFAST_ASSIGN(const auto names, names_in(inside.get(), path));
  for (const std::string& child : names)
    HOLDFAST_TRY(remove_from(inside.get(), child, fmt::format("{}/{}", path, child), depth + 1));
  inside.reset();
  if (::unlinkat(folder, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
  return error_for(errno, path);
}

class PosixTargetFile final : public TargetFile {
 public:
  PosixTargetFile(Descriptor file, std::uint64_t size, std::string path)
      : file_(std::move(file)), size_(size), path_(std::move(path)) {}
  std::uint64_t size() const override { return size_; }
  Result<std::size_t> read_at(std::uint64_t offset, MutableByteView out) override {
    std::size_t filled = 0;
    while (filled < out.size()) {
      const ssize_t count = retry_interrupted([&] {
        return ::pread(file_.get(), out.data() + filled, out.size() - filled,
                       static_cast<off_t>(offset + filled));
      });
      if (count < 0) return error_for(errno, path_);
      if (count == 0) break;
      filled += static_cast<std::size_t>(count);
    }
    return filled;
  }

 private:
  const Descriptor file_;
  const std::uint64_t size_;
  const std::string path_;
};

}  // namespace

Result<std::unique_ptr<PosixTargetView>> PosixTargetView::at(const std::string& path,
                                                             KernelFeatures features) {
  Descriptor root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return error_from_errno(errno, "target " + printable(path));
  return std::unique_ptr<PosixTargetView>(new PosixTargetView(std::move(root), features));
}

Descriptor PosixTargetView::open_folder_of(const std::string& path) const {
  return open_beneath(root_.get(), folder_path(path), O_PATH | O_DIRECTORY, features_);
}

Result<std::optional<Entry>> PosixTargetView::look(const std::string& path) {
  HOLDFAST_TRY(check_path(path));
  const Descriptor folder = open_folder_of(path);
  struct stat stat {};
  const std::string name = path.empty() ? "." : last_name(path);
  if (!folder || ::fstatat(folder.get(), name.c_str(), &stat, AT_SYMLINK_NOFOLLOW) != 0) {
    // A link on the way is nothing that a restore would follow: behind it there is nothing.
    if (is_absent(errno) || errno == ELOOP) return std::optional<Entry>();
    return error_for(errno, path);
  }
  Entry entry;
  entry.path = path;
  apply(file_stat(stat), entry);
  return std::optional<Entry>(std::move(entry));
}

Result<std::vector<std::string>> PosixTargetView::list(const std::string& path) {
  HOLDFAST_TRY(check_path(path));
  const Descriptor folder = open_beneath(root_.get(), path, O_RDONLY | O_DIRECTORY, features_);
  if (!folder) {
    if (is_absent(errno) || errno == ELOOP) return std::vector<std::string>();
    return error_for(errno, path);
  }
  return names_in(folder.get(), path);
}

Status PosixTargetView::remove(const std::string& path) {
  HOLDFAST_TRY(check_path(path));
  if (path.empty()) return Error(Code::kInvalidArgument, "the target itself is never removed");
  const Descriptor folder = open_folder_of(path);
  if (!folder) return is_absent(errno) ? Status() : Status(error_for(errno, path));
  return remove_from(folder.get(), last_name(path), path, 0);
}

Result<std::unique_ptr<TargetFile>> PosixTargetView::open(const std::string& path) {
  HOLDFAST_TRY(check_path(path));
  // A fifo must not make the opening wait.
  Descriptor file = open_beneath(root_.get(), path, O_RDONLY | O_NONBLOCK | O_NOCTTY, features_);
  struct stat stat {};
  if (!file || ::fstat(file.get(), &stat) != 0) return error_for(errno, path);
  if (!S_ISREG(stat.st_mode))
    return Error(Code::kInvalidArgument, "\"" + printable(path) + "\" is no regular file");
  return std::unique_ptr<TargetFile>(std::make_unique<PosixTargetFile>(
      std::move(file), static_cast<std::uint64_t>(stat.st_size), path));
}

}  // namespace holdfast::agent
