// One large getdents64 buffer that is never cleared: clearing one for each folder costs more than
// the call. The names are looked up in the order of their inodes, which is the order on the disk
// when nothing is cached, and then sorted.
#include "agent/posix/folder_lister.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "common/base/text.h"
#include "common/posix/system_call.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{128} * 1024;

// The layout that getdents64 fills in (struct linux_dirent64 of its manual page).
struct DirectoryRecord {
  std::uint64_t inode;
  std::int64_t offset;
  std::uint16_t length;
  std::uint8_t type;
  char name[1];
};

bool is_dot(const char* name) {
  return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

}  // namespace

void FolderListing::add(std::string_view name, const FileStat& stat) {
  items_.push_back({stat, names_.size(), static_cast<std::uint32_t>(name.size()), false});
  names_.append(name);
  names_ += '\0';
}

FolderLister::FolderLister() : buffer_(std::make_unique_for_overwrite<char[]>(kBufferBytes)) {}

Status FolderLister::read_names(int fd, const Skip& skip, std::string& names) {
  found_.clear();
  for (;;) {
    const long filled = retry_interrupted(
        [&] { return ::syscall(SYS_getdents64, fd, buffer_.get(), kBufferBytes); });
    if (filled < 0) return error_from_errno(errno, "cannot list the folder");
    if (filled == 0) return {};
    for (long at = 0; at < filled;) {
      const char* record = buffer_.get() + at;
      std::uint64_t inode;
      std::uint16_t length;
      std::memcpy(&inode, record + offsetof(DirectoryRecord, inode), sizeof inode);
      std::memcpy(&length, record + offsetof(DirectoryRecord, length), sizeof length);
      const char* name = record + offsetof(DirectoryRecord, name);
      at += length;
      if (is_dot(name)) continue;
      const std::size_t name_length = std::strlen(name);
      if (skip && skip({name, name_length})) continue;
      found_.push_back({inode, names.size(), static_cast<std::uint32_t>(name_length)});
      names.append(name, name_length + 1);
    }
  }
}

Status FolderLister::list(int fd, const Skip& skip, const Report& report, FolderListing& listing) {
  HOLDFAST_TRY(read_names(fd, skip, listing.names_));
  std::sort(found_.begin(), found_.end(),
            [](const Name& a, const Name& b) { return a.inode < b.inode; });
  listing.items_.reserve(found_.size());
  for (const Name& name : found_) {
    const char* c_name = listing.names_.c_str() + name.at;
    struct stat stat;
    if (::fstatat(fd, c_name, &stat, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) == 0) {
      listing.items_.push_back({file_stat(stat), name.at, name.length, false});
    } else if (errno == ENOENT) {
      report({c_name, name.length}, Error(Code::kChanged, "it vanished during the scan"));
    } else {
      report({c_name, name.length}, error_from_errno(errno, "lstat"));
    }
  }
  std::sort(listing.items_.begin(), listing.items_.end(),
            [&](const FolderListing::Item& a, const FolderListing::Item& b) {
              return listing.name(a) < listing.name(b);
            });
  // A folder that is changed while it is listed may name an entry twice.
  const auto end = std::unique(listing.items_.begin(), listing.items_.end(),
                               [&](const FolderListing::Item& a, const FolderListing::Item& b) {
                                 return listing.name(a) == listing.name(b);
                               });
  listing.items_.erase(end, listing.items_.end());
  return {};
}

}  // namespace holdfast::agent
