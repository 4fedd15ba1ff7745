#include "agent/posix/file_stat.h"

namespace holdfast::agent {

FileStat file_stat(const struct stat& from) {
  FileStat stat;
  // A folder's size says how its file system keeps names, nothing about its content.
  stat.size =
      S_ISREG(from.st_mode) || S_ISLNK(from.st_mode) ? static_cast<std::uint64_t>(from.st_size) : 0;
  stat.inode = from.st_ino;
  stat.device = from.st_dev;
  stat.links = from.st_nlink;
  stat.special_device = S_ISCHR(from.st_mode) || S_ISBLK(from.st_mode) ? from.st_rdev : 0;
  stat.mtime_seconds = from.st_mtim.tv_sec;
  stat.mtime_nanoseconds = static_cast<std::uint32_t>(from.st_mtim.tv_nsec);
  stat.ctime_seconds = from.st_ctim.tv_sec;
  stat.ctime_nanoseconds = static_cast<std::uint32_t>(from.st_ctim.tv_nsec);
  stat.mode = from.st_mode;
  stat.uid = from.st_uid;
  stat.gid = from.st_gid;
  return stat;
}

void apply(const FileStat& stat, Entry& entry) {
  entry.mode = stat.mode;
  entry.uid = stat.uid;
  entry.gid = stat.gid;
  entry.mtime = {stat.mtime_seconds, stat.mtime_nanoseconds};
  entry.ctime = {stat.ctime_seconds, stat.ctime_nanoseconds};
  entry.size = stat.size;
  entry.inode = stat.inode;
  entry.device = stat.device;
  entry.links = stat.links;
  entry.special_device = stat.special_device;
}

bool differs(const FileStat& stat, const Entry& entry) {
  return stat.size != entry.size || stat.inode != entry.inode || stat.device != entry.device ||
         stat.mtime_seconds != entry.mtime.seconds ||
         stat.mtime_nanoseconds != entry.mtime.nanoseconds ||
         stat.ctime_seconds != entry.ctime.seconds ||
         stat.ctime_nanoseconds != entry.ctime.nanoseconds;
}

}  // namespace holdfast::agent
