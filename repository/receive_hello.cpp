// Hello, Ping and Status: what a node says of itself.
#include <algorithm>

#include "repository/node.h"

namespace holdfast::repository {

void Node::receive_hello(const Asker& asker, HostedRepository* repository,
                         const wire::HelloRequest& request, const Answer& answer) {
  if (request.protocol() == 0)
    return answer.fail(Error(Code::kProtocol, "hello: protocol versions count from 1"));
  wire::ReplyProto reply;
  wire::HelloReply& hello = *reply.mutable_hello();
  hello.set_protocol(std::min(request.protocol(), wire::kProtocolVersion));
  hello.set_node(options_.id.str());
  hello.set_roles(asker.roles);
  hello.set_window_bytes(options_.window_bytes);
  if (repository != nullptr) {
    hello.set_charter_version(repository->charter_version());
    const StoreStatistics statistics = repository->statistics();
    hello.set_read_only(statistics.read_only);
    hello.set_read_only_reason(statistics.read_only_reason);
  }
  answer.succeed(std::move(reply));
}

void Node::receive_ping(const Answer& answer) {
  wire::ReplyProto reply;
  reply.mutable_ping();
  answer.succeed(std::move(reply));
}

void Node::receive_status(HostedRepository& repository, const Answer& answer) {
  wire::StatusReply status;
  status.set_node(options_.id.str());
  status.set_program(options_.program);
  const Duration uptime = ports_.clock.now() - started_at_;
  status.set_uptime_s(static_cast<std::uint64_t>(
      std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::seconds>(uptime).count())));
  repository.receive_status(std::move(status), answer);
}

}  // namespace holdfast::repository
