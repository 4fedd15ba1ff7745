// The folder of segments: naming, creating and opening them. A few open files are kept for reading,
// so that a node with thousands of segments does not open one for every frame it is asked for, nor
// keeps thousands open.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/digest.h"
#include "common/ports/file_system.h"

namespace holdfast::repository {

class SegmentFiles {
 public:
  // `folder` exists.
  SegmentFiles(FileSystem& files, std::string folder, const NodeId& node)
      : files_(files), folder_(std::move(folder)), node_(node) {}

  std::string path(std::uint32_t number) const;

  // The numbers of all segments, ascending. Files with other names are left alone.
  Result<std::vector<std::uint32_t>> list();
  // For reading; shared with later calls. kNotFound.
  Result<std::shared_ptr<File>> read(std::uint32_t number);
  // For appending; read() gives the same file from now on.
  Result<std::shared_ptr<File>> append_to(std::uint32_t number);
  // A new segment with its header written. Nothing of it is durable, not even its name.
  Result<std::shared_ptr<File>> create(std::uint32_t number);
  // Removes the segment; that it is not there is no error.
  Status remove(std::uint32_t number);
  Status sync_folder() { return files_.sync_directory(folder_); }

 private:
  void keep(std::uint32_t number, std::shared_ptr<File> file);

  FileSystem& files_;
  std::string folder_;
  NodeId node_;
  std::list<std::pair<std::uint32_t, std::shared_ptr<File>>> open_;  // most recently used first
};

}  // namespace holdfast::repository
