#include "tests/simulation/wire_checker.h"

#include <fmt/format.h>

#include <algorithm>

#include "repository/group_commit.h"

namespace holdfast::testing {
namespace {

using Request = wire::RequestProto;

const std::map<int, std::string_view> kRequests = {
    {Request::WHAT_NOT_SET, "?"},
    {Request::kHello, "hello"},
    {Request::kPing, "ping"},
    {Request::kPresent, "present"},
    {Request::kPutFrame, "put frame"},
    {Request::kCommit, "commit"},
    {Request::kHead, "head"},
    {Request::kGetCharter, "get charter"},
    {Request::kPutCharter, "put charter"},
    {Request::kListManifests, "list manifests"},
    {Request::kLocate, "locate"},
    {Request::kGetFrame, "get frame"},
    {Request::kVerify, "verify"},
    {Request::kStatus, "status"},
    {Request::kReportDamage, "report damage"},
    {Request::kPrepare, "prepare"},
};

// Requests that arrived and wait for a sync: as many as a connection may have, and one that is
// being answered.
constexpr std::size_t kMostUnanswered = repository::GroupCommit::kMaxWaitingPerConnection + 1;

}  // namespace

WireChecker::WireChecker(Cluster& cluster, ReferenceModel& model, Verdict& verdict)
    : cluster_(cluster), model_(model), verdict_(verdict) {
  cluster_.network.watch(this);
}

void WireChecker::backup_begins(const AgentId& agent, std::shared_ptr<const Files> contents) {
  running_[agent] = std::move(contents);
}

void WireChecker::process_ended(std::size_t node) {
  std::erase_if(unanswered_, [&](const auto& entry) { return entry.first.first == node; });
}

const ClusterAgent* WireChecker::agent_of(const Peer& peer) const {
  for (const auto& agent : cluster_.agents)
    if (agent->entry.curve_key == peer.key) return agent.get();
  return nullptr;
}

std::size_t WireChecker::index_of(const std::string& node) const {
  std::size_t i = 0;
  while (cluster_.nodes[i]->name() != node) ++i;
  return i;
}

// As in "owner > node2: 3f21 commit".
void WireChecker::note(const std::string& node, const Peer& peer, std::uint64_t id,
                       std::string_view what) {
  if (journal_ == nullptr) return;
  const ClusterAgent* agent = agent_of(peer);
  journal_->note("{} {} {:04x} {}", agent != nullptr ? agent->name : "a stranger", node,
                 id & 0xffff, what);
}

void WireChecker::on_request(const std::string& node, const Peer& from, const Message& message) {
  const auto request = wire::decode_request(message.head);
  if (!request) return;  // a liar's
  note("> " + node, from, request->id(), kRequests.at(request->what_case()));
  Pending pending{request->what_case(), {}, {}, {}};
  const ClusterAgent* agent = agent_of(from);
  const bool honest = agent != nullptr && !liars_.contains(agent->entry.id);
  if (request->what_case() == Request::kPrepare)
    pending.root = ObjectId::from(as_bytes(request->prepare().root()));
  largest_frame_ = std::max(largest_frame_, message.body.size());
  if (honest && request->what_case() == Request::kPutFrame)
    watch_frame(*agent, message.body, pending);
  if (honest && request->what_case() == Request::kCommit)
    watch_commit(*agent, node, request->commit(), pending);
  pending_[{from.connection, request->id()}] = std::move(pending);
}

void WireChecker::watch_frame(const ClusterAgent& agent, const SharedBytes& body,
                              Pending& pending) {
  const auto frame = format::parse_frame(body);
  verdict_.require(frame.has_value(), "frames-parse",
                   [&] { return agent.name + " sends what is no frame"; });
  if (!frame) return;
  // A repair passes on what others sealed.
  if (!distrusts(frame->header.agent)) {
    const auto [nonce, is_new] = nonces_.try_emplace({frame->header.envelope, frame->header.number},
                                                     format::frame_id(*frame));
    verdict_.require(is_new || nonce->second == format::frame_id(*frame), "nonces-are-used-once",
                     [&] {
                       return fmt::format("{} sends another frame with number {}", agent.name,
                                          frame->header.number);
                     });
  }
  for (const format::FrameObject& object : frame->header.objects) {
    if (object.kind != format::ObjectKind::kList) continue;
    model_.learn(object.id, object.refs);
    pending.lists.push_back(object.id);
  }
}

void WireChecker::watch_commit(const ClusterAgent& agent, const std::string& node,
                               const wire::CommitRequest& request, Pending& pending) {
  auto manifest = format::parse_manifest(as_bytes(request.manifest()));
  verdict_.require(manifest.has_value(), "manifests-parse",
                   [&] { return agent.name + " commits what is no manifest"; });
  if (!manifest) return;
  pending.manifest = manifest->id;
  if (request.copied()) copied_.insert({index_of(node), manifest->id});
  // Sent again, to a node that missed it, or passed on by a repair that trusts the liar.
  if (model_.knows(manifest->id) || distrusts(manifest->manifest.agent)) return;
  const auto running = running_.find(agent.entry.id);
  const std::size_t prepared = prepared_[manifest->manifest.root].size();
  verdict_.require(running != running_.end() && prepared >= model_.write_quorum(),
                   "commit-follows-W-prepares", [&] {
                     return fmt::format("{} commits {} after {} nodes said that they are prepared",
                                        agent.name, manifest->id.short_hex(), prepared);
                   });
  if (running != running_.end()) model_.add(*std::move(manifest), running->second);
}

void WireChecker::on_arrival(const std::string& node, const Peer& from) {
  const std::size_t i = index_of(node);
  const std::size_t count = ++unanswered_[{i, from.connection}];
  verdict_.require(count <= kMostUnanswered, "a-connection-has-bounded-memory", [&] {
    return fmt::format("{} lets {} requests of one connection wait", node, count);
  });
}

void WireChecker::on_reply(const std::string& node, const Peer& to, const Message& message) {
  const std::size_t i = index_of(node);
  if (auto count = unanswered_.find({i, to.connection}); count != unanswered_.end())
    if (--count->second == 0) unanswered_.erase(count);
  const bool lies = cluster_.nodes[i]->lies();
  const auto reply = wire::decode_reply(message.head);
  verdict_.require(reply.has_value() || lies, "replies-parse",
                   [&] { return node + " answers with what is no reply"; });
  if (!reply) return;
  note("< " + node, to, reply->id(),
       reply->has_error() ? wire::error_of(*reply).message() : std::string("done"));
  if (!lies) check_reply_role(to, *reply, message);
  if (!lies && !message.body.empty())
    verdict_.require(format::verify_checksum(message.body.view()).has_value(),
                     "frames-come-as-they-were-put", [&] { return node + " gives a damaged one"; });
  if (!lies && forged_.contains(reply->id()))
    verdict_.require(reply->has_error(), "what-is-forged-is-refused",
                     [&] { return node + " accepts what is forged"; });
  const auto found = pending_.find({to.connection, reply->id()});
  if (found == pending_.end()) return;
  const Pending& pending = found->second;
  if (reply->has_error()) {
    if (reply->what_case() == wire::ReplyProto::kGetFrame || pending.what == Request::kGetFrame ||
        pending.what == Request::kReportDamage)
      said_.push_back({i, {}, true});
    return;
  }
  if (pending.what == Request::kPrepare && pending.root) prepared_[*pending.root].insert(i);
  if (pending.what == Request::kCommit && pending.manifest)
    model_.acknowledge(*pending.manifest, i);
  const bool changes = pending.what == Request::kCommit || pending.what == Request::kReportDamage ||
                       pending.what == Request::kVerify;
  if (changes || !pending.lists.empty()) said_.push_back({i, pending.lists, changes});
}

// A node that is honest gives nobody more than the role of the key allows.
void WireChecker::check_reply_role(const Peer& to, const wire::ReplyProto& reply,
                                   const Message& message) {
  if (reply.has_error() || to.key == CurveKey{}) return;
  const ClusterAgent* agent = agent_of(to);
  const std::string invariant = "replies-keep-to-the-role";
  verdict_.require(agent != nullptr, invariant, [] { return "a stranger's request succeeds"; });
  if (agent == nullptr || agent->may(format::kRead)) return;
  using Reply = wire::ReplyProto;
  const Reply::WhatCase what = reply.what_case();
  const bool reads = what == Reply::kLocate || what == Reply::kGetFrame || what == Reply::kVerify ||
                     what == Reply::kReportDamage;
  bool foreign = false;
  for (const auto& entry : reply.list_manifests().manifests()) {
    const auto manifest = format::parse_manifest(as_bytes(entry.manifest()));
    foreign = foreign || !manifest || manifest->manifest.agent != agent->entry.id;
  }
  const auto vault = what == Reply::kGetCharter
                         ? format::vault_of(as_bytes(reply.get_charter().record()))
                         : Result<Bytes>(Bytes());
  verdict_.require(message.body.empty() && !reads && !foreign && vault && vault->empty(), invariant,
                   [&] { return agent->name + " may only append, and is given more"; });
}

}  // namespace holdfast::testing
