// The part of struct stat that an Entry keeps, small enough to hold for every name of a huge
// folder.
#pragma once

#include <sys/stat.h>

#include "agent/entry.h"

namespace holdfast::agent {

struct FileStat {
  std::uint64_t size = 0, inode = 0, device = 0, links = 1, special_device = 0;
  std::int64_t mtime_seconds = 0, ctime_seconds = 0;
  std::uint32_t mtime_nanoseconds = 0, ctime_nanoseconds = 0;
  std::uint32_t mode = 0, uid = 0, gid = 0;

  bool is_directory() const { return S_ISDIR(mode); }
  bool is_regular() const { return S_ISREG(mode); }
};

FileStat file_stat(const struct stat& from);
void apply(const FileStat& stat, Entry& entry);
// Whether the file is no longer what `entry` describes: another inode, or size, mtime or ctime
// differ.
bool differs(const FileStat& stat, const Entry& entry);

}  // namespace holdfast::agent
