// GetCharter and PutCharter. Charters form a chain: each names the digest of the one before, so
// that of two admins who change the same version only one succeeds at each node.
#include <fmt/format.h>

#include "common/base/planted_bug.h"
#include "repository/hosted_repository.h"

namespace holdfast::repository {
namespace {

// A node that was away while the charter changed twice has not seen what the newest one follows: it
// believes the admin's signature.
bool follows(const format::Charter& next, std::uint64_t current, const Sha256& current_digest) {
  if (HOLDFAST_PLANTED("take an older charter")) return true;
  if (next.version == current + 1) return next.previous == current_digest;
  return next.version > current && next.previous != current_digest;
}

}  // namespace

void HostedRepository::receive_get_charter(const Asker& asker, const Answer& answer) {
  ByteView record = membership_->signed_charter().record;
  Bytes stripped;
  if (!asker.has(format::kRead) && !HOLDFAST_PLANTED("give the vault to who may only append")) {
    auto without = format::without_vault(record);
    if (!without) return answer.fail(without.error());
    stripped = *std::move(without);
    record = stripped;
  }
  wire::ReplyProto reply;
  reply.mutable_get_charter()->set_record(to_string(record));
  answer.succeed(std::move(reply));
}

Status HostedRepository::check_next_charter(const Asker& asker,
                                            const format::SignedCharter& next) const {
  if (pending_charter_)
    return Error(Code::kConflict, "charter: another one is just being made durable");
  if (membership_ != nullptr) {
    if (!asker.has(format::kAdmin))
      return Error(Code::kPermissionDenied,
                   "charter: this node has the repository; an invitation does not change it");
    const std::uint64_t current = charter_version();
    if (!follows(next.charter, current, membership_->signed_charter().digest))
      return Error(
          Code::kConflict,
          fmt::format("charter: version {} does not follow version {}, which this node has",
                      next.charter.version, current));
  }
  HOLDFAST_ASSIGN(const Bytes vault, format::vault_of(next.record));
  if (vault.empty()) return Error(Code::kInvalidArgument, "charter: it comes without its vault");
  return {};
}

void HostedRepository::receive_put_charter(const Asker& asker,
                                           const wire::PutCharterRequest& request,
                                           const Answer& answer) {
  auto next = format::parse_charter(as_bytes(request.record()), id_);
  if (!next) return answer.fail(next.error());
  wire::ReplyProto reply;
  reply.mutable_put_charter();
  const bool is_pending = pending_charter_ && pending_charter_->digest == next->digest;
  const bool is_current =
      membership_ != nullptr && membership_->signed_charter().digest == next->digest;
  if (is_current && store().unsynced_bytes() == 0) return answer.succeed(std::move(reply));
  if (!is_pending && !is_current) {
    if (auto accepted = check_next_charter(asker, *next); !accepted)
      return answer.fail(accepted.error());
    try_to_write_again();
    if (auto appended = store().append_charter(next->charter.version, next->record); !appended) {
      watch_read_only();
      return answer.fail(appended.error());
    }
    pending_charter_ = *std::move(next);
  }
  answer_when_durable(answer, std::move(reply));
}

}  // namespace holdfast::repository
