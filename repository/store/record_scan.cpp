// A window of bytes moves over the segment; what is left at its end moves to its front before the
// next read, so that every byte is read once. When reading ahead fails, exactly the bytes that are
// needed are read once more: one bad sector must not take its neighbours with it.
#include "repository/store/record_scan.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/endian.h"
#include "common/base/planted_bug.h"
#include "common/content/checksum.h"

namespace holdfast::repository {
namespace {

constexpr std::uint64_t kMostOffset = std::uint64_t{1} << 60;  // no file system has files as long
constexpr std::size_t kHeadSize = 4096;    // of a payload that is not wanted whole
constexpr std::uint64_t kBadSector = 512;  // what is skipped when a device refuses to read

}  // namespace

Result<Buffer> read_record(SegmentFiles& segments, const Location& location, RecordType type) {
  const auto where = [&] {
    return fmt::format("segment {} offset {}", location.segment, location.offset);
  };
  if (location.length > kMaxRecordPayload || location.offset > kMostOffset)
    return Error(Code::kCorrupt, where() + ": no record can be there");
  auto file = segments.read(location.segment);
  if (!file) {
    if (file.error().code() == Code::kNotFound)
      return Error(Code::kCorrupt, where() + ": the segment is missing");
    return std::move(file).error();
  }
  Buffer record(kRecordHeaderSize + location.length);
  HOLDFAST_ASSIGN_OR(const std::size_t got,
                     (*file)->read_at(location.offset, record.mutable_view()), where());
  record.resize(got);
  HOLDFAST_ASSIGN_OR(const RecordHeader header, decode_record_header(record), where());
  if (header.type != type || header.length != location.length ||
      got != kRecordHeaderSize + location.length)
    return Error(Code::kCorrupt, where() + ": another record than the index names");
  const ByteView payload = record.view().subspan(kRecordHeaderSize);
  if (content::checksum64(payload) != header.payload_checksum &&
      !HOLDFAST_PLANTED("give a record without looking at its checksum"))
    return Error(Code::kCorrupt, where() + ": the record does not match its checksum");
  std::memmove(record.data(), payload.data(), payload.size());
  record.resize(location.length);
  return record;
}

RecordScan::RecordScan(std::shared_ptr<File> file, std::uint64_t begin, std::uint64_t end,
                       Options options)
    : file_(std::move(file)), at_(begin), end_(end), options_(std::move(options)) {}

// `size` bytes from `offset`, which lies before the end; fewer only at the end of the segment.
Result<ByteView> RecordScan::bytes_at(std::uint64_t offset, std::size_t size, bool ahead) {
  size = static_cast<std::size_t>(std::min<std::uint64_t>(size, end_ - offset));
  const bool inside = offset >= window_at_ && offset - window_at_ <= window_.size();
  std::size_t kept = inside ? window_.size() - static_cast<std::size_t>(offset - window_at_) : 0;
  if (kept >= size)
    return window_.view().subspan(static_cast<std::size_t>(offset - window_at_), size);

  const std::size_t wanted = static_cast<std::size_t>(
      std::min<std::uint64_t>(ahead ? std::max(size, options_.read_ahead) : size, end_ - offset));
  if (window_.capacity() < wanted) {
    Buffer larger(0, wanted);
    larger.resize(kept);
    if (kept > 0) std::memcpy(larger.data(), window_.data() + (offset - window_at_), kept);
    window_ = std::move(larger);
  } else if (kept > 0) {
    std::memmove(window_.data(), window_.data() + (offset - window_at_), kept);
  }
  window_at_ = offset;
  window_.resize(wanted);
  const MutableByteView rest = window_.mutable_view();
  auto got = file_->read_at(offset + kept, rest.subspan(kept));
  if (!got) {
    got = file_->read_at(offset + kept, rest.subspan(kept, size - kept));
    if (!got) {
      window_.resize(0);
      return std::move(got).error();
    }
  }
  window_.resize(kept + *got);
  return window_.view().first(std::min(size, window_.size()));
}

Status RecordScan::forgive(Error error, std::optional<Error>& kept) const {
  if (!options_.skip_unreadable) return error;
  kept = std::move(error);
  return {};
}

// The valid header at `offset` whose record ends within the segment.
Result<std::optional<RecordHeader>> RecordScan::header_at(std::uint64_t offset) {
  HOLDFAST_ASSIGN(const ByteView bytes, bytes_at(offset, kRecordHeaderSize, true));
  if (bytes.size() < kRecordHeaderSize) return std::optional<RecordHeader>();
  auto header = decode_record_header(bytes);
  if (!header) {
    if (header.error().code() == Code::kUnsupportedVersion) return std::move(header).error();
    return std::optional<RecordHeader>();
  }
  // The last record's padding may be missing; its bytes are whole all the same.
  if (header->length > end_ - offset - kRecordHeaderSize) return std::optional<RecordHeader>();
  return std::optional<RecordHeader>(*header);
}

// The first offset at or behind `from` where a record begins, or the end.
Result<std::uint64_t> RecordScan::resynchronize(std::uint64_t from) {
  for (std::uint64_t offset = from; offset < end_;) {
    auto header = header_at(offset);
    if (header && header->has_value()) return offset;
    // Bytes within a damaged frame may look like a newer program's record; they are no reason to
    // stop.
    if (header || header.error().code() == Code::kUnsupportedVersion) {
      offset += kRecordAlignment;
      continue;
    }
    HOLDFAST_TRY(forgive(std::move(header).error(), unreadable_));
    offset = (offset / kBadSector + 1) * kBadSector;
  }
  return end_;
}

Result<Stretch> RecordScan::record_at(std::uint64_t offset, const RecordHeader& header) {
  Stretch stretch{Stretch::kUnchecked, offset, record_size(header.length), header, {}, {}};
  const bool whole = !options_.wants_payload || options_.wants_payload(offset, header);
  const std::size_t size =
      kRecordHeaderSize + (whole ? header.length : std::min<std::size_t>(header.length, kHeadSize));
  auto bytes = bytes_at(offset, size, whole);
  if (!bytes) {
    HOLDFAST_TRY(forgive(std::move(bytes).error(), stretch.unreadable));
    stretch.kind = Stretch::kDamagedRecord;
    return stretch;
  }
  if (bytes->size() < size) {  // the file shrank meanwhile
    stretch.kind = Stretch::kDamagedRecord;
    return stretch;
  }
  stretch.payload = bytes->subspan(kRecordHeaderSize);
  if (whole)
    stretch.kind = content::checksum64(stretch.payload) == header.payload_checksum ||
                           HOLDFAST_PLANTED("scan records without their checksums")
                       ? Stretch::kRecord
                       : Stretch::kDamagedRecord;
  return stretch;
}

Result<std::optional<Stretch>> RecordScan::next() {
  if (at_ >= end_) return std::optional<Stretch>();
  unreadable_.reset();
  std::optional<RecordHeader> header;
  if (auto read = header_at(at_); read)
    header = *read;
  else if (read.error().code() == Code::kUnsupportedVersion)
    return std::move(read).error();
  else
    HOLDFAST_TRY(forgive(std::move(read).error(), unreadable_));
  if (header) {
    HOLDFAST_ASSIGN(Stretch stretch, record_at(at_, *header));
    at_ += stretch.size;
    return std::optional<Stretch>(std::move(stretch));
  }
  const std::uint64_t from = at_;
  HOLDFAST_ASSIGN(at_, resynchronize(from + kRecordAlignment));
  return std::optional<Stretch>(
      Stretch{Stretch::kNoRecord, from, at_ - from, {}, {}, std::move(unreadable_)});
}

}  // namespace holdfast::repository
