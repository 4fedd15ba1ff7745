// Durability: segments are synced, then the index is told. The order of events is that of
// begin_sync(): a later sync is worth nothing if an earlier one failed, since the kernel reports a
// lost page once and then calls it clean.
#include <fmt/format.h>

#include "common/base/planted_bug.h"
#include "repository/store/store_state.h"

namespace holdfast::repository {
namespace {

// So much of the segments is replayed at most after a crash.
constexpr std::uint64_t kIndexFlushBytes = 64ull << 20;

}  // namespace

Status SyncWork::run() {
  check(state_ != nullptr, "a sync is run that was not begun");
  for (const SyncPlan::Part& part : state_->plan.parts)
    if (!HOLDFAST_PLANTED("skip the sync of a segment"))
      HOLDFAST_TRY_OR(part.file->sync_data(), fmt::format("segment {}", part.segment));
  if (state_->plan.folder && !HOLDFAST_PLANTED("skip the sync of the segments' folder"))
    HOLDFAST_TRY(state_->segments->sync_folder());
  return {};
}

SyncWork Store::begin_sync() { return state_->begin_sync(); }

SyncWork Store::State::begin_sync() {
  const Checkpoint end = parts.writer.end();
  if (HOLDFAST_PLANTED("write the index before the segments are synced") &&
      syncs_begun == syncs_finished && end != Checkpoint{})
    static_cast<void>(parts.table.commit(parts.table.unsynced_mark(), end, parts.anchor,
                                         {{end.segment, end.offset}}));
  SyncWork work;
  work.state_ = std::make_shared<SyncWork::State>(
      SyncWork::State{&parts.segments, parts.writer.plan_sync(), parts.table.unsynced_mark(),
                      end == Checkpoint{} ? durable_end : end, parts.anchor, ++syncs_begun, epoch});
  return work;
}

Status Store::finish_sync(SyncWork work, Status outcome) {
  check(work.state_ != nullptr, "a sync is finished that was not begun");
  return state_->finish_sync(*work.state_, std::move(outcome));
}

Status Store::State::finish_sync(const SyncWork::State& work, Status outcome) {
  check(work.number == ++syncs_finished, "syncs are finished out of order");
  if (work.epoch != epoch)
    return Error(Code::kIo, "what was to be synced was given up: " + read_only_reason);
  if (outcome && parts.writer.has_lost(work.plan) &&
      !HOLDFAST_PLANTED("forget that the sync of a cut failed"))
    outcome = Error(Code::kIo, "an earlier sync of the same segment failed");
  if (!outcome && !HOLDFAST_PLANTED("take a failed sync for a good one")) {
    Error error = refuse_writes(std::move(outcome).error().with_context("cannot sync"));
    give_up_unsynced();
    return error;
  }
  for (const SyncPlan::Part& part : work.plan.parts) {
    unflushed_bytes += part.end - std::min(part.end, durable_lengths[part.segment]);
    durable_lengths[part.segment] = part.end;
  }
  parts.writer.synced(work.plan);
  index_lags = index_lags || work.mark.entry != durable_mark.entry ||
               work.mark.note != durable_mark.note || work.end != durable_end;
  durable_mark = work.mark;
  durable_end = work.end;
  durable_anchor = work.anchor;
  // The records are durable whatever becomes of the index, which recovery would make up for.
  if (Status written = write_index(); !written)
    static_cast<void>(refuse_writes(std::move(written).error()));
  return {};
}

void Store::State::give_up_unsynced() {
  ++epoch;
  parts.writer.give_up_unsynced();
  if (!HOLDFAST_PLANTED("keep the entries that a failed sync gives up"))
    parts.table.drop_from(durable_mark);
  if (!HOLDFAST_PLANTED("keep the manifests that a failed sync gives up"))
    parts.records.drop_from(durable_end);
  parts.anchor = durable_anchor;
  parts.lengths.erase(parts.lengths.upper_bound(durable_end.segment), parts.lengths.end());
  if (durable_end.segment != 0) parts.lengths[durable_end.segment] = durable_end.offset;
  // At once if possible: a process that opens the store before it is done would find these records
  // in the page cache and take them for durable.
  static_cast<void>(parts.writer.make_cuts());
  verification.forget_rubbish();
  // What the dropped entries had completed or replaced is as it was.
  if (Status restored = parts.closure.restore(); !restored)
    read_only_reason += "; " + restored.error().message();
}

Status Store::State::write_index() {
  if (!index_is_whole) return Error(Code::kReadOnly, "the index is to be rebuilt first");
  if (index_lags) {
    auto lengths = durable_lengths;
    if (durable_end.segment != 0) lengths[durable_end.segment] = durable_end.offset;
    HOLDFAST_TRY(parts.table.commit(durable_mark, durable_end, durable_anchor, lengths));
    index_lags = false;
    durable_lengths.clear();
    if (durable_end.segment != 0) durable_lengths[durable_end.segment] = durable_end.offset;
  }
  if (unflushed_bytes >= kIndexFlushBytes) {
    HOLDFAST_TRY_OR(parts.table.index().flush(), "cannot write the index");
    unflushed_bytes = 0;
  }
  return {};
}

std::uint64_t Store::unsynced_bytes() const { return state_->parts.writer.unsynced_bytes(); }

bool Store::read_only() const { return state_->read_only; }

Status Store::try_recover_writes() {
  State& state = *state_;
  if (!state.read_only) return {};
  // Some more than the reserve, so that the next few frames do not end it again.
  HOLDFAST_TRY(state.room_for(state.limits.writeback_bytes));
  if (!state.parts.writer.usable()) {
    HOLDFAST_TRY(state.parts.writer.start_afresh());
    const Checkpoint end = state.parts.writer.end();
    state.parts.lengths[end.segment] = end.offset;
  }
  if (!state.index_is_whole) HOLDFAST_TRY(state.rebuild_index());
  HOLDFAST_TRY(state.write_index());
  state.read_only = false;
  state.read_only_code.reset();
  state.read_only_reason.clear();
  return {};
}

}  // namespace holdfast::repository
