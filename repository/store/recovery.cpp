// What lies behind the checkpoint may or may not have been durable when the machine stopped. So a
// segment is synced before what it holds goes to the index: after a mere restart of the process,
// its bytes may be in the page cache alone. And it is read from the device, not from the page
// cache: a sync may have failed before the process ended, of which this one is not told, and what
// was lost then is still seen.
//
// Invalid bytes with a valid record behind them in the segment are damage. Invalid bytes at its end
// are what a crash leaves; they were never acknowledged and are cut off, so that they are not taken
// for damage later. Only when the index is rebuilt, and most segments were sealed long ago, is that
// said of the last segment alone.
#include "repository/store/recovery.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/planted_bug.h"

namespace holdfast::repository {
namespace {

// Entries that may wait for the index while replaying.
constexpr std::size_t kBatchEntries = 16384;

std::string context(std::uint32_t segment) { return fmt::format("segment {}", segment); }

}  // namespace

Status Recovery::open(Status& cuts) {
  HOLDFAST_ASSIGN(const auto segments, parts_.segments.list());
  HOLDFAST_ASSIGN(const Checkpoint checkpoint, trusted_checkpoint(segments));
  HOLDFAST_ASSIGN(parts_.lengths, parts_.table.indexed_lengths());
  HOLDFAST_ASSIGN(parts_.anchor, parts_.table.anchor());
  HOLDFAST_TRY(load_records());
  HOLDFAST_TRY(parts_.closure.restore());
  const std::uint32_t last = segments.empty() ? 0 : segments.back();
  parts_.writer.begin_after(std::max(last, checkpoint.segment));

  for (const std::uint32_t segment : segments) {
    if (segment < checkpoint.segment) continue;
    if (HOLDFAST_PLANTED("forget what lies behind the checkpoint") && checkpoint.segment != 0)
      break;
    const std::uint64_t from =
        segment == checkpoint.segment ? checkpoint.offset : kSegmentHeaderSize;
    HOLDFAST_ASSIGN_OR(auto file, parts_.segments.read(segment), context(segment));
    HOLDFAST_ASSIGN_OR(const std::uint64_t size, file->size(), context(segment));
    const bool may_cut = !report_.index_rebuilt || segment == last;
    HOLDFAST_TRY_OR(replay(file, segment, from, size, may_cut), context(segment));
  }
  if (report_.index_rebuilt) HOLDFAST_TRY(flush_index());
  cuts = parts_.writer.make_cuts();
  if (!cuts || last == 0) return {};
  const auto length = parts_.lengths.find(last);
  if (length != parts_.lengths.end()) return resume(last, length->second);
  return {};
}

Status Recovery::rebuild() {
  const std::map<std::uint32_t, std::uint64_t> lengths = parts_.lengths;
  Status replayed = replay_all(lengths);
  if (!replayed) parts_.lengths = lengths;  // for the next attempt
  return replayed;
}

Status Recovery::replay_all(const std::map<std::uint32_t, std::uint64_t>& lengths) {
  parts_.lengths.clear();
  parts_.anchor.reset();
  parts_.records.clear();
  HOLDFAST_TRY(parts_.table.clear());
  HOLDFAST_TRY(parts_.closure.restore());
  HOLDFAST_ASSIGN(const auto segments, parts_.segments.list());
  for (const std::uint32_t segment : segments) {
    HOLDFAST_ASSIGN_OR(auto file, parts_.segments.read(segment), context(segment));
    HOLDFAST_ASSIGN_OR(std::uint64_t end, file->size(), context(segment));
    // What was given up behind the valid end of a segment stays given up.
    if (const auto known = lengths.find(segment); known != lengths.end())
      end = std::min(end, known->second);
    HOLDFAST_TRY_OR(replay(file, segment, kSegmentHeaderSize, end, false), context(segment));
  }
  return parts_.table.index().flush();
}

// The index's checkpoint, or zero after clearing an index that is damaged or of other segments.
Result<Checkpoint> Recovery::trusted_checkpoint(const std::vector<std::uint32_t>& segments) {
  auto checkpoint = parts_.table.index().checkpoint();
  if (checkpoint && *checkpoint == Checkpoint{}) {
    report_.index_rebuilt = !segments.empty();
    return checkpoint;
  }
  if (checkpoint) {
    auto fits = index_fits(segments, *checkpoint);
    if (fits && (*fits || HOLDFAST_PLANTED("trust an index of other segments"))) return checkpoint;
    if (!fits && fits.error().code() != Code::kCorrupt) return std::move(fits).error();
  } else if (checkpoint.error().code() != Code::kCorrupt) {
    return std::move(checkpoint).error().with_context("cannot read the index");
  }
  HOLDFAST_TRY(parts_.table.clear());
  report_.index_rebuilt = true;
  return Checkpoint{};
}

Result<bool> Recovery::index_fits(const std::vector<std::uint32_t>& segments,
                                  Checkpoint checkpoint) {
  HOLDFAST_ASSIGN(const auto lengths, parts_.table.indexed_lengths());
  for (const auto& [segment, length] : lengths)
    if (!std::binary_search(segments.begin(), segments.end(), segment)) return false;
  const auto last = lengths.find(checkpoint.segment);
  if (last == lengths.end() || last->second != checkpoint.offset) return false;
  HOLDFAST_ASSIGN(const auto newest, parts_.segments.read(checkpoint.segment));
  HOLDFAST_ASSIGN(const std::uint64_t size, newest->size());
  if (size < checkpoint.offset) return false;
  for (const RecordType type : {RecordType::kFrame, RecordType::kManifest, RecordType::kCharter})
    HOLDFAST_TRY(parts_.table.records(type));  // whether they can be read at all
  HOLDFAST_ASSIGN(const auto anchor, parts_.table.anchor());
  if (!anchor) return checkpoint.offset <= kSegmentHeaderSize;
  HOLDFAST_ASSIGN(auto file, parts_.segments.read(anchor->location.segment));
  std::array<Byte, kRecordHeaderSize> bytes{};
  HOLDFAST_ASSIGN(const std::size_t got, file->read_at(anchor->location.offset, bytes));
  const auto header = decode_record_header(ByteView(bytes).first(got));
  return header && header->length == anchor->location.length &&
         header->payload_checksum == anchor->payload_checksum;
}

Status Recovery::load_records() {
  for (const RecordType type : {RecordType::kManifest, RecordType::kCharter}) {
    HOLDFAST_ASSIGN(const auto locations, parts_.table.records(type));
    for (const Location& location : locations) {
      auto payload = read_record(parts_.segments, location, type);
      Status added = payload ? parts_.records.add(type, *payload, location)
                             : Status(std::move(payload).error());
      // One that is damaged is not here; a peer that has it will send it again.
      if (!added && added.error().code() != Code::kCorrupt) return added;
    }
  }
  return {};
}

// True if the segment's header is valid, false if it is damaged; fails if it is another's.
Result<bool> Recovery::check_header(File& file, std::uint32_t segment) {
  std::array<Byte, kSegmentHeaderSize> bytes{};
  HOLDFAST_ASSIGN(const std::size_t got, file.read_at(0, bytes));
  const ByteView header = ByteView(bytes).first(got);
  if (!segment_header_is_intact(header)) return false;
  HOLDFAST_ASSIGN(const std::uint32_t number, decode_segment_header(header, parts_.node));
  if (number != segment)
    return Error(Code::kCorrupt, fmt::format("its header says that it is segment {}", number));
  return true;
}

Status Recovery::replay(std::shared_ptr<File> file, std::uint32_t segment, std::uint64_t from,
                        std::uint64_t end, bool may_cut) {
  parts_.lengths[segment] = std::min(from, end);
  if (from > kSegmentHeaderSize && from == end) return {};
  if (!HOLDFAST_PLANTED("index what may be in the page cache alone"))
    HOLDFAST_TRY(file->sync_data());
  if (!HOLDFAST_PLANTED("index what a failed sync left in the page cache"))
    HOLDFAST_TRY(file->forget_cached());
  HOLDFAST_TRY(parts_.segments.sync_folder());
  bool header_is_valid = true;
  if (from <= kSegmentHeaderSize) {
    HOLDFAST_ASSIGN(header_is_valid, check_header(*file, segment));
  }

  std::uint64_t valid_end = header_is_valid ? from : 0;
  std::uint64_t doubtful = 0;  // stretches since the last valid record
  RecordScan scan(file, from, end, {});
  for (;;) {
    HOLDFAST_ASSIGN(const auto stretch, scan.next());
    if (!stretch) break;
    bool good = stretch->kind == Stretch::kRecord;
    if (good) {
      const Location location{segment, stretch->offset, stretch->header.length};
      HOLDFAST_ASSIGN(good, apply(*stretch, location));
      if (!good) ++report_.damaged_records;  // valid as a record, so it was written so
      report_.damaged_records += doubtful;
      doubtful = 0;
      ++report_.records_replayed;
      valid_end = stretch->offset + stretch->size;
      parts_.lengths[segment] = valid_end;
      parts_.anchor = Anchor{location, stretch->header.payload_checksum};
      if (parts_.table.unsynced_count() >= kBatchEntries && valid_end <= end)
        HOLDFAST_TRY(commit({segment, valid_end}));
    } else {
      ++doubtful;
      if (HOLDFAST_PLANTED("take what lies behind a gap for a torn tail")) break;
    }
  }
  if (valid_end > 0 && !header_is_valid) HOLDFAST_TRY(repair_header(segment));
  if (valid_end > end) HOLDFAST_TRY(restore_padding(segment, valid_end));
  if (may_cut)
    end_segment(segment, valid_end, end);
  else
    report_.damaged_records += doubtful;
  if (!may_cut) parts_.lengths[segment] = std::max(valid_end, end);  // damage, to be seen again
  if (valid_end > from) HOLDFAST_TRY(commit({segment, valid_end}));
  return {};
}

// Takes a valid record in. False if its payload is not what its type says.
Result<bool> Recovery::apply(const Stretch& stretch, const Location& location) {
  if (stretch.header.type != RecordType::kFrame) {
    Status added = parts_.records.add(stretch.header.type, stretch.payload, location);
    if (!added && added.error().code() != Code::kCorrupt) return std::move(added).error();
    parts_.table.put_record(stretch.header.type, location);
    return added.has_value();
  }
  const auto frame = format::parse_frame(stretch.payload);
  if (!frame) {
    if (frame.error().code() != Code::kCorrupt) return frame.error();
    return false;
  }
  HOLDFAST_ASSIGN(const FramePlan plan, parts_.closure.plan(frame->header));
  HOLDFAST_TRY(parts_.closure.take_in(plan, frame->header, location));
  return true;
}

// Cuts the segment off behind its last valid record; one without any header or record goes.
void Recovery::end_segment(std::uint32_t segment, std::uint64_t valid_end, std::uint64_t size) {
  if (size == valid_end && valid_end != 0) return;
  if (size > valid_end) report_.torn_bytes += size - valid_end;
  parts_.writer.cut(segment, valid_end);
  if (valid_end == 0) parts_.lengths.erase(segment);
}

// Its records are good, so its header can be written again: number and node are known.
Status Recovery::repair_header(std::uint32_t segment) {
  HOLDFAST_ASSIGN(auto file, parts_.segments.append_to(segment));
  HOLDFAST_TRY(file->write_at(0, {encode_segment_header(segment, parts_.node)}));
  return file->sync_data();
}

// A record that lost a part of its padding is whole. But an index that reaches beyond the segment's
// end is not believed, so the end is put right before the index is told.
Status Recovery::restore_padding(std::uint32_t segment, std::uint64_t valid_end) {
  HOLDFAST_ASSIGN(auto file, parts_.segments.append_to(segment));
  HOLDFAST_TRY(file->truncate(valid_end));
  return file->sync_data();
}

// The length of the checkpoint's segment always goes with it: the two are compared at opening.
Status Recovery::commit(Checkpoint checkpoint) {
  std::map<std::uint32_t, std::uint64_t> changed;
  for (const auto& [segment, length] : parts_.lengths)
    if (committed_lengths_[segment] != length) changed[segment] = length;
  committed_lengths_ = parts_.lengths;
  changed[checkpoint.segment] = committed_lengths_[checkpoint.segment] = checkpoint.offset;
  if (lag_) changed.merge(lag_->lengths);
  Status committed =
      parts_.table.commit(parts_.table.unsynced_mark(), checkpoint, parts_.anchor, changed);
  if (committed) {
    lag_.reset();
  } else if (committed.error().code() == Code::kNoSpace) {
    lag_ = Lag{std::move(committed).error(), checkpoint, std::move(changed)};
  } else {
    return committed;
  }
  return {};
}

// Only spares the next opening some replay: without room for it, it can wait.
Status Recovery::flush_index() {
  Status flushed = parts_.table.index().flush();
  if (!flushed && flushed.error().code() != Code::kNoSpace) return flushed;
  return {};
}

Status Recovery::resume(std::uint32_t segment, std::uint64_t end) {
  auto file = parts_.segments.append_to(segment);
  // Another segment will do.
  if (file) parts_.writer.resume(std::move(file).value(), end);
  return {};
}

}  // namespace holdfast::repository
