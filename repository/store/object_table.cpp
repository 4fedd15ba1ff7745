// Names of notes are text, so that an index can be looked into with RocksDB's own tools:
//   record/TTTT/SSSSSSSS/OOOOOOOOOOOO   type, segment, offset -> length u32
//   segment/SSSSSSSS                    -> u64: so much of it is indexed
//   anchor                              -> segment u32, offset u64, length u32, checksum u64
//   marked                              -> empty: some entry may be incomplete or damaged
#include "repository/store/object_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <set>

#include "common/base/endian.h"

namespace holdfast::repository {
namespace {

constexpr std::string_view kAnchor = "anchor";
constexpr std::string_view kMarked = "marked";
constexpr std::string_view kSegmentPrefix = "segment/";
constexpr std::size_t kAnchorSize = 24;

std::string record_prefix(RecordType type) {
  return fmt::format("record/{:04x}/", static_cast<unsigned>(type));
}

std::string record_name(RecordType type, const Location& location) {
  return fmt::format("{}{:08x}/{:012x}", record_prefix(type), location.segment, location.offset);
}

template <typename T>
Bytes encoded(T value) {
  Bytes bytes(sizeof value);
  store_le(bytes.data(), value);
  return bytes;
}

template <typename T>
std::optional<T> parse_hex(std::string_view text) {
  T value{};
  const auto [stopped, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (text.empty() || error != std::errc() || stopped != text.data() + text.size()) return {};
  return value;
}

Error malformed(std::string_view name) {
  return Error(Code::kCorrupt,
               fmt::format("the index holds a malformed note \"{}\"", printable(name)));
}

// "SSSSSSSS/OOOOOOOOOOOO" and a length.
std::optional<Location> decode_location(std::string_view place, ByteView value) {
  constexpr std::size_t kSegmentDigits = 8;
  if (place.size() <= kSegmentDigits || place[kSegmentDigits] != '/' || value.size() != 4)
    return {};
  const auto segment = parse_hex<std::uint32_t>(place.substr(0, kSegmentDigits));
  const auto offset = parse_hex<std::uint64_t>(place.substr(kSegmentDigits + 1));
  if (!segment || !offset) return {};
  return Location{*segment, *offset, load_le<std::uint32_t>(value.data())};
}

}  // namespace

Result<ObjectTable::Entries> ObjectTable::get(std::span<const ObjectId> ids) {
  if (unsynced_.size() == 0) return index_.get(ids);
  Entries entries(ids.size());
  std::vector<ObjectId> rest;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (const ObjectEntry* entry = unsynced_.find(ids[i])) {
      entries[i] = *entry;
    } else {
      rest.push_back(ids[i]);
      places.push_back(i);
    }
  }
  if (rest.empty()) return entries;
  HOLDFAST_ASSIGN(const Entries found, index_.get(rest));
  for (std::size_t i = 0; i < rest.size(); ++i) entries[places[i]] = found[i];
  return entries;
}

Result<std::vector<bool>> ObjectTable::present(std::span<const ObjectId> ids) {
  HOLDFAST_ASSIGN(const Entries entries, get(ids));
  std::vector<bool> answers(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) answers[i] = is_present(entries[i]);
  return answers;
}

Status ObjectTable::for_each(
    const std::function<void(const ObjectId&, const ObjectEntry&)>& visit) {
  HOLDFAST_TRY(index_.for_each([&](const ObjectId& id, const ObjectEntry& entry) {
    if (unsynced_.find(id) == nullptr) visit(id, entry);
    return true;
  }));
  unsynced_.for_each(visit);
  return {};
}

void ObjectTable::put_record(RecordType type, const Location& location) {
  unsynced_.put_note(record_name(type, location), encoded(location.length));
}

void ObjectTable::drop_record(RecordType type, const Location& location) {
  unsynced_.put_note(record_name(type, location), std::nullopt);
}

void ObjectTable::mark(std::span<const ObjectIndex::Put> changed) {
  std::vector<ObjectIndex::Put> indexed;
  for (const ObjectIndex::Put& put : changed) {
    if (unsynced_.find(put.id) != nullptr)
      unsynced_.replace(put.id, put.entry);
    else
      indexed.push_back(put);
  }
  if (indexed.empty()) return;
  marked_ = true;
  const ObjectIndex::Note note{std::string(kMarked), Bytes()};
  auto checkpoint = index_.checkpoint();
  if (checkpoint && index_.write(indexed, {}, {&note, 1}, *checkpoint) && index_.flush()) return;
  for (const ObjectIndex::Put& put : indexed) unsynced_.put(put.id, put.entry);
}

Status ObjectTable::commit(const UnsyncedEntries::Mark& mark, Checkpoint checkpoint,
                           const std::optional<Anchor>& anchor,
                           const std::map<std::uint32_t, std::uint64_t>& segment_lengths) {
  const std::vector<ObjectIndex::Put> puts = unsynced_.entries_before(mark);
  std::vector<ObjectIndex::Note> notes = unsynced_.notes_before(mark);
  if (anchor) {
    Bytes value(kAnchorSize);
    store_le(value.data(), anchor->location.segment);
    store_le(value.data() + 4, anchor->location.offset);
    store_le(value.data() + 12, anchor->location.length);
    store_le(value.data() + 16, anchor->payload_checksum);
    notes.push_back({std::string(kAnchor), std::move(value)});
  }
  for (const auto& [segment, length] : segment_lengths)
    notes.push_back({fmt::format("{}{:08x}", kSegmentPrefix, segment), encoded(length)});
  if (std::any_of(puts.begin(), puts.end(), [](const ObjectIndex::Put& put) {
        return put.entry.incomplete || put.entry.damaged;
      })) {
    marked_ = true;
    notes.push_back({std::string(kMarked), Bytes()});
  }
  HOLDFAST_TRY_OR(index_.write(puts, {}, notes, checkpoint), "cannot write the index");
  unsynced_.forget_before(mark);
  return {};
}

Result<std::vector<Location>> ObjectTable::records(RecordType type) {
  const std::string prefix = record_prefix(type);
  std::vector<Location> locations;
  std::set<std::string, std::less<>> dropped;
  for (const ObjectIndex::Note& note : unsynced_.notes())
    if (!note.value && note.name.starts_with(prefix)) dropped.insert(note.name);
  std::optional<Error> failure;
  const auto add = [&](std::string_view name, ByteView value) {
    if (dropped.contains(name)) return true;
    if (const auto location = decode_location(name.substr(prefix.size()), value))
      locations.push_back(*location);
    else
      failure = malformed(name);
    return !failure;
  };
  HOLDFAST_TRY(index_.for_each_note(prefix, add));
  for (const ObjectIndex::Note& note : unsynced_.notes())
    if (note.value && note.name.starts_with(prefix)) add(note.name, *note.value);
  if (failure) return *std::move(failure);
  std::sort(locations.begin(), locations.end());
  locations.erase(std::unique(locations.begin(), locations.end()), locations.end());
  return locations;
}

Result<bool> ObjectTable::may_hold_marks() {
  bool found = marked_;
  HOLDFAST_TRY(index_.for_each_note(kMarked, [&](std::string_view, ByteView) {
    found = true;
    return false;
  }));
  return found;
}

void ObjectTable::forget_marks() {
  marked_ = false;
  unsynced_.put_note(std::string(kMarked), std::nullopt);
}

Result<std::map<std::uint32_t, std::uint64_t>> ObjectTable::indexed_lengths() {
  std::map<std::uint32_t, std::uint64_t> lengths;
  std::optional<Error> failure;
  HOLDFAST_TRY(index_.for_each_note(kSegmentPrefix, [&](std::string_view name, ByteView value) {
    const auto segment = parse_hex<std::uint32_t>(name.substr(kSegmentPrefix.size()));
    if (segment && value.size() == 8)
      lengths[*segment] = load_le<std::uint64_t>(value.data());
    else
      failure = malformed(name);
    return !failure;
  }));
  if (failure) return *std::move(failure);
  return lengths;
}

Result<std::optional<Anchor>> ObjectTable::anchor() {
  std::optional<Anchor> anchor;
  std::optional<Error> failure;
  HOLDFAST_TRY(index_.for_each_note(kAnchor, [&](std::string_view name, ByteView value) {
    if (name != kAnchor) return true;
    if (value.size() == kAnchorSize)
      anchor =
          Anchor{{load_le<std::uint32_t>(value.data()), load_le<std::uint64_t>(value.data() + 4),
                  load_le<std::uint32_t>(value.data() + 12)},
                 load_le<std::uint64_t>(value.data() + 16)};
    else
      failure = malformed(name);
    return false;
  }));
  if (failure) return *std::move(failure);
  return anchor;
}

Status ObjectTable::clear() {
  HOLDFAST_TRY_OR(index_.clear(), "cannot clear the index");
  unsynced_.clear();
  marked_ = false;
  return {};
}

}  // namespace holdfast::repository
