// Damage goes up, arrival goes up: both are followed to the end at once, so that between two calls
// the marks are always a fixpoint.
//
// Going up needs the lists above an object, which the index does not have. A pass over all metadata
// frames finds them; they are some hundredths of a store, their locations are noted, and damage is
// rare. Lists are stored after what they refer to, so that one pass in the order of the log mostly
// reaches every level; passes go on until one changes nothing. All of them are done before the
// first mark is made: where reading fails on the way, there are no marks rather than some.
#include "repository/store/closure.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "common/base/planted_bug.h"
#include "repository/store/record_scan.h"

namespace holdfast::repository {
namespace {

std::vector<ObjectId> ids_of(const format::FrameHeader& header) {
  std::vector<ObjectId> ids;
  ids.reserve(header.objects.size());
  for (const format::FrameObject& object : header.objects) ids.push_back(object.id);
  return ids;
}

}  // namespace

Result<FramePlan> Closure::plan(const format::FrameHeader& header) {
  FramePlan plan;
  const std::vector<ObjectId> ids = ids_of(header);
  HOLDFAST_ASSIGN(plan.known, table_.get(ids));
  plan.wanted.resize(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    plan.wanted[i] = !is_present(plan.known[i]);
    if (plan.wanted[i]) ++plan.wanted_count;
  }
  if (header.refs.empty() || plan.wanted_count == 0) return plan;

  std::vector<ObjectId> refs;
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (plan.wanted[i])
      refs.insert(refs.end(), header.objects[i].refs.begin(), header.objects[i].refs.end());
  HOLDFAST_ASSIGN(const std::vector<bool> present, table_.present(refs));
  plan.missing.resize(ids.size());
  IdSet complete_here;
  std::size_t next = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!plan.wanted[i]) continue;
    for (const ObjectId& ref : header.objects[i].refs)
      if (!present[next++] && !complete_here.contains(ref) &&
          !HOLDFAST_PLANTED("take a list whose refs are absent"))
        plan.missing[i].push_back(ref);
    if (plan.missing[i].empty())
      complete_here.insert(ids[i]);
    else
      plan.refs_missing = true;
  }
  return plan;
}

Result<std::uint64_t> Closure::take_in(const FramePlan& plan, const format::FrameHeader& header,
                                       const Location& location) {
  std::vector<ObjectId> arrived;
  IdSet taken;
  for (std::size_t i = 0; i < header.objects.size(); ++i) {
    if (!plan.wanted[i]) continue;
    const format::FrameObject& object = header.objects[i];
    const bool incomplete = !plan.missing.empty() && !plan.missing[i].empty();
    const auto& known = plan.known[i];
    // A copy that is no better than the one known brings nothing.
    if (incomplete && known && !known->damaged) continue;
    if (!taken.insert(object.id).second) continue;  // named twice by this frame
    if (known && known->damaged) --damaged_;
    table_.put(object.id,
               {location, object.kind, static_cast<std::uint16_t>(i), incomplete, false});
    if (incomplete) {
      incomplete_.wait(object.id, plan.missing[i]);
    } else {
      if (known && known->incomplete) incomplete_.forget(object.id);
      arrived.push_back(object.id);
    }
  }
  if (header.role == format::FrameRole::kMetadata && !taken.empty())
    table_.put_record(RecordType::kFrame, location);
  if (!incomplete_.empty()) HOLDFAST_TRY(complete(arrived));
  return taken.size();
}

Status Closure::complete(std::span<const ObjectId> arrived) {
  const std::vector<ObjectId> lists = incomplete_.arrived(arrived);
  HOLDFAST_ASSIGN(const auto entries, table_.get(lists));
  for (std::size_t i = 0; i < lists.size(); ++i) {
    if (!entries[i]) continue;
    ObjectEntry entry = *entries[i];
    entry.incomplete = false;
    // With what completed it, not before: it must not be complete in the index alone.
    table_.put(lists[i], entry);
  }
  return {};
}

Result<std::vector<ObjectId>> Closure::damage_record(const Location& location) {
  HOLDFAST_ASSIGN(auto ids, objects_at(location));
  return damage(std::move(ids));
}

Result<bool> Closure::is_used(const Location& location) {
  HOLDFAST_ASSIGN(const auto ids, objects_at(location));
  return !ids.empty();
}

Result<RangeDamage> Closure::damage_ranges(std::span<const SegmentRange> ranges) {
  RangeDamage found;
  HOLDFAST_ASSIGN(auto ids, objects_in_ranges(ranges, found.used));
  HOLDFAST_ASSIGN(found.fresh, damage(std::move(ids)));
  return found;
}

Status Closure::lose_list(const ObjectId& list, std::span<const ObjectId> missing) {
  HOLDFAST_ASSIGN(const auto entries, table_.get({&list, 1}));
  if (!entries[0]) return {};
  Losses losses;
  losses.entries[list] = *entries[0];
  losses.entries[list].incomplete = true;
  losses.waits.push_back({list, {missing.begin(), missing.end()}});
  HOLDFAST_TRY(lose_above(losses));
  mark(losses);
  return {};
}

// Marks `ids` and what is above them; returns those that were not marked yet.
Result<std::vector<ObjectId>> Closure::damage(std::vector<ObjectId> ids) {
  Losses losses;
  HOLDFAST_ASSIGN(const bool any, lose_damaged(ids, losses));
  if (!any) return losses.damaged;
  if (!HOLDFAST_PLANTED("do not mark the lists above damage")) HOLDFAST_TRY(lose_above(losses));
  mark(losses);
  return losses.damaged;
}

// Whether one of `ids` was not marked as damaged before.
Result<bool> Closure::lose_damaged(std::span<const ObjectId> ids, Losses& losses) {
  HOLDFAST_ASSIGN(const auto entries, table_.get(ids));
  bool grew = false;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!entries[i] || entries[i]->damaged) continue;
    ObjectEntry entry = *entries[i];
    entry.damaged = true;
    entry.incomplete = false;  // whatever it waited for: it has to come again itself
    const auto [staged, fresh] = losses.entries.try_emplace(ids[i], entry);
    if (!fresh && staged->second.damaged) continue;
    staged->second = entry;
    losses.damaged.push_back(ids[i]);
    grew = true;
  }
  return grew;
}

// Adds the lists above what is lost, until nothing is left to add.
Status Closure::lose_above(Losses& losses) {
  HOLDFAST_ASSIGN(const auto frames, table_.records(RecordType::kFrame));
  std::set<Location> bad;  // frames of lists that turn out to be damaged, too
  for (bool grew = true; grew;) {
    grew = false;
    std::vector<SegmentRange> found_bad;
    for (const Location& location : frames) {
      if (bad.contains(location)) continue;
      HOLDFAST_ASSIGN(const auto bytes, read_lists(location));
      const auto frame = bytes ? format::parse_frame(*bytes)
                               : Result<format::ParsedFrame>(Error(Code::kCorrupt, "damaged"));
      if (frame) {
        HOLDFAST_ASSIGN(const bool more, lose_in_frame(frame->header, location, losses));
        grew = grew || more;
      } else if (frame.error().code() == Code::kCorrupt) {
        bad.insert(location);
        found_bad.push_back({location.segment, location.offset, location.offset + 1});
      } else {
        return frame.error();
      }
    }
    if (found_bad.empty()) continue;
    std::vector<bool> used;
    HOLDFAST_ASSIGN(const auto ids, objects_in_ranges(found_bad, used));
    HOLDFAST_ASSIGN(const bool more, lose_damaged(ids, losses));
    grew = grew || more;
  }
  return {};
}

// Whether a list of this frame is lost that was not before.
Result<bool> Closure::lose_in_frame(const format::FrameHeader& header, const Location& location,
                                    Losses& losses) {
  bool grew = false;
  for (const format::FrameObject& object : header.objects) {
    std::vector<ObjectId> missing;
    for (const ObjectId& ref : object.refs)
      if (losses.entries.contains(ref)) missing.push_back(ref);
    if (missing.empty()) continue;
    HOLDFAST_ASSIGN(const auto entries, table_.get({&object.id, 1}));
    if (!entries[0] || entries[0]->location != location || entries[0]->damaged) continue;
    if (entries[0]->incomplete && !incomplete_.contains(object.id)) {
      // Its frame could not be read when the store was opened: it waits for more than this.
      HOLDFAST_ASSIGN(const auto present, table_.present(object.refs));
      for (std::size_t i = 0; i < present.size(); ++i)
        if (!present[i]) missing.push_back(object.refs[i]);
    }
    losses.waits.push_back({object.id, std::move(missing)});
    if (entries[0]->incomplete) continue;
    ObjectEntry entry = *entries[0];
    entry.incomplete = true;
    grew = losses.entries.try_emplace(object.id, entry).second || grew;
  }
  return grew;
}

void Closure::mark(const Losses& losses) {
  for (const auto& [list, missing] : losses.waits) incomplete_.wait(list, missing);
  for (const ObjectId& id : losses.damaged) incomplete_.forget(id);
  damaged_ += losses.damaged.size();
  std::vector<ObjectIndex::Put> changed;
  changed.reserve(losses.entries.size());
  for (const auto& [id, entry] : losses.entries) changed.push_back({id, entry});
  table_.mark(changed);
}

// The frame of lists at `location`; none if it is damaged. What the device refuses to read twice is
// damage if it reads something else of the segment; if it reads nothing, this fails.
Result<std::optional<Buffer>> Closure::read_lists(const Location& location) {
  auto bytes = read_record(segments_, location, RecordType::kFrame);
  if (!bytes && bytes.error().code() == Code::kIo)
    bytes = read_record(segments_, location, RecordType::kFrame);
  if (bytes) return std::optional<Buffer>(std::move(bytes).value());
  if (bytes.error().code() == Code::kIo) {
    HOLDFAST_ASSIGN(auto file, segments_.read(location.segment));
    std::array<Byte, kSegmentHeaderSize> header{};
    HOLDFAST_ASSIGN([[maybe_unused]] const std::size_t got, file->read_at(0, header));
  } else if (bytes.error().code() != Code::kCorrupt) {
    return std::move(bytes).error();
  }
  return std::optional<Buffer>();
}

Status Closure::restore() {
  incomplete_.clear();
  damaged_ = 0;
  HOLDFAST_ASSIGN(const bool marks, table_.may_hold_marks());
  if (!marks) return {};
  std::uint64_t incomplete = 0;
  HOLDFAST_TRY(table_.for_each([&](const ObjectId&, const ObjectEntry& entry) {
    if (entry.damaged) ++damaged_;
    if (entry.incomplete) ++incomplete;
  }));
  if (incomplete == 0) {
    if (damaged_ == 0) table_.forget_marks();
    return {};
  }
  // A list may be marked although all is there, when the batch that completed it was lost: what
  // recovery replays then arrives again, or is found here.
  std::vector<ObjectIndex::Put> complete_after_all;
  HOLDFAST_ASSIGN(const auto frames, table_.records(RecordType::kFrame));
  for (const Location& location : frames) {
    HOLDFAST_ASSIGN(const auto bytes, read_lists(location));
    if (!bytes) continue;
    auto frame = format::parse_frame(*bytes);
    if (frame)
      HOLDFAST_TRY(restore_frame(frame->header, location, complete_after_all));
    else if (frame.error().code() != Code::kCorrupt)
      return std::move(frame).error();
  }
  std::vector<ObjectId> arrived;
  for (const auto& [list, entry] : complete_after_all) {
    table_.put(list, entry);
    arrived.push_back(list);
  }
  return complete(arrived);
}

Status Closure::restore_frame(const format::FrameHeader& header, const Location& location,
                              std::vector<ObjectIndex::Put>& complete_after_all) {
  HOLDFAST_ASSIGN(const auto entries, table_.get(ids_of(header)));
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!entries[i] || !entries[i]->incomplete || entries[i]->location != location) continue;
    const format::FrameObject& object = header.objects[i];
    HOLDFAST_ASSIGN(const auto present, table_.present(object.refs));
    std::vector<ObjectId> missing;
    for (std::size_t j = 0; j < present.size(); ++j)
      if (!present[j]) missing.push_back(object.refs[j]);
    if (!missing.empty()) {
      incomplete_.wait(object.id, missing);
      continue;
    }
    ObjectEntry entry = *entries[i];
    entry.incomplete = false;
    complete_after_all.push_back({object.id, entry});
  }
  return {};
}

// The frame's header names its objects; but it may itself be what is damaged. It is believed if
// every id in it is known, which a damaged id would not be, and one of them lies here: another
// record may have been written over it. Otherwise the index is gone through.
Result<std::vector<ObjectId>> Closure::objects_at(const Location& location) {
  std::vector<ObjectId> ids;
  auto file = segments_.read(location.segment);
  if (file && location.length <= kMaxRecordPayload) {
    Buffer bytes(location.length);
    auto got = (*file)->read_at(location.offset + kRecordHeaderSize, bytes.mutable_view());
    auto frame = got && *got == bytes.size()
                     ? format::parse_frame(bytes)
                     : Result<format::ParsedFrame>(Error(Code::kCorrupt, "not readable"));
    if (frame) {
      const std::vector<ObjectId> named = ids_of(frame->header);
      HOLDFAST_ASSIGN(const auto entries, table_.get(named));
      bool all_known = true;
      for (std::size_t i = 0; i < named.size(); ++i) {
        if (!entries[i]) all_known = false;
        if (entries[i] && entries[i]->location == location) ids.push_back(named[i]);
      }
      if (all_known && !ids.empty()) return ids;
      ids.clear();
    }
  }
  const SegmentRange record{location.segment, location.offset, location.offset + 1};
  std::vector<bool> used;
  return objects_in_ranges({&record, 1}, used);
}

Result<std::vector<ObjectId>> Closure::objects_in_ranges(std::span<const SegmentRange> ranges,
                                                         std::vector<bool>& used) {
  std::map<std::pair<std::uint32_t, std::uint64_t>, std::size_t> by_begin;
  for (std::size_t i = 0; i < ranges.size(); ++i)
    by_begin[{ranges[i].segment, ranges[i].begin}] = i;
  used.assign(ranges.size(), false);
  std::vector<ObjectId> ids;
  HOLDFAST_TRY(table_.for_each([&](const ObjectId& id, const ObjectEntry& entry) {
    const Location& location = entry.location;
    const auto behind = by_begin.upper_bound({location.segment, location.offset});
    if (behind == by_begin.begin()) return;
    const std::size_t at = std::prev(behind)->second;
    if (!ranges[at].contains(location)) return;
    used[at] = true;
    ids.push_back(id);
  }));
  return ids;
}

}  // namespace holdfast::repository
