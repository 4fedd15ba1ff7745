// PutCharter for a repository that this node does not have: it is created. By invitation or by the
// process that embeds the node; a charter is all that a repository needs to begin with, and it
// proves itself, since the repository's id is the hash of the key that signs it.
#include <fmt/format.h>

#include "common/base/planted_bug.h"
#include "repository/node.h"

namespace holdfast::repository {

void Node::receive_first_charter(const Asker& asker, const RepositoryId& id,
                                 const wire::PutCharterRequest& request, const Answer& answer) {
  // Before anything is written.
  const auto charter = format::parse_charter(as_bytes(request.record()), id);
  if (!charter) return answer.fail(charter.error());
  if (asker.invitation && !HOLDFAST_PLANTED("use an invitation for any number of repositories")) {
    // First the invitation, then the repository: a crash in between must not leave both.
    if (auto bound = ports_.invitations.bind(asker.peer.key, id); !bound)
      return answer.fail(bound.error());
  }
  HostedRepository* repository = find(id);
  if (repository == nullptr) {
    auto opened = ports_.shelf.create(id);
    // An earlier attempt failed after it had created the repository.
    if (!opened && opened.error().code() == Code::kAlreadyExists) opened = ports_.shelf.open(id);
    if (!opened) return answer.fail(opened.error());
    const auto hosted = host(id, *std::move(opened));
    if (!hosted) return answer.fail(hosted.error());
    repository = *hosted;
    ports_.log.note({Severity::kInfo, "repository_created",
                     fmt::format("repository {} is created", id.hex()), id});
  }
  repository->receive_put_charter(asker, request, answer);
}

}  // namespace holdfast::repository
