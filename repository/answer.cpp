#include "repository/answer.h"

#include <algorithm>

namespace holdfast::repository {

void Answer::succeed(wire::ReplyProto reply, SharedBytes body) const {
  send(std::move(reply), std::move(body));
}

void Answer::fail(const Error& error, std::span<const ObjectId> missing) const {
  counters_->refuse(error.code());
  wire::ReplyProto reply;
  wire::set_error(reply, error);
  if (!missing.empty())
    reply.mutable_error()->set_missing(
        wire::join_ids(missing.first(std::min(missing.size(), wire::kMaxMissingPerError))));
  send(std::move(reply), {});
}

void Answer::send(wire::ReplyProto reply, SharedBytes body) const {
  reply.set_id(request_);
  reply.set_incarnation(incarnation_->number);
  responder_->reply(peer_, wire::encode(reply, std::move(body)));
}

}  // namespace holdfast::repository
