#include "repository/store/signed_records.h"

#include <algorithm>
#include <utility>

#include "common/base/endian.h"
#include "common/format/charter.pb.h"
#include "common/format/manifest.h"

namespace holdfast::repository {
namespace {

constexpr std::size_t kReceivedSize = 8;

bool lies_behind(const Location& location, const Checkpoint& end) {
  return Checkpoint{location.segment, location.offset} >= end;
}

// Whether it is lost with what lies behind `end`.
template <typename Held>
bool is_lost(Held& held, const Checkpoint& end) {
  if (!lies_behind(held.location, end)) return false;
  if (!held.before || lies_behind(*held.before, end)) return true;
  held.location = *std::exchange(held.before, std::nullopt);
  return false;
}

}  // namespace

Bytes encode_manifest_record(UnixTime received, ByteView signed_bytes) {
  Bytes payload(kReceivedSize + signed_bytes.size());
  store_le(payload.data(), static_cast<std::uint64_t>(received.nanoseconds));
  std::copy(signed_bytes.begin(), signed_bytes.end(), payload.begin() + kReceivedSize);
  return payload;
}

Result<std::uint64_t> charter_version(ByteView record) {
  format::CharterRecordProto outer;
  format::CharterProto charter;
  if (!outer.ParseFromArray(record.data(), static_cast<int>(record.size())) ||
      !charter.ParseFromString(outer.body()))
    return Error(Code::kCorrupt, "charter: malformed record");
  return charter.version();
}

Status SignedRecords::add(RecordType type, ByteView payload, const Location& location) {
  if (type == RecordType::kCharter) {
    HOLDFAST_ASSIGN(const std::uint64_t version, charter_version(payload));
    if (!has_charter(version, payload))
      charters_.push_back({version, {payload.begin(), payload.end()}, location, std::nullopt});
    return {};
  }
  if (type != RecordType::kManifest) return {};
  if (payload.size() < kReceivedSize) return Error(Code::kCorrupt, "manifest: record too short");
  const auto received = static_cast<std::int64_t>(load_le<std::uint64_t>(payload.data()));
  HOLDFAST_ASSIGN(auto parsed, format::parse_manifest(payload.subspan(kReceivedSize)));
  if (!places_.try_emplace(parsed.id, manifests_.size()).second) return {};
  manifests_.push_back({parsed.id, parsed.manifest.root, UnixTime{received},
                        std::move(parsed.bytes), location, std::nullopt});
  return {};
}

bool SignedRecords::has_charter(std::uint64_t version, ByteView record) const {
  return std::any_of(charters_.begin(), charters_.end(), [&](const HeldCharter& held) {
    return held.version == version &&
           std::equal(held.record.begin(), held.record.end(), record.begin(), record.end());
  });
}

const SignedRecords::HeldManifest* SignedRecords::manifest(const ManifestId& id) const {
  const auto found = places_.find(id);
  return found == places_.end() ? nullptr : &manifests_[found->second];
}

std::vector<const Bytes*> SignedRecords::charters() const {
  std::vector<const HeldCharter*> held;
  for (auto at = charters_.rbegin(); at != charters_.rend(); ++at) held.push_back(&*at);
  std::stable_sort(held.begin(), held.end(),
                   [](const auto* a, const auto* b) { return a->version > b->version; });
  std::vector<const Bytes*> records;
  records.reserve(held.size());
  for (const HeldCharter* charter : held) records.push_back(&charter->record);
  return records;
}

std::vector<SignedRecords::Held> SignedRecords::within(const SegmentRange& range) const {
  std::vector<Held> found;
  for (const HeldManifest& held : manifests_)
    if (range.contains(held.location))
      found.push_back({RecordType::kManifest,
                       encode_manifest_record(held.received, held.signed_bytes), held.location});
  for (const HeldCharter& held : charters_)
    if (range.contains(held.location))
      found.push_back({RecordType::kCharter, held.record, held.location});
  return found;
}

void SignedRecords::move(const Location& from, const Location& to) {
  const auto move_in = [&](auto& all) {
    for (auto& held : all) {
      if (held.location != from) continue;
      held.before = from;
      held.location = to;
    }
  };
  move_in(manifests_);
  move_in(charters_);
}

void SignedRecords::drop_from(const Checkpoint& end) {
  std::erase_if(manifests_, [&](auto& held) { return is_lost(held, end); });
  std::erase_if(charters_, [&](auto& held) { return is_lost(held, end); });
  places_.clear();
  for (std::size_t i = 0; i < manifests_.size(); ++i) places_[manifests_[i].id] = i;
}

void SignedRecords::clear() {
  manifests_.clear();
  places_.clear();
  charters_.clear();
}

}  // namespace holdfast::repository
