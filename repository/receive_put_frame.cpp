// Present and PutFrame: what an agent asks and sends while a backup runs. A frame is taken only
// from who may write, signed by an agent that may write; verifying costs its bytes once through
// XXH3 and SHA-256, which a node does before it spends its disk on them.
#include <fmt/format.h>

#include "common/base/planted_bug.h"
#include "repository/hosted_repository.h"

namespace holdfast::repository {

void HostedRepository::receive_present(const wire::PresentRequest& request, const Answer& answer) {
  const auto ids = wire::split_ids(request.ids(), wire::kMaxIdsPerRequest);
  if (!ids) return answer.fail(ids.error());
  const auto present = store().present(*ids);
  if (!present) return answer.fail(present.error());
  wire::ReplyProto reply;
  reply.mutable_present()->set_bitmap(wire::encode_bitmap(*present));
  answer.succeed(std::move(reply));
}

Status HostedRepository::accept_frame(const Asker& asker, const format::ParsedFrame& frame) const {
  HOLDFAST_TRY(format::verify_checksum(frame.bytes));
  if (frame.header.repository != id_)
    return Error(Code::kForged, "frame: it was made for another repository");
  HOLDFAST_ASSIGN_OR(const format::CharterAgent* author, membership_->author(frame.header.agent),
                     "frame");
  if (!asker.may_bring_from(author->id))
    return Error(Code::kPermissionDenied,
                 fmt::format("frame: who may only append brings its own frames, not those of agent "
                             "{}",
                             author->id.short_hex()));
  if (HOLDFAST_PLANTED("believe a frame without its signature")) return {};
  return format::verify_signature(frame, author->verify_key);
}

void HostedRepository::receive_put_frame(const Asker& asker, const SharedBytes& bytes,
                                         const Answer& answer) {
  const auto frame = format::parse_frame(bytes);
  if (!frame) return answer.fail(frame.error());
  if (auto accepted = accept_frame(asker, *frame); !accepted) return answer.fail(accepted.error());
  try_to_write_again();
  const auto outcome = store().put_frame(*frame);
  if (!outcome) {
    watch_read_only();
    if (outcome.error().code() != Code::kMissingObjects) return answer.fail(outcome.error());
    const auto missing = store().missing_refs(*frame);
    return missing ? answer.fail(outcome.error(), *missing) : answer.fail(missing.error());
  }
  counters_.received.add(bytes.size());
  if (store().unsynced_bytes() > ports_.limits.unsynced_bytes) commits_.sync_in_background();
  wire::ReplyProto reply;
  reply.mutable_put_frame()->set_new_objects(outcome->new_objects);
  answer.succeed(std::move(reply));
}

}  // namespace holdfast::repository
