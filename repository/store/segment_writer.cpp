#include "repository/store/segment_writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/endian.h"
#include "common/base/planted_bug.h"

namespace holdfast::repository {
namespace {

std::string context(std::uint32_t segment) { return fmt::format("segment {}", segment); }

}  // namespace

void SegmentWriter::resume(std::shared_ptr<File> file, std::uint64_t end) {
  tails_.push_back({last_number_, std::move(file), end, end, end});
  appending_ = true;
}

Status SegmentWriter::begin_segment() {
  // A number is never used twice, even if the file of the last attempt went away again.
  const std::uint32_t number = ++last_number_;
  check(number != 0, "no segment number is left");
  auto file = segments_.create(number);
  if (!file) {
    // It may be there without a whole header, which a verification would take for damage.
    if (file.error().code() != Code::kAlreadyExists) cut(number, 0);
    return std::move(file).error().with_context(context(number));
  }
  if (appending_ && tails_.back().synced == tails_.back().end) tails_.pop_back();
  tails_.push_back({number, *std::move(file), kSegmentHeaderSize, 0, 0});
  appending_ = true;
  return {};
}

Result<Location> SegmentWriter::append(RecordType type, ByteView payload) {
  check(usable_, "an append to a writer that gave up");
  if (!appending_ || tails_.back().end >= segment_bytes_) {
    if (Status begun = begin_segment(); !begun) {
      usable_ = false;
      return std::move(begun).error();
    }
  }
  Tail& tail = tails_.back();
  static constexpr std::array<Byte, kRecordAlignment> kZeros{};
  const auto header = encode_record_header(type, payload);
  const auto length = static_cast<std::uint32_t>(payload.size());
  const std::uint64_t size = record_size(length);
  const ByteView padding =
      ByteView(kZeros).first(static_cast<std::size_t>(size - kRecordHeaderSize - payload.size()));
  if (Status written = tail.file->write_at(tail.end, {header, payload, padding});
      !written && !HOLDFAST_PLANTED("take a failed append for a good one")) {
    appending_ = usable_ = false;
    cut(tail.segment, tail.end);
    Error error = std::move(written).error().with_context(context(tail.segment));
    // At once if possible, so that no later crash finds the half record. start_afresh() does it
    // again otherwise.
    if (Status done = tail.file->truncate(tail.end); !done)
      return std::move(error).with_context(done.error().message());
    return error;
  }
  const Location location{tail.segment, tail.end, length};
  last_checksum_ = load_le<std::uint64_t>(header.data() + kRecordPayloadChecksumOffset);
  tail.end += size;
  hint_writeback(tail);
  return location;
}

void SegmentWriter::hint_writeback(Tail& tail) {
  if (tail.end - tail.written_back < writeback_bytes_) return;
  tail.file->start_writeback(tail.written_back, tail.end - tail.written_back);
  tail.written_back = tail.end;
}

Checkpoint SegmentWriter::end() const {
  if (tails_.empty()) return {};
  return {tails_.back().segment, tails_.back().end};
}

SyncPlan SegmentWriter::plan_sync() const {
  SyncPlan plan;
  for (const Tail& tail : tails_) {
    if (tail.synced < tail.end) plan.parts.push_back({tail.segment, tail.file, tail.end});
    plan.folder = plan.folder || tail.synced == 0;
  }
  return plan;
}

void SegmentWriter::synced(const SyncPlan& plan) {
  for (const SyncPlan::Part& part : plan.parts) {
    for (Tail& tail : tails_) {
      if (tail.segment == part.segment) tail.synced = std::max(tail.synced, part.end);
    }
  }
  // What is sealed and durable needs nothing more; the newest stays to be appended to.
  const std::uint32_t newest = tails_.empty() ? 0 : tails_.back().segment;
  std::erase_if(
      tails_, [&](const Tail& tail) { return tail.segment != newest && tail.synced == tail.end; });
}

bool SegmentWriter::has_lost(const SyncPlan& plan) const {
  return std::any_of(tails_.begin(), tails_.end(), [&](const Tail& tail) {
    return tail.lost && std::any_of(plan.parts.begin(), plan.parts.end(),
                                    [&](const auto& part) { return part.segment == tail.segment; });
  });
}

std::uint64_t SegmentWriter::unsynced_bytes() const {
  std::uint64_t bytes = 0;
  for (const Tail& tail : tails_) bytes += tail.end - tail.synced;
  return bytes;
}

void SegmentWriter::give_up_unsynced() {
  for (const Tail& tail : tails_)
    if (tail.synced < tail.end && !HOLDFAST_PLANTED("leave what a failed sync gives up"))
      cut(tail.segment, tail.synced);
  tails_.clear();
  appending_ = usable_ = false;
}

void SegmentWriter::cut(std::uint32_t segment, std::uint64_t length) {
  std::erase_if(cuts_, [&](const Cut& earlier) { return earlier.segment == segment; });
  cuts_.push_back({segment, length});
}

Status SegmentWriter::make_cuts() {
  const bool usable = usable_;
  while (!cuts_.empty()) {
    const Cut cut = cuts_.back();
    usable_ = false;
    if (cut.length == 0) {
      HOLDFAST_TRY_OR(segments_.remove(cut.segment), context(cut.segment));
      HOLDFAST_TRY(segments_.sync_folder());
    } else {
      // A fresh descriptor: one whose sync failed proves nothing any more.
      HOLDFAST_ASSIGN_OR(auto file, segments_.append_to(cut.segment), context(cut.segment));
      HOLDFAST_TRY_OR(file->truncate(cut.length), context(cut.segment));
      if (Status synced = file->sync_data(); !synced) {
        for (Tail& tail : tails_)
          if (tail.segment == cut.segment && tail.synced < tail.end) tail.lost = true;
        return std::move(synced).error().with_context(context(cut.segment));
      }
    }
    cuts_.pop_back();
    usable_ = usable;
  }
  return {};
}

Status SegmentWriter::start_afresh() {
  HOLDFAST_TRY(make_cuts());
  usable_ = false;
  HOLDFAST_TRY(begin_segment());
  Tail& tail = tails_.back();
  Status durable = tail.file->sync_data();
  if (durable) durable = segments_.sync_folder();
  if (!durable) {
    cut(tail.segment, 0);
    tails_.pop_back();
    appending_ = false;
    return std::move(durable).error().with_context(context(last_number_));
  }
  tail.synced = tail.end;
  usable_ = true;
  return {};
}

}  // namespace holdfast::repository
