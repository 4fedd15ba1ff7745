// Reading records: one by its location, or all of a segment one behind the other with what lies
// between them. What a scan finds behind damage is found by the magic and checksum of a record's
// header alone, so a hostile frame could hold what looks like a record: whoever takes a manifest or
// a charter from here checks its signature, and frames are opened by who can authenticate them.
#pragma once

#include <functional>
#include <optional>

#include "common/ports/file_system.h"
#include "repository/store/segment_files.h"
#include "repository/store/segment_format.h"

namespace holdfast::repository {

// The whole payload of the record at `location`. kCorrupt if it is not a valid record of this type
// and length, or the segment is not there; else what reading it failed with.
Result<Buffer> read_record(SegmentFiles& segments, const Location& location, RecordType type);

// A stretch of a segment: a record, or bytes that are none.
struct Stretch {
  enum Kind {
    kRecord,         // both checksums match
    kUnchecked,      // the header is valid; the payload was not wanted whole
    kDamagedRecord,  // the header is valid, the payload does not match or cannot be read
    kNoRecord,       // no valid header up to the next stretch, or up to the end
  };
  Kind kind;
  std::uint64_t offset;
  std::uint64_t size;   // with header and padding
  RecordHeader header;  // not of kNoRecord
  ByteView payload;     // whole (kRecord), or as much of its beginning as was read; until next()
  std::optional<Error> unreadable;  // the device failed here
};

class RecordScan {
 public:
  struct Options {
    std::size_t read_ahead = std::size_t{2} << 20;  // bytes a read; also the memory it takes
    // Whether the payload is to be read and checked; otherwise only its first 4 KiB are read.
    std::function<bool(std::uint64_t offset, const RecordHeader&)> wants_payload;
    // Takes a range that cannot be read for damage; otherwise next() fails with it.
    bool skip_unreadable = false;
  };
  // Goes through [begin, end) of `file`; begin is a record's or kSegmentHeaderSize.
  RecordScan(std::shared_ptr<File> file, std::uint64_t begin, std::uint64_t end, Options options);

  // nullopt at the end.
  Result<std::optional<Stretch>> next();
  std::uint64_t position() const { return at_; }

 private:
  Result<ByteView> bytes_at(std::uint64_t offset, std::size_t size, bool ahead);
  Result<std::optional<RecordHeader>> header_at(std::uint64_t offset);
  Result<std::uint64_t> resynchronize(std::uint64_t from);
  Result<Stretch> record_at(std::uint64_t offset, const RecordHeader& header);
  Status forgive(Error error, std::optional<Error>& kept) const;

  std::shared_ptr<File> file_;
  std::uint64_t at_, end_;
  Options options_;
  Buffer window_;  // what was read of [window_at_, window_at_ + window_.size())
  std::uint64_t window_at_ = 0;
  std::optional<Error> unreadable_;
};

}  // namespace holdfast::repository
