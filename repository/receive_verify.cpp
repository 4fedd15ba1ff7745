// Verify: a reader drives the verification by asking again until it is done.
#include <cmath>

#include "repository/hosted_repository.h"

namespace holdfast::repository {
namespace {

Result<VerifyDepth> depth_from(const wire::VerifyRequest& request) {
  if (request.depth() > VerifyDepth::kSignature)
    return Error(Code::kInvalidArgument, "verify: this node knows depths 0, 1 and 2");
  // Not a number compares false with everything.
  if (!(request.fraction() >= 0.0 && request.fraction() <= 1.0))
    return Error(Code::kInvalidArgument, "verify: the fraction lies between 0 and 1");
  return VerifyDepth{static_cast<VerifyDepth::Kind>(request.depth()), request.fraction(),
                     request.seed()};
}

}  // namespace

void HostedRepository::receive_verify(const Asker& asker, const wire::VerifyRequest& request,
                                      const Answer& answer) {
  const auto depth = depth_from(request);
  if (!depth) return answer.fail(depth.error());
  const auto report = verifications_.advance({asker.peer.key, request.run()}, *depth, agent_keys());
  if (!report) return answer.fail(report.error());
  const VerifyProgress& figures = (*report)->figures;
  wire::ReplyProto reply;
  wire::VerifyReply& verify = *reply.mutable_verify();
  verify.set_frames(figures.frames);
  verify.set_bytes(figures.bytes);
  verify.set_total_bytes(figures.total_bytes);
  verify.set_done(figures.done);
  verify.set_step((*report)->steps);
  if (figures.done) {
    verify.set_damaged(wire::join_ids(figures.damaged));
    for (const std::string& problem : figures.problems) verify.add_problems(problem);
  }
  answer.succeed(std::move(reply));
}

}  // namespace holdfast::repository
