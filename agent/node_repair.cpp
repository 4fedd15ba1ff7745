#include "agent/node_repair.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/base/planted_bug.h"

namespace holdfast::agent {
namespace {

// Lists are kept while what is below them is brought, at most 2 MiB of refs each.
constexpr std::size_t kListBatch = 32;

}  // namespace

std::vector<format::SignedManifest> missed_by(const SnapshotList& list, std::size_t node) {
  std::vector<format::SignedManifest> missed;
  if (!list.is_reachable(node)) return missed;
  for (const Snapshot& snapshot : list.snapshots) {
    const SnapshotCopy* const copy = snapshot.copy_on(node);
    if (copy == nullptr || !copy->complete) missed.push_back(snapshot.manifest);
  }
  return missed;
}

struct NodeRepair::Framing {
  Framing(const format::RunKeys& run, const WriterKeys& keys, format::FrameCounter& counter)
      : sealer(run, keys.repository, keys.signing_key, counter, keys.compression_level) {}
  format::FrameContent content{format::FrameRole::kMetadata};
  format::FrameSealer sealer;
};

NodeRepair::NodeRepair(RepairPorts ports, const WriterKeys& writer,
                       std::shared_ptr<const ReaderKeys> reader, NodeLink& node,
                       std::vector<NodeLink*> others, RepairPolicy policy)
    : ports_(ports),
      writer_(writer),
      reader_(std::move(reader)),
      node_(node),
      others_(std::move(others)),
      policy_(policy),
      run_(format::begin_run(ports.random, writer.repository, writer.encryption_key)),
      upload_(ports.clock, policy.upload_bytes_per_s),
      feed_(node, ports.clock, [this] { feed_changed(); }) {
  feed_.pace(upload_, ports_.loop);
}

NodeRepair::~NodeRepair() {
  *alive_ = false;
  if (timer_) ports_.loop.cancel(*timer_);
  node_.on_change(nullptr);
}

void NodeRepair::start(std::vector<format::SignedManifest> snapshots, Done done) {
  snapshots_ = std::move(snapshots);
  done_ = std::move(done);
  node_.on_change([this] {
    if (ended_) return;
    if (!waiting_for_node_) return feed_.link_changed();
    if (node_.state() == NodeLink::State::kReady) begin_attempt();
  });
  begin_attempt();
}

void NodeRepair::begin_attempt() {
  if (timer_) ports_.loop.cancel(*std::exchange(timer_, std::nullopt));
  waiting_for_node_ = false;
  ++attempt_;
  ++attempts_;
  levels_.clear();
  sent_.clear();
  draining_ = false;
  framing_ = std::make_unique<Framing>(run_, writer_, counter_);
  fetcher_ = std::make_unique<ObjectFetcher>(others_, reader_, ports_.loop, ports_.clock,
                                             ports_.executor, policy_.fetch);
  feed_.activate();
  next_snapshot();
}

void NodeRepair::next_snapshot() {
  if (at_ == snapshots_.size()) return end({});
  feed_.ask_present({root()}, [this](const std::vector<bool>& present) {
    if (present.front()) return commit();
    if (HOLDFAST_PLANTED("commit in a repair without copying")) return commit();
    levels_.push_back({{root()}, 0, kListBatch, {}, {}, 0, 0});
    fetch_batch();
  });
}

void NodeRepair::fetch_batch() {
  Level& level = levels_.back();
  std::vector<ObjectId> ids;
  for (; level.next < level.due.size() && ids.size() < level.batch; ++level.next) {
    const ObjectId& id = level.due[level.next];
    if (!lost_.contains(id) && !sent_.contains(id)) ids.push_back(id);
  }
  if (ids.empty()) return leave_level();
  const auto on_frame = [this, alive = alive_, attempt = attempt_, &loop = ports_.loop](
                            const format::OpenedFrame& frame, const auto& wanted) {
    std::vector<List> lists;
    for (const format::OpenedObject* object : wanted)
      if (object->kind == format::ObjectKind::kList)
        lists.push_back(
            {object->id, object->refs, Bytes(object->payload.begin(), object->payload.end())});
    SharedBytes data = lists.empty() ? frame.sealed : SharedBytes();
    loop.post([this, alive, attempt, lists = std::move(lists), data = std::move(data)]() mutable {
      if (*alive && attempt == attempt_) take(std::move(lists), std::move(data));
    });
  };
  fetcher_->fetch(std::move(ids), on_frame, [this, attempt = attempt_](auto missing) {
    if (attempt != attempt_) return;
    for (ObjectFetcher::Missing& object : missing)
      lost_.emplace(object.id, std::move(object.reason));
    const bool alone = std::ranges::none_of(
        others_, [](NodeLink* link) { return link->state() == NodeLink::State::kReady; });
    if (!missing.empty() && alone)
      return end(Error(Code::kUnavailable, "none of the other nodes answers any more"));
    gather_below();
  });
}

void NodeRepair::take(std::vector<List> lists, SharedBytes frame) {
  auto& held = levels_.back().lists;
  std::move(lists.begin(), lists.end(), std::back_inserter(held));
  if (frame.empty() || !feed_.active()) return;
  const std::size_t size = frame.size();
  fetcher_->hold(size);
  feed_.send(std::move(frame), format::FrameRole::kData, [this, attempt = attempt_, size] {
    if (attempt == attempt_) fetcher_->release(size);
  });
}

void NodeRepair::gather_below() {
  Level& level = levels_.back();
  // Data comes frame by frame, each of which may have any number of those due.
  level.batch = level.lists.empty() ? level.due.size() : kListBatch;
  level.below.clear();
  level.below_asked = level.lists_sent = 0;
  std::unordered_set<ObjectId> seen;
  for (const List& list : level.lists)
    for (const ObjectId& ref : list.refs)
      if (!lost_.contains(ref) && !sent_.contains(ref) && seen.insert(ref).second)
        level.below.push_back(ref);
  ask_below();
}

void NodeRepair::ask_below() {
  Level& level = levels_.back();
  if (HOLDFAST_PLANTED("send lists in a repair before what is below them")) return send_lists();
  const std::size_t count =
      std::min(level.below.size() - level.below_asked, wire::kMaxIdsPerRequest);
  if (count == 0) return send_lists();
  const auto begin = level.below.begin() + static_cast<std::ptrdiff_t>(level.below_asked);
  std::vector<ObjectId> ids(begin, begin + static_cast<std::ptrdiff_t>(count));
  level.below_asked += count;
  feed_.ask_present(ids, [this, ids](const std::vector<bool>& present) {
    std::vector<ObjectId> absent;
    for (std::size_t i = 0; i < ids.size(); ++i)
      if (!present[i]) absent.push_back(ids[i]);
    if (absent.empty()) return ask_below();
    levels_.push_back({std::move(absent), 0, kListBatch, {}, {}, 0, 0});
    fetch_batch();
  });
}

const Error* NodeRepair::loss_among(const std::vector<ObjectId>& refs) const {
  for (const ObjectId& ref : refs)
    if (const auto lost = lost_.find(ref); lost != lost_.end()) return &lost->second;
  return nullptr;
}

void NodeRepair::send_lists() {
  Level& level = levels_.back();
  while (level.lists_sent < level.lists.size()) {
    const List& list = level.lists[level.lists_sent++];
    if (const Error* reason = loss_among(list.refs)) {
      lost_.emplace(list.id, *reason);
      continue;
    }
    framing_->content.add(list.id, list.refs, list.payload);
    sent_.insert(list.id);
    if (framing_->content.full()) return seal(&NodeRepair::send_lists);
  }
  level.lists.clear();
  fetch_batch();
}

// All of the level that could be brought was.
void NodeRepair::leave_level() {
  levels_.pop_back();
  if (!levels_.empty()) return ask_below();
  if (framing_->content.empty()) return settle_when_drained();
  seal(&NodeRepair::settle_when_drained);
}

void NodeRepair::seal(void (NodeRepair::*then)()) {
  ports_.executor.submit([this, alive = alive_, attempt = attempt_, &loop = ports_.loop, then,
                          framing = std::move(framing_)]() mutable {
    SharedBytes frame = framing->sealer.seal(framing->content);
    loop.post([this, alive, attempt, then, framing = std::move(framing),
               frame = std::move(frame)]() mutable {
      if (!*alive || attempt != attempt_) return;
      framing_ = std::move(framing);
      if (!feed_.active()) return;
      feed_.send(std::move(frame), format::FrameRole::kMetadata, nullptr);
      if (attempt == attempt_ && feed_.active()) (this->*then)();
    });
  });
}

void NodeRepair::settle_when_drained() {
  draining_ = true;
  if (!feed_.drained()) return;
  draining_ = false;
  if (const auto lost = lost_.find(root()); lost != lost_.end()) return fail_snapshot(lost->second);
  commit();
}

void NodeRepair::commit() {
  wire::RequestProto request;
  request.mutable_commit()->set_manifest(to_string(snapshots_[at_].bytes));
  request.mutable_commit()->set_copied(true);
  node_.call(std::move(request), {},
             [this, alive = alive_, attempt = attempt_](Result<NodeLink::Reply> reply) {
               // A node that went away is begun with again.
               if (!*alive || attempt != attempt_ || !feed_.active()) return;
               if (!reply) return fail_snapshot(std::move(reply).error());
               report_.completed.push_back(snapshots_[at_++].id);
               next_snapshot();
             });
}

void NodeRepair::fail_snapshot(Error reason) {
  report_.failed.push_back({snapshots_[at_++].id, std::move(reason)});
  next_snapshot();
}

void NodeRepair::feed_changed() {
  report_.sent_bytes = feed_.sent_bytes();
  if (ended_ || waiting_for_node_) return;
  if (!feed_.active()) return wait_for_node();
  if (draining_) settle_when_drained();
}

void NodeRepair::wait_for_node() {
  const Code code = feed_.reason().code();
  const bool may_come_back = code == Code::kUnavailable || code == Code::kTimedOut ||
                             feed_.state() == NodeFeed::State::kLagging;
  if (!may_come_back || attempts_ == policy_.attempts) return end(feed_.reason());
  ++attempt_;
  waiting_for_node_ = true;
  if (node_.state() == NodeLink::State::kReady) {
    // Not from within what told us.
    ports_.loop.post([this, alive = alive_, attempt = attempt_] {
      if (*alive && attempt == attempt_) begin_attempt();
    });
    return;
  }
  timer_ = ports_.loop.after(policy_.patience, [this] {
    timer_.reset();
    end(feed_.reason());
  });
}

void NodeRepair::end(std::optional<Error> reason) {
  ended_ = true;
  ++attempt_;
  report_.ended = std::move(reason);
  ports_.loop.post([this, alive = alive_] {
    if (*alive) done_(report_);
  });
}

}  // namespace holdfast::agent
