#include "repository/node.h"

#include <fmt/format.h>

#include "common/base/endian.h"
#include "common/base/planted_bug.h"

namespace holdfast::repository {
namespace {

using Request = wire::RequestProto;

// The id of a request that is not one: it is the first field and has a fixed size, so that it can
// be told even where the rest is garbage.
std::optional<std::uint64_t> leading_id(ByteView head) {
  constexpr Byte kIdTag = 1 << 3 | 1;  // field 1, 64 bits
  if (head.size() < 9 || head[0] != kIdTag) return std::nullopt;
  return load_le<std::uint64_t>(head.data() + 1);
}

static_assert(Request::kPrepare < RequestCounters::kTypes, "a request is not counted");

constexpr std::uint32_t kAnyEnrolled = 0;

// Any of these roles is enough.
std::uint32_t needed_roles(Request::WhatCase what) {
  switch (what) {
    case Request::kHello:
    case Request::kPing:
    case Request::kGetCharter:
    case Request::kStatus:
    case Request::WHAT_NOT_SET:
      return kAnyEnrolled;
    case Request::kPresent:
    case Request::kPutFrame:
    case Request::kPrepare:
    case Request::kCommit:
    case Request::kHead:
      return format::kAppend;
    case Request::kListManifests:
      return format::kAppend | format::kRead;
    case Request::kLocate:
    case Request::kGetFrame:
    case Request::kVerify:
    case Request::kReportDamage:
      if (HOLDFAST_PLANTED("let who may only append read")) return format::kAppend | format::kRead;
      return format::kRead;
    case Request::kPutCharter:
      return format::kAdmin;
  }
  return format::kAdmin;
}

bool writes(Request::WhatCase what) {
  return what == Request::kPutFrame || what == Request::kPrepare || what == Request::kCommit ||
         what == Request::kPutCharter;
}

std::string_view role_names(std::uint32_t roles) {
  switch (roles) {
    case format::kAppend:
      return "append";
    case format::kRead:
      return "read";
    case format::kAdmin:
      return "admin";
    default:
      return "append or read";
  }
}

}  // namespace

Node::Node(NodeOptions options, NodePorts ports)
    : options_(std::move(options)), ports_(ports), started_at_(ports.clock.now()) {
  draw_incarnation();
}

Node::~Node() = default;

void Node::draw_incarnation() {
  const std::uint64_t before = incarnation_.number;
  // Zero is what an agent takes for "has not answered yet".
  while (incarnation_.number == before || incarnation_.number == 0)
    incarnation_.number = ports_.random.uint64();
}

Status Node::start() {
  HOLDFAST_ASSIGN_OR(const std::vector<RepositoryId> ids, ports_.shelf.list(), "node");
  for (const RepositoryId& id : ids) {
    auto opened = ports_.shelf.open(id);
    Result<HostedRepository*> hosted =
        opened ? host(id, *std::move(opened)) : Result<HostedRepository*>(opened.error());
    if (hosted) continue;
    ports_.log.note({Severity::kError, "repository_unreadable",
                     fmt::format("repository {} cannot be opened: {}", id.short_hex(),
                                 hosted.error().message()),
                     id});
    unopened_.emplace(id, hosted.error());
  }
  return {};
}

Result<HostedRepository*> Node::host(const RepositoryId& id, OpenedStore opened) {
  HOLDFAST_ASSIGN(auto hosted,
                  HostedRepository::load(id, std::move(opened),
                                         {ports_.loop, ports_.executor, ports_.clock, ports_.log,
                                          options_.limits, [this] { draw_incarnation(); }}));
  return (hosted_[id] = std::move(hosted)).get();
}

void Node::stop(std::function<void(Status)> done) {
  stopping_ = true;
  struct Waiting {
    std::size_t repositories;
    Status outcome;
    std::function<void(Status)> done;
  };
  const auto waiting = std::make_shared<Waiting>(Waiting{hosted_.size(), {}, std::move(done)});
  if (hosted_.empty()) {
    ports_.loop.post([waiting] { waiting->done({}); });
    return;
  }
  for (const auto& [id, repository] : hosted_)
    repository->sync([waiting](const Status& result) {
      if (!result) waiting->outcome = result;
      if (--waiting->repositories == 0) waiting->done(waiting->outcome);
    });
}

bool Node::admits(const CurveKey& key) {
  if (key == CurveKey{}) return false;
  for (const auto& [id, repository] : hosted_)
    if (repository->membership() != nullptr && repository->membership()->by_key(key) != nullptr)
      return true;
  const auto invitation = ports_.invitations.find(key);
  if (!invitation)
    ports_.log.note({Severity::kError, "invitation_unreadable", invitation.error().message()});
  return invitation && invitation->has_value();
}

void Node::on_disconnect(const Peer& peer) {
  for (const auto& [id, repository] : hosted_) repository->forget(peer);
}

void Node::on_message(const Peer& peer, Message message) {
  const auto answer_to = [&](std::uint64_t id) {
    return Answer(ports_.responder, incarnation_, requests_, peer, id);
  };
  auto request = wire::decode_request(message.head);
  if (!request) {
    const auto id = leading_id(message.head);
    if (id) return answer_to(*id).fail(request.error());
    ++requests_.malformed;
    return ports_.responder.disconnect(peer);
  }
  ++requests_.received[request->what_case()];
  const Answer answer = answer_to(request->id());
  const auto id = RepositoryId::from(as_bytes(request->repository()));
  if (!id) return answer.fail(Error(Code::kProtocol, "a repository's id has 32 bytes"));
  if (!message.body.empty() && request->what_case() != Request::kPutFrame)
    return answer.fail(Error(Code::kProtocol, "only PutFrame comes with a second part"));

  HostedRepository* repository = find(*id);
  const auto identified = identify(peer, repository);
  if (!identified) return answer.fail(identified.error());
  const Asker& asker = *identified;
  if (auto allowed = allow(asker, *id, repository, *request); !allowed)
    return answer.fail(allowed.error());
  if (stopping_ && writes(request->what_case()))
    return answer.fail(Error(Code::kUnavailable, "the node is stopping"));
  if (repository != nullptr && repository->membership() != nullptr)
    return receive(asker, *repository, *request, std::move(message.body), answer);
  receive_about_absent(asker, *id, *request, answer);
}

NodeFigures Node::figures() {
  NodeFigures figures{options_.id, options_.program, {}, {}, requests_};
  for (const auto& [id, repository] : hosted_)
    figures.repositories.push_back(repository->figures());
  for (const auto& [id, error] : unopened_) figures.unopened.push_back(id);
  return figures;
}

HostedRepository* Node::find(const RepositoryId& id) {
  const auto found = hosted_.find(id);
  return found == hosted_.end() ? nullptr : found->second.get();
}

Result<Asker> Node::identify(const Peer& peer, const HostedRepository* repository) {
  Asker asker;
  asker.peer = peer;
  if (peer.key == CurveKey{}) {
    asker.embedder = options_.embedded;
    asker.roles = options_.embedded ? kAllRoles : 0;
    return asker;
  }
  const Membership* membership = repository != nullptr ? repository->membership() : nullptr;
  asker.agent = membership != nullptr ? membership->by_key(peer.key) : nullptr;
  if (asker.agent != nullptr) {
    asker.roles = asker.agent->roles & kAllRoles;
    return asker;
  }
  HOLDFAST_ASSIGN(asker.invitation, ports_.invitations.find(peer.key));
  return asker;
}

Status Node::allow(const Asker& asker, const RepositoryId& id, const HostedRepository* repository,
                   const Request& request) const {
  const Request::WhatCase what = request.what_case();
  if (asker.enrolled()) {
    const std::uint32_t needed = needed_roles(what);
    if (needed == kAnyEnrolled || asker.has(needed)) return {};
    return Error(Code::kPermissionDenied,
                 fmt::format("this key's agent lacks the role {}", role_names(needed)));
  }
  if (asker.invitation) {
    const auto& used_for = asker.invitation->used_for;
    if (what == Request::kHello || (what == Request::kGetCharter && used_for == id) ||
        (what == Request::kPutCharter && (!used_for || used_for == id)))
      return {};
    return Error(Code::kPermissionDenied,
                 "an invitation brings one new repository to this node "
                 "and allows nothing else");
  }
  if (repository == nullptr || repository->membership() == nullptr)
    return Error(Code::kNoRepository,
                 fmt::format("repository {} is not on this node", id.short_hex()));
  return Error(Code::kPermissionDenied,
               fmt::format("this key belongs to no agent of repository {}, or it was revoked",
                           id.short_hex()));
}

void Node::receive(const Asker& asker, HostedRepository& repository, Request& request,
                   SharedBytes body, const Answer& answer) {
  switch (request.what_case()) {
    case Request::kHello:
      return receive_hello(asker, &repository, request.hello(), answer);
    case Request::kPing:
      return receive_ping(answer);
    case Request::kStatus:
      return receive_status(repository, answer);
    case Request::kPresent:
      return repository.receive_present(request.present(), answer);
    case Request::kPutFrame:
      return repository.receive_put_frame(asker, body, answer);
    case Request::kPrepare:
      return repository.receive_prepare(request.prepare(), answer);
    case Request::kCommit:
      return repository.receive_commit(asker, request.commit(), answer);
    case Request::kHead:
      return repository.receive_head(asker, request.head(), answer);
    case Request::kGetCharter:
      return repository.receive_get_charter(asker, answer);
    case Request::kPutCharter:
      return repository.receive_put_charter(asker, request.put_charter(), answer);
    case Request::kListManifests:
      return repository.receive_list_manifests(asker, request.list_manifests(), answer);
    case Request::kLocate:
      return repository.receive_locate(request.locate(), answer);
    case Request::kGetFrame:
      return repository.receive_get_frame(request.get_frame(), answer);
    case Request::kVerify:
      return repository.receive_verify(asker, request.verify(), answer);
    case Request::kReportDamage:
      return repository.receive_report_damage(request.report_damage(), answer);
    case Request::WHAT_NOT_SET:
      return answer.fail(Error(Code::kUnsupportedVersion,
                               "this node does not know the request; a newer program sent it"));
  }
}

void Node::receive_about_absent(const Asker& asker, const RepositoryId& id, Request& request,
                                const Answer& answer) {
  if (const auto broken = unopened_.find(id); broken != unopened_.end())
    return answer.fail(Error(broken->second).with_context("the repository cannot be opened"));
  if (request.what_case() == Request::kHello)
    return receive_hello(asker, find(id), request.hello(), answer);
  if (request.what_case() == Request::kPing) return receive_ping(answer);
  if (request.what_case() == Request::kPutCharter)
    return receive_first_charter(asker, id, request.put_charter(), answer);
  answer.fail(
      Error(Code::kNoRepository, fmt::format("repository {} is not on this node", id.short_hex())));
}

}  // namespace holdfast::repository
