// One entry of a source tree: what lstat and the extended attributes say, without the content.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::agent {

struct Timestamp {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
  friend auto operator<=>(const Timestamp&, const Timestamp&) = default;
};

struct Xattr {
  std::string name;
  std::string value;
  friend auto operator<=>(const Xattr&, const Xattr&) = default;
};

enum class EntryCondition : std::uint8_t {
  kWhole = 0,
  kChangedWhileRead = 1,  // its content is what was read, some of it perhaps newer than the rest
  kUnreadable = 2,        // metadata only
};

// Of a regular file whose length shows only when it has been read to its end: a stream.
constexpr std::uint64_t kUnknownSize = INT64_MAX;

struct Entry {
  // Absolute without the leading '/', components separated by '/': "home/ann/x". Any bytes but NUL;
  // the root of the file system is "".
  std::string path;
  std::uint32_t mode = 0;  // st_mode
  std::uint32_t uid = 0, gid = 0;
  std::string user, group;  // names where the system knows them
  Timestamp mtime, ctime;
  std::uint64_t size = 0;
  std::uint64_t inode = 0, device = 0, links = 1;
  std::uint64_t special_device = 0;  // st_rdev
  std::string target;                // of a symbolic link
  std::vector<Xattr> xattrs;         // sorted by name; POSIX ACLs are among them
  EntryCondition condition = EntryCondition::kWhole;

  bool is_regular() const { return (mode & 0170000) == 0100000; }
  bool is_directory() const { return (mode & 0170000) == 0040000; }
  bool is_symlink() const { return (mode & 0170000) == 0120000; }
  std::string_view name() const {
    const auto slash = path.rfind('/');
    return std::string_view(path).substr(slash == std::string::npos ? 0 : slash + 1);
  }
  friend bool operator==(const Entry&, const Entry&) = default;
};

// The order of catalogs: component by component, each as unsigned bytes, so that a folder is
// directly followed by all that is in it ("a" < "a/b" < "a.b").
std::strong_ordering compare_paths(std::string_view a, std::string_view b);

}  // namespace holdfast::agent
