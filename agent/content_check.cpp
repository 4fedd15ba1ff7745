#include "agent/content_check.h"

#include <fmt/format.h>

#include "common/format/frame.h"

namespace holdfast::agent {

Status ContentCheck::check_file(const std::string& path, std::uint64_t size,
                                std::span<const ObjectId> chunks,
                                std::span<const std::uint32_t> lengths, std::uint64_t offset) {
  HOLDFAST_ASSIGN(const auto file, view_.open(path));
  if (file->size() != size)
    return Error(Code::kCorrupt, fmt::format("it has {} bytes in the target, {} in the snapshot",
                                             file->size(), size));
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const std::uint64_t length = lengths.empty() ? size : lengths[i];
    if (length > format::kMaxFramePlaintext)
      return Error(Code::kCorrupt, "a chunk larger than any may be");
    if (buffer_.capacity() < length) buffer_ = Buffer(length);
    buffer_.resize(length);
    HOLDFAST_ASSIGN(const std::size_t got, file->read_at(offset, buffer_.mutable_view()));
    if (got != length || identifier_.identify(format::ObjectKind::kData, {}, buffer_) != chunks[i])
      return Error(Code::kCorrupt, fmt::format("its {} bytes from {} are not those of the snapshot",
                                               length, offset));
    offset += length;
  }
  return {};
}

}  // namespace holdfast::agent
