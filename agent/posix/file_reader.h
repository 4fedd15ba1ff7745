// Reads an open regular file from its beginning.
#pragma once

#include "agent/posix/file_stat.h"
#include "agent/source_tree.h"
#include "common/posix/descriptor.h"

namespace holdfast::agent {

class FileReader final : public ContentReader {
 public:
  // `stat`: of the open file.
  FileReader(Descriptor file, const FileStat& stat);

  Result<std::size_t> read(MutableByteView out) override;
  Result<std::optional<Entry>> changed_since(const Entry& scanned) override;

 private:
  Descriptor file_;
  std::uint64_t size_when_opened_;
  std::uint64_t position_ = 0;
};

}  // namespace holdfast::agent
