// Reads one folder: the names in it and what lstat says of each, in catalog order.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/posix/file_stat.h"
#include "agent/source_tree.h"

namespace holdfast::agent {

// All that is in one folder. A name and its stat take about 100 bytes, so that a folder with a
// million files fits in memory.
class FolderListing {
 public:
  struct Item {
    FileStat stat;
    std::size_t name_at = 0;
    std::uint32_t name_length = 0;
    bool entered = false;  // a folder whose content is visited next
  };

  std::string_view name(const Item& item) const {
    return std::string_view(names_).substr(item.name_at, item.name_length);
  }
  std::vector<Item>& items() { return items_; }
  const std::vector<Item>& items() const { return items_; }
  void add(std::string_view name, const FileStat& stat);

 private:
  friend class FolderLister;
  std::string names_;  // each followed by a NUL
  std::vector<Item> items_;
};

// Holds the buffers, which are reused from folder to folder. One for each thread.
class FolderLister {
 public:
  using Skip = std::function<bool(std::string_view name)>;
  using Report = std::function<void(std::string_view name, Error error)>;

  FolderLister();
  // Lists the open folder `fd`. `skip` (if set) is asked for each name before anything is read of
  // it. What cannot be read of one name goes to `report`; the error is one of the folder itself.
  Status list(int fd, const Skip& skip, const Report& report, FolderListing& listing);

 private:
  struct Name {
    std::uint64_t inode;
    std::size_t at;
    std::uint32_t length;
  };
  Status read_names(int fd, const Skip& skip, std::string& names);

  std::unique_ptr<char[]> buffer_;
  std::vector<Name> found_;
};

}  // namespace holdfast::agent
