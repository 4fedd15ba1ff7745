// Opening, storing and asking. See store_sync.cpp for what makes it durable and store_read.cpp for
// what gives it back.
#include "repository/store/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "common/base/planted_bug.h"
#include "common/format/manifest.h"
#include "repository/store/store_state.h"
#include "repository/store/verification_time.h"

namespace holdfast::repository {
namespace {

constexpr std::string_view kMarkerFirstLine = "holdfast store ";
constexpr int kMarkerVersion = 1;
constexpr std::size_t kMarkerLimit = 4096;

std::string marker_path(const std::string& path) { return path + "/store"; }
std::string segment_folder(const std::string& path) { return path + "/segments"; }

std::string marker_text(const NodeId& node) {
  return fmt::format("{}{}\nnode {}\n", kMarkerFirstLine, kMarkerVersion, node.hex());
}

Status check_marker(std::string_view text, const NodeId& node, const std::string& path) {
  if (text == marker_text(node)) return {};
  const std::string ours = fmt::format("{}{}\n", kMarkerFirstLine, kMarkerVersion);
  if (text.starts_with(ours))
    return Error(Code::kConflict, path + ": the store belongs to another node");
  if (text.starts_with(kMarkerFirstLine))
    return Error(Code::kUnsupportedVersion, path + ": a newer program wrote this store");
  return Error(Code::kCorrupt, path + ": not the marker of a store");
}

}  // namespace

Status Store::create(FileSystem& files, const std::string& path, const NodeId& node) {
  HOLDFAST_TRY(make_directories(files, segment_folder(path)));
  HOLDFAST_ASSIGN(const bool there, files.exists(marker_path(path)));
  if (there) return Error(Code::kAlreadyExists, path + ": there is a store already");
  return write_file_atomically(files, marker_path(path), as_bytes(marker_text(node)));
}

Result<std::unique_ptr<Store>> Store::open(FileSystem& files, const std::string& path,
                                           ObjectIndex& index, const NodeId& node,
                                           StoreLimits limits) {
  auto marker = read_file(files, marker_path(path), kMarkerLimit);
  if (!marker) {
    if (marker.error().code() == Code::kNotFound)
      return Error(Code::kNoRepository, path + ": there is no store");
    return std::move(marker).error();
  }
  HOLDFAST_TRY(check_marker(as_text(*marker), node, marker_path(path)));
  HOLDFAST_ASSIGN(auto lock, files.lock(path + "/lock"));
  // A process that was killed while it created the store may have left the marker's name unsynced.
  HOLDFAST_TRY(files.sync_directory(path));
  auto state = std::make_unique<State>(files, path, std::move(lock), node, index, limits);
  HOLDFAST_TRY_OR(state->recover(), path);
  state->fully_verified_at = kept_verification_time(files, path);
  return std::unique_ptr<Store>(new Store(std::move(state)));
}

Store::Store(std::unique_ptr<State> state) : state_(std::move(state)) {}

Store::~Store() {
  // Only saves the next opening some replay, so that a failure does not matter.
  if (state_->unflushed_bytes > 0) static_cast<void>(state_->parts.table.index().flush());
}

Store::State::State(FileSystem& file_system, std::string folder,
                    std::unique_ptr<FileLock> held_lock, const NodeId& node, ObjectIndex& index,
                    StoreLimits store_limits)
    : files(file_system),
      path(std::move(folder)),
      lock(std::move(held_lock)),
      limits(store_limits),
      parts(files, segment_folder(path), node, index, limits.segment_bytes, limits.writeback_bytes),
      verification(parts) {}

Status Store::State::recover() {
  Status cuts;
  Recovery recovery(parts, report);
  HOLDFAST_TRY(recovery.open(cuts));
  if (!cuts) static_cast<void>(refuse_writes(std::move(cuts).error()));
  HOLDFAST_ASSIGN(durable_end, parts.table.index().checkpoint());
  durable_mark = parts.table.unsynced_mark();
  durable_anchor = parts.anchor;
  if (const auto& lag = recovery.lag()) {
    durable_end = lag->end;
    durable_lengths = lag->lengths;
    index_lags = true;
    static_cast<void>(refuse_writes(lag->reason));
  }
  if (durable_end.segment != 0) durable_lengths[durable_end.segment] = durable_end.offset;
  if (report.records_replayed > 0) unflushed_bytes = 1;
  return {};
}

const RecoveryReport& Store::recovery() const { return state_->report; }

Result<std::vector<bool>> Store::present(std::span<const ObjectId> ids) {
  return state_->parts.table.present(ids);
}

Status Store::State::writable() const {
  if (parts.writer.usable() && index_is_whole) return {};
  return Error(Code::kReadOnly, "the store takes no writes: " + read_only_reason);
}

Status Store::State::room_for(std::uint64_t size) {
  HOLDFAST_ASSIGN(const std::uint64_t free, files.free_bytes(path));
  if (free >= limits.reserve_bytes && free - limits.reserve_bytes >= size) return {};
  return Error(Code::kNoSpace, fmt::format("{}: {} are free, of which {} are kept in reserve", path,
                                           human_bytes(free), human_bytes(limits.reserve_bytes)));
}

// From now on the store is read-only because of `error`.
Error Store::State::refuse_writes(Error error) {
  if (!read_only) {
    read_only_code = error.code();
    read_only_reason = error.message();
  }
  read_only = true;
  return error;
}

Result<Location> Store::State::append(RecordType type, ByteView payload) {
  auto location = parts.writer.append(type, payload);
  if (!location) return refuse_writes(std::move(location).error());
  parts.lengths[location->segment] = location->offset + record_size(location->length);
  parts.anchor = Anchor{*location, parts.writer.last_checksum()};
  return location;
}

Result<PutOutcome> Store::put_frame(const format::ParsedFrame& frame) {
  State& state = *state_;
  HOLDFAST_ASSIGN(const FramePlan plan, state.parts.closure.plan(frame.header));
  if (plan.wanted_count == 0) return PutOutcome{};
  if (plan.refs_missing)
    return Error(Code::kMissingObjects,
                 fmt::format("frame {} of agent {}: it refers to objects that are not here",
                             frame.header.number, frame.header.agent.short_hex()));
  HOLDFAST_TRY(state.writable());
  if (state.read_only)  // for want of room, perhaps: frames wait until it is said to be over
    return Error(Code::kReadOnly, "the store takes no frames: " + state.read_only_reason);
  if (Status room = state.room_for(record_size(static_cast<std::uint32_t>(frame.bytes.size())));
      !room)
    return state.refuse_writes(std::move(room).error());
  HOLDFAST_ASSIGN(const Location location, state.append(RecordType::kFrame, frame.bytes));
  HOLDFAST_ASSIGN(const std::uint64_t taken,
                  state.parts.closure.take_in(plan, frame.header, location));
  return PutOutcome{taken};
}

Result<std::vector<ObjectId>> Store::missing_refs(const format::ParsedFrame& frame) {
  HOLDFAST_ASSIGN(const FramePlan plan, state_->parts.closure.plan(frame.header));
  std::vector<ObjectId> missing;
  std::unordered_set<ObjectId> seen;  // earlier in the frame, or named already
  for (std::size_t i = 0; i < plan.missing.size(); ++i) {
    for (const ObjectId& id : plan.missing[i])
      if (seen.insert(id).second) missing.push_back(id);
    seen.insert(frame.header.objects[i].id);
  }
  return missing;
}

Status Store::append_manifest(const ManifestId& id, const ObjectId& root, UnixTime received,
                              ByteView signed_bytes) {
  State& state = *state_;
  if (state.parts.records.manifest(id) != nullptr) return {};
  HOLDFAST_ASSIGN(const auto parsed, format::parse_manifest(signed_bytes));
  if (parsed.id != id || parsed.manifest.root != root)
    return Error(Code::kInvalidArgument, "manifest: its bytes have another id or root");
  HOLDFAST_ASSIGN(const auto present, state.parts.table.present({&root, 1}));
  if (!present[0] && !HOLDFAST_PLANTED("commit without the root"))
    return Error(Code::kMissingObjects,
                 fmt::format("manifest {}: its root is not complete here", id.short_hex()));
  HOLDFAST_TRY(state.writable());
  const Bytes payload = encode_manifest_record(received, signed_bytes);
  HOLDFAST_ASSIGN(const Location location, state.append(RecordType::kManifest, payload));
  state.parts.table.put_record(RecordType::kManifest, location);
  return state.parts.records.add(RecordType::kManifest, payload, location);
}

Status Store::append_charter(std::uint64_t version, ByteView record) {
  State& state = *state_;
  if (state.parts.records.has_charter(version, record)) return {};
  HOLDFAST_ASSIGN(const std::uint64_t claimed, charter_version(record));
  if (claimed != version)
    return Error(Code::kInvalidArgument,
                 fmt::format("charter: its bytes have version {}, not {}", claimed, version));
  HOLDFAST_TRY(state.writable());
  HOLDFAST_ASSIGN(const Location location, state.append(RecordType::kCharter, record));
  state.parts.table.put_record(RecordType::kCharter, location);
  return state.parts.records.add(RecordType::kCharter, record, location);
}

StoreStatistics Store::statistics() {
  State& state = *state_;
  StoreStatistics statistics;
  statistics.segments = state.parts.lengths.size();
  for (const auto& [segment, length] : state.parts.lengths) statistics.stored_bytes += length;
  statistics.objects = state.parts.table.index().approximate_count().value_or(0) +
                       state.parts.table.unsynced_count();
  statistics.damaged_objects = state.parts.closure.damaged_objects();
  statistics.free_bytes = state.files.free_bytes(state.path).value_or(0);
  statistics.incomplete_lists = state.parts.closure.incomplete_lists();
  statistics.read_only = state.read_only;
  statistics.read_only_code = state.read_only_code;
  statistics.read_only_reason = state.read_only_reason;
  return statistics;
}

}  // namespace holdfast::repository
