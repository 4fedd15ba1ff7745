#include "repository/hosted_repository.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/planted_bug.h"

namespace holdfast::repository {

Result<std::unique_ptr<HostedRepository>> HostedRepository::load(const RepositoryId& id,
                                                                 OpenedStore opened,
                                                                 RepositoryPorts ports) {
  std::unique_ptr<HostedRepository> hosted(
      new HostedRepository(id, std::move(opened), std::move(ports)));
  HOLDFAST_TRY(hosted->load_charter());
  const RecoveryReport& recovery = hosted->store().recovery();
  if (recovery.damaged_records != 0 || recovery.torn_bytes != 0 || recovery.index_rebuilt)
    hosted->note(
        recovery.damaged_records != 0 ? Severity::kError : Severity::kWarning, "recovered",
        fmt::format("recovered: {} records replayed, {} torn bytes cut off, {} damaged "
                    "records skipped{}",
                    recovery.records_replayed, recovery.torn_bytes, recovery.damaged_records,
                    recovery.index_rebuilt ? ", index rebuilt" : ""));
  hosted->load_manifests();
  hosted->watch_read_only();
  return hosted;
}

HostedRepository::HostedRepository(const RepositoryId& id, OpenedStore opened,
                                   RepositoryPorts ports)
    : id_(id),
      ports_(std::move(ports)),
      opened_(std::move(opened)),
      commits_(store(), ports_.loop, ports_.executor, ports_.clock,
               {[this] { sync_begun(); }, [this](const Status& result) { sync_finished(result); }}),
      verifications_(store(), ports_.clock) {
  recovery_tried_at_ = ports_.clock.now();
}

HostedRepository::~HostedRepository() {
  if (recovery_timer_runs_) ports_.loop.cancel(recovery_timer_);
}

// The newest that is signed. Recovery may have found a record within the bytes of some frame, which
// an agent chose: it must not keep the repository from being opened. A signed one of a newer
// program does, since those before it may admit whom it revoked.
Status HostedRepository::load_charter() {
  std::optional<Error> refusal;
  store().charter([&](ByteView record) {
    auto charter = format::parse_charter(record, id_);
    if (charter) {
      membership_ = std::make_unique<Membership>(std::move(*charter));
      return true;
    }
    note(Severity::kError, "charter_left_out",
         fmt::format("a charter is left out: {}", charter.error().message()));
    if (!refusal) refusal = charter.error();
    return charter.error().code() == Code::kUnsupportedVersion;
  });
  if (membership_ == nullptr && refusal) return *std::move(refusal);
  return {};
}

// That a manifest in a record was accepted once cannot be told from the record, as with charters.
// Whose key the charter does not name is listed for readers to judge.
Status HostedRepository::check_signature(const format::SignedManifest& manifest) const {
  const format::CharterAgent* const author =
      membership_ == nullptr ? nullptr : membership_->by_id(manifest.manifest.agent);
  return author == nullptr ? Status() : format::verify_manifest(manifest, author->verify_key);
}

void HostedRepository::load_manifests() {
  for (const ManifestRecord& record : store().manifests()) {
    auto manifest = format::parse_manifest(record.signed_bytes);
    const Status good = manifest ? check_signature(*manifest) : Status(manifest.error());
    if (!good) {
      note(
          Severity::kError, "manifest_left_out",
          fmt::format("manifest {} is left out: {}", record.id.short_hex(), good.error().message()),
          manifest ? std::optional(manifest->manifest.agent) : std::nullopt);
      continue;
    }
    if (auto order = snapshots_.check_order(*manifest); !order)
      note(Severity::kWarning, "snapshots_out_of_order", order.error().message(),
           manifest->manifest.agent);
    snapshots_.append(*manifest, record.received);
  }
  snapshots_.set_durable(snapshots_.size());  // recovery has synced what it found
}

void HostedRepository::note(Severity severity, std::string_view kind, std::string_view line,
                            const std::optional<AgentId>& agent) {
  ports_.log.note(
      {severity, kind, fmt::format("repository {}: {}", id_.short_hex(), line), id_, agent});
}

void HostedRepository::try_to_write_again() {
  if (!store().read_only()) return;
  if (ports_.clock.now() - recovery_tried_at_ >= ports_.limits.recovery_interval_when_asked)
    recovers_writes();
}

bool HostedRepository::recovers_writes() {
  recovery_tried_at_ = ports_.clock.now();
  if (HOLDFAST_PLANTED("stay read-only for good")) return false;
  if (!store().try_recover_writes()) return false;
  note(Severity::kInfo, "writable", "takes writes again");
  return true;
}

void HostedRepository::watch_read_only() {
  if (!store().read_only() || recovery_timer_runs_) return;
  note(Severity::kError, "read_only",
       fmt::format("takes no writes: {}", store().statistics().read_only_reason));
  recovery_timer_runs_ = true;
  recovery_timer_ =
      ports_.loop.after(ports_.limits.recovery_interval, [this] { on_recovery_timer(); });
}

void HostedRepository::on_recovery_timer() {
  recovery_timer_runs_ = false;
  if (!store().read_only() || recovers_writes()) return;
  recovery_timer_runs_ = true;
  recovery_timer_ =
      ports_.loop.after(ports_.limits.recovery_interval, [this] { on_recovery_timer(); });
}

void HostedRepository::sync_begun() {
  covered_ = {snapshots_.size(), pending_charter_.has_value()};
}

void HostedRepository::sync_finished(const Status& result) {
  if (!result) {
    note(Severity::kError, "sync_failed",
         fmt::format("a sync failed, what it should have made durable is given up: {}",
                     result.error().message()));
    snapshots_.give_up_the_rest();
    pending_charter_.reset();
    ports_.acknowledged_bytes_lost();
    watch_read_only();
    return;
  }
  snapshots_.set_durable(covered_.snapshots);
  watch_read_only();  // the segments are synced, but the index may have failed
  if (covered_.charter) {
    membership_ = std::make_unique<Membership>(*std::move(pending_charter_));
    pending_charter_.reset();
    note(Severity::kInfo, "charter_changed", fmt::format("charter {} holds", charter_version()));
  }
}

void HostedRepository::sync(GroupCommit::Done done) {
  if (store().unsynced_bytes() == 0 && !commits_.running()) {
    ports_.loop.post([done = std::move(done)] { done({}); });
    return;
  }
  constexpr std::uint64_t kNobody = ~std::uint64_t{0};  // no connection has this number
  check(commits_.wait(kNobody, std::move(done)), "too many wait for the node's own sync");
}

void HostedRepository::answer_when_durable(const Answer& answer, wire::ReplyProto reply) {
  const auto tell = [answer, reply = std::move(reply)](const Status& result) {
    if (result)
      answer.succeed(reply);
    else
      answer.fail(Error(result.error()).with_context("not made durable"));
  };
  if (!commits_.wait(answer.peer().connection, tell))
    answer.fail(Error(Code::kResourceExhausted,
                      "this connection has too many commits under way; wait for some"));
}

Result<std::vector<bool>> HostedRepository::roots_present(std::span<const Snapshot> snapshots) {
  std::vector<bool> result;
  result.reserve(snapshots.size());
  while (!snapshots.empty()) {
    const auto part = snapshots.first(std::min(snapshots.size(), wire::kMaxIdsPerRequest));
    std::vector<ObjectId> roots;
    roots.reserve(part.size());
    for (const Snapshot& snapshot : part) roots.push_back(snapshot.root);
    HOLDFAST_ASSIGN(const std::vector<bool> present, store().present(roots));
    result.insert(result.end(), present.begin(), present.end());
    snapshots = snapshots.subspan(part.size());
  }
  return result;
}

Store::AgentKeys HostedRepository::agent_keys() const {
  return [this](const AgentId& id) -> std::optional<crypto::VerifyKey> {
    const format::CharterAgent* agent = membership_->by_id(id);
    if (agent == nullptr) return std::nullopt;
    return agent->verify_key;
  };
}

}  // namespace holdfast::repository
