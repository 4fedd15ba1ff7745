// Reads are long and in disk order; the entries of all frames of a step are looked up together.
// A stretch that the device refuses to read is damage only if the device reads something else: when
// it reads nothing, the step fails and no mark is made.
#include "repository/store/verification.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "common/base/planted_bug.h"

namespace holdfast::repository {
namespace {

constexpr std::uint64_t kStepBytes = 8ull << 20;
constexpr std::uint64_t kStepRecords = 4096;
constexpr std::size_t kStepObjects = 16384;
constexpr std::size_t kHeadsReadAhead = 8192;  // when payloads are not read

// splitmix64 (Steele, Lea, Flood, OOPSLA 2014): the same frames for the same seed.
double sample_of(std::uint64_t seed, std::uint32_t segment, std::uint64_t offset) {
  std::uint64_t z = seed + 0x9e3779b97f4a7c15 * (offset + (std::uint64_t{segment} << 40) + 1);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  z ^= z >> 31;
  return static_cast<double>(z >> 11) * 0x1.0p-53;
}

std::string at(std::uint32_t segment, std::uint64_t offset) {
  return fmt::format("segment {} offset {}", segment, offset);
}

}  // namespace

Result<VerifyProgress> Verification::step(const VerifyDepth& depth, const Store::AgentKeys& keys) {
  if (!begun_) {
    begun_ = true;
    segment_ = 0;
    scan_.reset();
  }
  depth_ = depth;
  keys_ = &keys;
  seen_.clear();
  seen_signed_.clear();
  gaps_.clear();
  VerifyProgress progress;
  for (const auto& [segment, length] : parts_.lengths) progress.total_bytes += length;
  step_bytes_ = 0;
  step_objects_ = 0;
  while (step_bytes_ < kStepBytes && progress.records < kStepRecords &&
         step_objects_ < kStepObjects) {
    if (!scan_) {
      HOLDFAST_TRY(begin_segment(depth, progress));
      if (progress.done) break;
      continue;
    }
    auto stretch = scan_->next();
    const auto length = parts_.lengths.find(segment_);
    const bool went_away = length == parts_.lengths.end() || length->second < end_;
    if (!stretch) {
      progress.problems.push_back(
          fmt::format("{}: {}", at(segment_, scan_->position()), stretch.error().message()));
      scan_.reset();
    } else if (!*stretch || went_away) {  // its unsynced end was given up: on with the next
      scan_.reset();
    } else {
      HOLDFAST_TRY(visit(**stretch, progress));
    }
  }
  HOLDFAST_TRY(check_entries(progress));
  HOLDFAST_TRY(check_signed_records());
  HOLDFAST_TRY(check_gaps(progress));
  if (progress.done) {
    restart();
    file_.reset();
  }
  return progress;
}

Status Verification::begin_segment(const VerifyDepth& depth, VerifyProgress& progress) {
  const auto next = parts_.lengths.upper_bound(segment_);
  if (next == parts_.lengths.end()) {
    progress.done = true;
    return {};
  }
  segment_ = next->first;
  end_ = next->second;
  auto file = parts_.segments.read(segment_);
  if (!file) {
    if (file.error().code() != Code::kNotFound) return std::move(file).error();
    progress.problems.push_back(fmt::format("segment {} is missing", segment_));
    progress.bytes += end_;
    const SegmentRange all{segment_, 0, ~std::uint64_t{0}};
    HOLDFAST_ASSIGN(const RangeDamage lost, parts_.closure.damage_ranges({&all, 1}));
    progress.damaged.insert(progress.damaged.end(), lost.fresh.begin(), lost.fresh.end());
    return {};
  }
  file_ = *std::move(file);
  std::array<Byte, kSegmentHeaderSize> header{};
  HOLDFAST_ASSIGN(const std::size_t got, file_->read_at(0, header));
  const auto number = decode_segment_header(ByteView(header).first(got), parts_.node);
  if (!number || *number != segment_)
    progress.problems.push_back(fmt::format(
        "segment {}: {}", segment_,
        number ? "its header names another segment" : std::string_view(number.error().message())));
  progress.bytes += kSegmentHeaderSize;

  const bool payloads = depth.kind != VerifyDepth::kStructure;
  RecordScan::Options options;
  if (!payloads || depth.fraction < 0.5) options.read_ahead = kHeadsReadAhead;
  options.skip_unreadable = true;
  options.wants_payload = [payloads, depth, segment = segment_](std::uint64_t offset,
                                                                const RecordHeader& record) {
    if (record.type != RecordType::kFrame) return true;
    return payloads && !HOLDFAST_PLANTED("call a disk clean that was not read") &&
           (depth.fraction >= 1.0 || sample_of(depth.seed, segment, offset) < depth.fraction);
  };
  scan_.emplace(file_, kSegmentHeaderSize, end_, std::move(options));
  return {};
}

Status Verification::visit(const Stretch& stretch, VerifyProgress& progress) {
  progress.bytes += stretch.size;
  step_bytes_ += stretch.kind == Stretch::kUnchecked
                     ? std::min<std::uint64_t>(stretch.size, kHeadsReadAhead)
                     : stretch.size;
  if (stretch.unreadable) HOLDFAST_TRY(device_works());
  if (stretch.kind == Stretch::kNoRecord) {
    visit_gap({segment_, stretch.offset, stretch.offset + stretch.size});
    return {};
  }
  ++progress.records;
  const Location location{segment_, stretch.offset, stretch.header.length};
  const bool is_frame = stretch.header.type == RecordType::kFrame;
  if (is_frame) ++progress.frames;
  if (stretch.kind == Stretch::kDamagedRecord) {
    const std::string what = stretch.unreadable ? stretch.unreadable->message()
                                                : "the record does not match its checksum";
    return is_frame ? damage(location, what, progress)
                    : visit_signed_record(stretch, what, progress);
  }
  if (is_frame) return visit_frame(stretch, location, progress);
  seen_signed_.push_back(location);
  return {};
}

Status Verification::visit_frame(const Stretch& stretch, const Location& location,
                                 VerifyProgress& progress) {
  auto header = header_of(stretch);
  if (!header) {
    if (header.error().code() != Code::kCorrupt) return std::move(header).error();
    return damage(location, header.error().message(), progress);
  }
  if (stretch.kind == Stretch::kRecord && depth_.kind == VerifyDepth::kSignature) {
    const auto frame = format::parse_frame(stretch.payload);
    if (!frame) return damage(location, frame.error().message(), progress);
    const auto key = (*keys_)(frame->header.agent);
    if (!key) {
      progress.problems.push_back(fmt::format("{}: the charter does not know agent {}",
                                              at(segment_, stretch.offset),
                                              frame->header.agent.short_hex()));
    } else if (Status signature = format::verify_signature(*frame, *key); !signature) {
      return damage(location, signature.error().message(), progress);
    }
  }
  step_objects_ += header->objects.size() + header->refs.size();
  seen_.push_back({location, *std::move(header)});
  return {};
}

Result<format::FrameHeader> Verification::header_of(const Stretch& stretch) {
  HOLDFAST_ASSIGN(const std::size_t size, format::frame_head_size(stretch.payload));
  if (size > stretch.header.length) return Error(Code::kCorrupt, "frame: longer than its record");
  if (size <= stretch.payload.size()) return format::parse_frame_head(stretch.payload.first(size));
  Buffer head(size);
  HOLDFAST_ASSIGN(const std::size_t got,
                  file_->read_at(stretch.offset + kRecordHeaderSize, head.mutable_view()));
  head.resize(got);
  return format::parse_frame_head(head);
}

// A manifest or charter that nobody knows of was lost before the index was made, and is no loss
// that this store can speak of.
Status Verification::visit_signed_record(const Stretch& stretch, const std::string& what,
                                         VerifyProgress& progress) {
  HOLDFAST_ASSIGN(const bool known,
                  holds_signed_record({segment_, stretch.offset, stretch.offset + stretch.size}));
  if (!known) return {};
  progress.problems.push_back(at(segment_, stretch.offset) + ": " + what);
  lost_records_.push_back({segment_, stretch.offset, stretch.offset + stretch.size});
  return {};
}

// Where no record is that the index names: a gap between records, or a record that a device wrote
// to the wrong place.
void Verification::visit_gap(const SegmentRange& gap) {
  const auto known = rubbish_.find({gap.segment, gap.begin});
  if (known == rubbish_.end() || known->second < gap.end) gaps_.push_back(gap);
}

void Verification::visit_unused(const Location& location) {
  visit_gap({location.segment, location.offset, location.offset + record_size(location.length)});
}

// As with a bad copy of a record: a gap is a problem as long as something that lay in it is still
// to be replaced, and rubbish afterwards.
Status Verification::check_gaps(VerifyProgress& progress) {
  if (gaps_.empty()) return {};
  HOLDFAST_ASSIGN(const RangeDamage lost, parts_.closure.damage_ranges(gaps_));
  progress.damaged.insert(progress.damaged.end(), lost.fresh.begin(), lost.fresh.end());
  for (std::size_t i = 0; i < gaps_.size(); ++i) {
    const SegmentRange& gap = gaps_[i];
    HOLDFAST_ASSIGN(const bool known, holds_signed_record(gap));
    if (known) lost_records_.push_back(gap);
    if (lost.used[i] || known)
      progress.problems.push_back(fmt::format("{}: {} bytes are not what was stored there",
                                              at(gap.segment, gap.begin), gap.end - gap.begin));
    else
      rubbish_[{gap.segment, gap.begin}] = gap.end;
  }
  gaps_.clear();
  return {};
}

// A manifest or charter that nobody knows of at its place may lie over something else.
Status Verification::check_signed_records() {
  if (seen_signed_.empty()) return {};
  std::set<Location> known;
  for (const RecordType type : {RecordType::kManifest, RecordType::kCharter}) {
    HOLDFAST_ASSIGN(const auto locations, parts_.table.records(type));
    known.insert(locations.begin(), locations.end());
  }
  for (const Location& location : seen_signed_)
    if (!known.contains(location)) visit_unused(location);
  return {};
}

// Whether a manifest or charter is known to begin in the range.
Result<bool> Verification::holds_signed_record(const SegmentRange& range) {
  for (const RecordType type : {RecordType::kManifest, RecordType::kCharter}) {
    HOLDFAST_ASSIGN(const auto locations, parts_.table.records(type));
    const auto inside = [&](const Location& location) { return range.contains(location); };
    if (std::ranges::any_of(locations, inside)) return true;
  }
  return false;
}

Status Verification::damage(const Location& location, const std::string& what,
                            VerifyProgress& progress) {
  // A bad copy that a good one has replaced is rubbish, and no problem of anybody's.
  HOLDFAST_ASSIGN(const bool used, parts_.closure.is_used(location));
  if (!used) {
    visit_unused(location);
    return {};
  }
  progress.problems.push_back(at(location.segment, location.offset) + ": " + what);
  HOLDFAST_ASSIGN(const auto ids, parts_.closure.damage_record(location));
  progress.damaged.insert(progress.damaged.end(), ids.begin(), ids.end());
  return {};
}

// Whether the segment can be read at all.
Status Verification::device_works() {
  std::array<Byte, kSegmentHeaderSize> header{};
  HOLDFAST_ASSIGN([[maybe_unused]] const std::size_t got, file_->read_at(0, header));
  return {};
}

// Every object of the frames seen must be known to the index: here, or elsewhere if it was stored
// twice.
Status Verification::check_entries(VerifyProgress& progress) {
  std::vector<ObjectId> ids;
  for (const SeenFrame& seen : seen_)
    for (const format::FrameObject& object : seen.header.objects) ids.push_back(object.id);
  HOLDFAST_ASSIGN(const auto entries, parts_.table.get(ids));
  std::size_t next = 0;
  for (const SeenFrame& seen : seen_) {
    const auto own = std::span(entries).subspan(next, seen.header.objects.size());
    next += own.size();
    std::size_t unknown = 0, misplaced = 0;
    const bool used = std::ranges::any_of(
        own, [&](const auto& entry) { return entry && entry->location == seen.location; });
    if (!used) visit_unused(seen.location);
    for (std::size_t i = 0; i < own.size(); ++i) {
      if (!own[i])
        ++unknown;
      else if (own[i]->location == seen.location &&
               (own[i]->position >= own.size() ||
                seen.header.objects[own[i]->position].id != seen.header.objects[i].id ||
                own[i]->kind != seen.header.objects[i].kind))
        ++misplaced;
    }
    if (unknown > 0)
      progress.problems.push_back(fmt::format("{}: the index lacks {} of its objects",
                                              at(seen.location.segment, seen.location.offset),
                                              unknown));
    if (misplaced > 0)
      progress.problems.push_back(fmt::format("{}: the index misplaces {} of its objects",
                                              at(seen.location.segment, seen.location.offset),
                                              misplaced));
    if (!seen.header.refs.empty()) HOLDFAST_TRY(check_lists(seen, own, progress));
  }
  seen_.clear();
  return {};
}

Status Verification::check_lists(const SeenFrame& seen,
                                 std::span<const std::optional<ObjectEntry>> entries,
                                 VerifyProgress& progress) {
  std::size_t incomplete = 0;
  HOLDFAST_ASSIGN(const auto present, parts_.table.present(seen.header.refs));
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!entries[i] || entries[i]->location != seen.location || entries[i]->damaged) continue;
    const auto refs = seen.header.objects[i].refs;
    const auto first = static_cast<std::size_t>(refs.data() - seen.header.refs.data());
    std::vector<ObjectId> missing;
    for (std::size_t j = 0; j < refs.size(); ++j)
      if (!present[first + j]) missing.push_back(refs[j]);
    if (missing.empty()) continue;
    ++incomplete;
    if (!entries[i]->incomplete)
      HOLDFAST_TRY(parts_.closure.lose_list(seen.header.objects[i].id, missing));
  }
  if (incomplete > 0)
    progress.problems.push_back(fmt::format("{}: {} of its lists lack something below them",
                                            at(seen.location.segment, seen.location.offset),
                                            incomplete));
  return {};
}

}  // namespace holdfast::repository
