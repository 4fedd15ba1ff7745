// One open regular file of PosixFileSystem.
#pragma once

#include <string>

#include "common/ports/file_system.h"
#include "common/posix/descriptor.h"

namespace holdfast {

class PosixFile final : public File {
 public:
  // `path` is for messages only.
  PosixFile(Descriptor descriptor, std::string path)
      : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

  Result<std::size_t> read_at(std::uint64_t offset, MutableByteView out) override;
  Status write_at(std::uint64_t offset, std::vector<ByteView> parts) override;
  Status sync_data() override;
  Status forget_cached() override;
  Status truncate(std::uint64_t size) override;
  Result<std::uint64_t> size() override;
  void start_writeback(std::uint64_t offset, std::uint64_t length) override;

 private:
  const Descriptor descriptor_;
  const std::string path_;
};

}  // namespace holdfast
