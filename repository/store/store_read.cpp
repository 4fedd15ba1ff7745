// Giving back and checking what is stored.
#include <fmt/format.h>

#include "repository/store/record_scan.h"
#include "repository/store/store_state.h"
#include "repository/store/verification_time.h"

namespace holdfast::repository {
namespace {

ManifestRecord to_record(const SignedRecords::HeldManifest& held, bool complete) {
  return {held.id, held.received, held.signed_bytes, complete};
}

}  // namespace

Result<std::optional<ObjectEntry>> Store::locate(const ObjectId& id) {
  HOLDFAST_ASSIGN(const auto entries, state_->parts.table.get({&id, 1}));
  return entries[0];
}

Result<Buffer> Store::read_frame(const ObjectId& id) {
  StoreParts& parts = state_->parts;
  HOLDFAST_ASSIGN(const auto entry, locate(id));
  if (!entry) return Error(Code::kNotFound, fmt::format("object {} is not here", id.short_hex()));
  if (entry->damaged)
    return Error(Code::kCorrupt, fmt::format("object {}: its copy is damaged", id.short_hex()));
  auto bytes = read_record(parts.segments, entry->location, RecordType::kFrame);
  std::optional<Error> failure;
  bool frame_is_good = false;
  if (!bytes) {
    failure = bytes.error();
  } else {
    const auto frame = format::parse_frame(*bytes);
    if (!frame)
      failure = frame.error();
    else if (entry->position >= frame->header.objects.size() ||
             frame->header.objects[entry->position].id != id) {
      failure = Error(Code::kCorrupt, "its frame does not hold it");
      frame_is_good = true;  // it is the index that is wrong, and about this object
    }
  }
  if (!failure) return bytes;
  if (failure->code() == Code::kCorrupt) {
    if (!frame_is_good) HOLDFAST_TRY(parts.closure.damage_record(entry->location));
    // Where nothing can lie, nothing was found to mark.
    HOLDFAST_TRY(parts.closure.damage({id}));
  }
  return std::move(*failure).with_context(fmt::format("object {}", id.short_hex()));
}

Result<bool> Store::report_damage(const ObjectId& id, const AgentKeys& keys) {
  HOLDFAST_ASSIGN(const auto entry, locate(id));
  if (!entry) return false;
  if (entry->damaged) return true;
  auto bytes = read_frame(id);
  if (!bytes) {
    if (bytes.error().code() == Code::kCorrupt) return true;
    return std::move(bytes).error();
  }
  HOLDFAST_ASSIGN(const auto frame, format::parse_frame(*bytes));
  bool bad = !format::verify_checksum(*bytes);
  if (!bad) {
    const auto key = keys(frame.header.agent);
    bad = key && !format::verify_signature(frame, *key);
  }
  if (bad) HOLDFAST_TRY(state_->parts.closure.damage_record(entry->location));
  return bad;
}

std::vector<ManifestRecord> Store::manifests() {
  std::vector<ManifestRecord> all;
  std::vector<ObjectId> roots;
  for (const auto& held : state_->parts.records.manifests()) roots.push_back(held.root);
  const auto present = state_->parts.table.present(roots);
  for (const auto& held : state_->parts.records.manifests())
    all.push_back(to_record(held, present && (*present)[all.size()]));
  return all;
}

std::optional<ManifestRecord> Store::manifest(const ManifestId& id) {
  const auto* held = state_->parts.records.manifest(id);
  if (held == nullptr) return std::nullopt;
  const auto present = state_->parts.table.present({&held->root, 1});
  return to_record(*held, present && (*present)[0]);
}

std::optional<Bytes> Store::charter(const std::function<bool(ByteView)>& passes) {
  for (const Bytes* record : state_->parts.records.charters())
    if (!passes || passes(*record)) return *record;
  return std::nullopt;
}

Result<VerifyProgress> Store::verify_step(const VerifyDepth& depth, const AgentKeys& keys,
                                          bool restart) {
  if (restart) state_->verification.restart();
  HOLDFAST_ASSIGN(auto progress, state_->verification.step(depth, keys));
  state_->write_again(state_->verification.take_lost_records());
  return progress;
}

std::optional<UnixTime> Store::fully_verified_at() const { return state_->fully_verified_at; }

void Store::set_fully_verified_at(UnixTime ended) {
  state_->fully_verified_at = ended;
  // On a disk that takes no writes an earlier time stays: then more is verified than need be.
  static_cast<void>(keep_verification_time(state_->files, state_->path, ended));
}

// Manifests and charters are in memory, too: those that are damaged on the disk are written again
// there, or the next process would not have them. If that fails, their damage is met again.
void Store::State::write_again(const std::vector<SegmentRange>& lost) {
  bool any = false;
  for (const SegmentRange& range : lost) {
    for (const SignedRecords::Held& held : parts.records.within(range)) {
      if (!writable()) return;
      const auto location = append(held.type, held.payload);
      if (!location) return;
      parts.table.put_record(held.type, *location);
      parts.table.drop_record(held.type, held.location);
      parts.records.move(held.location, *location);
      any = true;
    }
  }
  if (!any || syncs_begun != syncs_finished) return;  // the next sync takes them along
  SyncWork work = begin_sync();
  Status outcome = work.run();
  static_cast<void>(finish_sync(*work.state_, std::move(outcome)));
}

Status Store::reindex() {
  State& state = *state_;
  if (state.syncs_begun != state.syncs_finished)
    return Error(Code::kConflict, "the index cannot be rebuilt while a sync is under way");
  if (state.parts.writer.unsynced_bytes() > 0) HOLDFAST_TRY(sync());
  Status rebuilt = state.rebuild_index();
  if (rebuilt) return rebuilt;
  return state.refuse_writes(
      std::move(rebuilt).error().with_context("the index could not be rebuilt"));
}

Status Store::State::rebuild_index() {
  // First: what is to be cut off must not be found.
  HOLDFAST_TRY(parts.writer.make_cuts());
  index_is_whole = false;
  RecoveryReport rebuilt;
  HOLDFAST_TRY(Recovery(parts, rebuilt).rebuild());
  HOLDFAST_ASSIGN(durable_end, parts.table.index().checkpoint());
  durable_mark = parts.table.unsynced_mark();
  durable_anchor = parts.anchor;
  durable_lengths.clear();
  index_lags = false;
  index_is_whole = true;
  verification.restart();
  verification.forget_rubbish();
  return {};
}

}  // namespace holdfast::repository
