// With openat2 the kernel walks the whole path and refuses links and ".." by itself. Without it,
// the path is walked here, one component at a time; "no link, no .." then holds because each
// component is opened with O_NOFOLLOW and none is "..". A path that is too long for one call goes
// in stretches, each relative to the folder that the one before ended in.
#include "agent/posix/open_beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>

#include "common/base/planted_bug.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kLongestStretch = PATH_MAX - 1;  // without its NUL
constexpr int kStepFlags = O_PATH | O_DIRECTORY | O_CLOEXEC;
constexpr int kMostAttempts = 8;

// A path as the kernel wants it, without an allocation.
class PathBuffer {
 public:
  const char* set(std::string_view path) {
    std::memcpy(bytes_.data(), path.data(), path.size());
    bytes_[path.size()] = '\0';
    return bytes_.data();
  }

 private:
  std::array<char, PATH_MAX> bytes_;
};

// Opens `path` in stretches of at most `longest` bytes by `open(folder, stretch, is_last)`.
template <typename Open>
Descriptor open_in_stretches(int folder, std::string_view path, std::size_t longest, Open open) {
  Descriptor step;
  for (;;) {
    std::string_view stretch = path;
    if (path.size() > longest) {
      const std::size_t slash = path.rfind('/', longest);
      stretch = path.substr(0, slash == path.npos ? path.find('/') : slash);
    }
    if (stretch.size() > kLongestStretch) {
      errno = ENAMETOOLONG;
      return Descriptor();
    }
    const bool last = stretch.size() == path.size();
    Descriptor next = open(folder, stretch, last);
    if (!next || last) return next;
    step = std::move(next);
    folder = step.get();
    path.remove_prefix(stretch.size() + 1);
  }
}

Descriptor open_by_kernel(int folder, std::string_view path, int flags) {
  PathBuffer buffer;
  return open_in_stretches(
      folder, path, kLongestStretch, [&](int at, std::string_view stretch, bool last) {
        open_how how{};
        how.flags = static_cast<unsigned>(last ? flags | O_CLOEXEC | O_NOFOLLOW : kStepFlags);
        if (!HOLDFAST_PLANTED("follow a link in a restore"))
          how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
        const char* name = buffer.set(stretch);
        long fd = -1;
        for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
          fd = ::syscall(SYS_openat2, at, name, &how, sizeof how);
          // EAGAIN: a rename somewhere made the kernel unsure that it stayed beneath.
          if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) break;
        }
        return Descriptor(static_cast<int>(fd));
      });
}

Descriptor open_by_component(int folder, std::string_view path, int flags) {
  PathBuffer buffer;
  return open_in_stretches(folder, path, 0, [&](int at, std::string_view name, bool last) {
    const int wanted = last ? flags | O_CLOEXEC : kStepFlags;
    return Descriptor(::openat(at, buffer.set(name), wanted | O_NOFOLLOW));
  });
}

}  // namespace

Descriptor open_beneath(int folder, std::string_view path, int flags, KernelFeatures features) {
  if (path.empty()) return Descriptor(::openat(folder, ".", flags | O_CLOEXEC));
  return features.openat2 ? open_by_kernel(folder, path, flags)
                          : open_by_component(folder, path, flags);
}

Descriptor open_absolute(std::string_view path, int flags) {
  const Descriptor root(::open("/", kStepFlags));
  if (!root || path.empty()) return Descriptor(::open("/", flags | O_CLOEXEC));
  PathBuffer buffer;
  return open_in_stretches(
      root.get(), path, kLongestStretch, [&](int at, std::string_view stretch, bool last) {
        return Descriptor(::openat(at, buffer.set(stretch), last ? flags | O_CLOEXEC : kStepFlags));
      });
}

int noatime_for(unsigned uid) {
  static const unsigned own = ::geteuid();
  return own == 0 || own == uid ? O_NOATIME : 0;
}

}  // namespace holdfast::agent
