// Damage goes up, arrival goes up: both are followed to the end at once, so that between two calls
// the marks are always a fixpoint.
//
// Going up needs the lists above an object, which the index does not have. A pass over all metadata
// frames finds them; they are some hundredths of a store, their locations are noted, and damage is
// rare. Lists are stored after what they refer to, so that one pass in the order of the log mostly
// reaches every level; passes go on until one changes nothing.
#include "repository/store/closure.h"

#include <algorithm>
#include <map>

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
  incomplete_.wait(list, missing);
  ObjectIndex::Put put{list, *entries[0]};
  put.entry.incomplete = true;
  table_.mark({&put, 1});
  return lose({list});
}

// Marks `ids` and what is above them; returns those that were not marked yet.
Result<std::vector<ObjectId>> Closure::damage(std::vector<ObjectId> ids) {
  HOLDFAST_ASSIGN(const auto entries, table_.get(ids));
  std::vector<ObjectIndex::Put> changed;
  std::vector<ObjectId> fresh;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (!entries[i] || entries[i]->damaged) continue;
    ObjectIndex::Put put{ids[i], *entries[i]};
    put.entry.damaged = true;
    put.entry.incomplete = false;  // whatever it waited for: it has to come again itself
    incomplete_.forget(ids[i]);
    changed.push_back(put);
    fresh.push_back(ids[i]);
    ++damaged_;
  }
  if (fresh.empty()) return fresh;
  table_.mark(changed);
  if (!HOLDFAST_PLANTED("do not mark the lists above damage"))
    HOLDFAST_TRY(lose({fresh.begin(), fresh.end()}));
  return fresh;
}

Status Closure::lose(IdSet gone) {
  std::vector<Location> bad;  // metadata frames that turn out to be damaged, too
  for (bool grew = true; grew;) {
    grew = false;
    HOLDFAST_ASSIGN(const auto frames, table_.records(RecordType::kFrame));
    for (const Location& location : frames) {
      if (std::find(bad.begin(), bad.end(), location) != bad.end()) continue;
      auto bytes = read_record(segments_, location, RecordType::kFrame);
      auto frame = bytes ? format::parse_frame(*bytes) : Result<format::ParsedFrame>(bytes.error());
      if (frame) {
        HOLDFAST_ASSIGN(const bool more, lose_in_frame(frame->header, location, gone));
        grew = grew || more;
      } else if (frame.error().code() == Code::kCorrupt) {
        bad.push_back(location);
      } else {
        return std::move(frame).error();
      }
    }
  }
  for (const Location& location : bad) HOLDFAST_TRY(damage_record(location));
  return {};
}

// Whether a list of this frame was lost that was not in `gone` before.
Result<bool> Closure::lose_in_frame(const format::FrameHeader& header, const Location& location,
                                    IdSet& gone) {
  bool grew = false;
  for (const format::FrameObject& object : header.objects) {
    std::vector<ObjectId> missing;
    for (const ObjectId& ref : object.refs)
      if (gone.contains(ref)) missing.push_back(ref);
    if (missing.empty()) continue;
    HOLDFAST_ASSIGN(const auto entries, table_.get({&object.id, 1}));
    if (!entries[0] || entries[0]->location != location || entries[0]->damaged) continue;
    incomplete_.wait(object.id, missing);
    if (entries[0]->incomplete) continue;
    ObjectIndex::Put put{object.id, *entries[0]};
    put.entry.incomplete = true;
    table_.mark({&put, 1});
    grew = gone.insert(object.id).second || grew;
  }
  return grew;
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
    return true;
  }));
  if (incomplete == 0) {
    if (damaged_ == 0) table_.forget_marks();
    return {};
  }
  // A list may be marked although all is there, when the batch that completed it was lost: what
  // recovery replays then arrives again, or is found here.
  std::vector<ObjectId> complete_after_all;
  HOLDFAST_ASSIGN(const auto frames, table_.records(RecordType::kFrame));
  for (const Location& location : frames) {
    auto bytes = read_record(segments_, location, RecordType::kFrame);
    auto frame = bytes ? format::parse_frame(*bytes) : Result<format::ParsedFrame>(bytes.error());
    if (frame)
      HOLDFAST_TRY(restore_frame(frame->header, location, complete_after_all));
    else if (frame.error().code() != Code::kCorrupt)
      return std::move(frame).error();
  }
  for (const ObjectId& list : complete_after_all) {
    HOLDFAST_ASSIGN(const auto entries, table_.get({&list, 1}));
    ObjectEntry entry = *entries[0];
    entry.incomplete = false;
    table_.put(list, entry);
  }
  return complete(complete_after_all);
}

Status Closure::restore_frame(const format::FrameHeader& header, const Location& location,
                              std::vector<ObjectId>& complete_after_all) {
  HOLDFAST_ASSIGN(const auto entries, table_.get(ids_of(header)));
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!entries[i] || !entries[i]->incomplete || entries[i]->location != location) continue;
    const format::FrameObject& object = header.objects[i];
    HOLDFAST_ASSIGN(const auto present, table_.present(object.refs));
    std::vector<ObjectId> missing;
    for (std::size_t j = 0; j < present.size(); ++j)
      if (!present[j]) missing.push_back(object.refs[j]);
    if (missing.empty())
      complete_after_all.push_back(object.id);
    else
      incomplete_.wait(object.id, missing);
  }
  return {};
}

// The frame's header names its objects; but it may itself be what is damaged. It is believed if
// every id in it is known: a damaged id would not be. Otherwise the index is gone through.
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
      if (all_known) return ids;
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
    if (behind == by_begin.begin()) return true;
    const std::size_t at = std::prev(behind)->second;
    if (ranges[at].segment != location.segment || location.offset >= ranges[at].end) return true;
    used[at] = true;
    ids.push_back(id);
    return true;
  }));
  return ids;
}

}  // namespace holdfast::repository
