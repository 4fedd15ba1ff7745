// Frames of an ObjectFetcher: asking for them, opening what comes, and what follows from a failure.
//
// A group may be asked of several nodes, but only one of its frames is being opened at a time, and
// the ids it lacks do not change meanwhile: that is why no object is handed out twice. Failures are
// acted on once nothing more can come of the round.
#include <fmt/format.h>

#include <unordered_set>
#include <utility>

#include "agent/object_fetcher_parts.h"

namespace holdfast::agent {
namespace {

// Idle moments between a worker's end and the loop's next order cost more than a second opener.
constexpr std::size_t kOpenersPerWorker = 2;

// Opens `body` and hands out those of `ids` that are in it; `ids[0]` must be.
Result<std::vector<ObjectId>> open_and_hand_out(format::FrameOpener& opener,
                                                const SharedBytes& body,
                                                const std::vector<ObjectId>& ids,
                                                const ObjectFetcher::OnFrame& on_frame) {
  if (body.size() > format::kMaxFrameSize)
    return Error(Code::kProtocol, "a frame larger than any may be");
  HOLDFAST_ASSIGN(const format::ParsedFrame parsed, format::parse_frame(body));
  HOLDFAST_TRY(format::verify_checksum(body));
  const auto is_first = [&](const format::FrameObject& object) { return object.id == ids[0]; };
  if (std::none_of(parsed.header.objects.begin(), parsed.header.objects.end(), is_first))
    return Error(Code::kProtocol, "a frame without the object that was asked for");
  HOLDFAST_ASSIGN(format::OpenedFrame frame, opener.open(parsed));
  frame.sealed = body;

  std::unordered_set<ObjectId> wanted_ids(ids.begin(), ids.end());
  std::vector<const format::OpenedObject*> wanted;
  std::vector<ObjectId> handed_out;
  for (const format::OpenedObject& object : frame.objects) {
    if (wanted_ids.erase(object.id) == 0) continue;
    wanted.push_back(&object);
    handed_out.push_back(object.id);
  }
  on_frame(frame, wanted);
  return handed_out;
}

}  // namespace

void ObjectFetcher::send_groups() {
  for (std::size_t left = waiting_groups_.size(); left > 0; --left) {
    if (limit_.delay() > Duration(0)) return;  // the next tick comes back to it
    GroupPtr group = std::move(waiting_groups_.front());
    waiting_groups_.pop_front();
    std::size_t node = 0;
    switch (choose(group->tried, {}, node)) {
      case Hope::kReady:
        if (charged_bytes_ == 0 || charged_bytes_ + group->expected_bytes <= policy_.frame_bytes) {
          ask_frame(group, node);
          break;
        }
        [[fallthrough]];
      case Hope::kBusy:
        waiting_groups_.push_front(std::move(group));
        return;
      case Hope::kLater:
        waiting_groups_.push_back(std::move(group));
        break;
      case Hope::kNone:
        give_up(*group->fetch, group->ids, group->tried);
        break;
    }
  }
}

void ObjectFetcher::ask_frame(const GroupPtr& group, std::size_t node) {
  if (!group->in_asked) group->in_asked = asked_groups_.insert(asked_groups_.end(), group);
  group->asked.push_back(node);
  group->asked_at = clock_.now();
  const std::size_t charged = group->expected_bytes;
  charged_bytes_ += charged;
  limit_.take(charged);
  nodes_[node].bytes += charged;
  ++nodes_[node].requests;
  wire::RequestProto request;
  request.mutable_get_frame()->set_id(group->ids.front().str());
  nodes_[node].link->call(
      std::move(request), {},
      [this, alive = alive_, group, node, charged, asked_at = group->asked_at](auto reply) {
        if (!*alive) return;
        if (reply) note_answer(node, asked_at);
        take_frame(group, node, charged, std::move(reply));
        pump();
      });
}

void ObjectFetcher::take_frame(const GroupPtr& group, std::size_t node, std::size_t charged,
                               Result<NodeLink::Reply> reply) {
  charged_bytes_ -= charged;
  nodes_[node].bytes -= charged;
  --nodes_[node].requests;
  drop(group->asked, node);
  if (group->closed) return;  // another node was faster
  if (!reply) return fail_group(group, node, reply.error());
  charged_bytes_ += reply->body.size();
  group->received.push_back({node, std::move(reply->body)});
  came_.push_back(group);
}

void ObjectFetcher::release(std::size_t bytes) {
  charged_bytes_ -= bytes;
  pump();
}

void ObjectFetcher::open_frames() {
  const std::size_t most = kOpenersPerWorker * executor_.concurrency();
  while (!came_.empty() && (!openers_.empty() || openers_made_ < most)) {
    const GroupPtr group = std::move(came_.front());
    came_.pop_front();
    // Closed, or its frame in hand may make this one needless: then it is looked at again.
    if (group->closed || group->opening) continue;
    std::unique_ptr<Opener> opener;
    if (openers_.empty()) {
      opener = std::make_unique<Opener>(keys_);
      ++openers_made_;
    } else {
      opener = std::move(openers_.back());
      openers_.pop_back();
    }
    Received received = std::move(group->received.front());
    group->received.pop_front();
    group->opening = true;
    executor_.submit([this, alive = alive_, &loop = loop_, group = group, ids = group->ids,
                      on_frame = group->fetch->on_frame, opener = std::move(opener),
                      node = received.node, body = std::move(received.body)]() mutable {
      Opened opened;
      auto handed_out = open_and_hand_out(opener->frames, body, ids, *on_frame);
      if (handed_out)
        opened.handed_out = std::move(*handed_out);
      else
        opened.problem = handed_out.error();
      opened.opener = std::move(opener);
      on_frame.reset();
      loop.post([this, alive = std::move(alive), group = std::move(group), node, size = body.size(),
                 opened = std::move(opened)]() mutable {
        if (!*alive) return;
        charged_bytes_ -= size;
        take_opened(group, node, std::move(opened));
        pump();
      });
    });
  }
}

void ObjectFetcher::take_opened(const GroupPtr& group, std::size_t node, Opened opened) {
  openers_.push_back(std::move(opened.opener));
  group->opening = false;
  ++frames_opened_;
  if (opened.problem) {
    // What another version wrote is whole as far as anybody here can tell.
    if (opened.problem->code() != Code::kUnsupportedVersion) {
      wire::RequestProto request;
      request.mutable_report_damage()->set_id(group->ids.front().str());
      nodes_[node].link->call(std::move(request), {}, nullptr);
      if (report_) report_(node, group->ids.front(), *opened.problem);
    }
    return fail_group(group, node, std::move(*opened.problem));
  }
  for (const Received& late : group->received) charged_bytes_ -= late.body.size();
  group->received.clear();
  group->closed = true;
  leave_asked(*group);
  group->fetch->open_ids -= opened.handed_out.size();
  if (opened.handed_out.size() == group->ids.size()) return;
  // This node's frame holds less than the one that was located: the rest is looked for anew.
  auto rest = std::make_shared<Batch>();
  rest->fetch = group->fetch;
  const std::unordered_set<ObjectId> gone(opened.handed_out.begin(), opened.handed_out.end());
  for (const ObjectId& id : group->ids)
    if (!gone.contains(id)) rest->ids.push_back(id);
  waiting_batches_.push_front(std::move(rest));
}

void ObjectFetcher::fail_group(const GroupPtr& group, std::size_t node, Error error) {
  if (!is_loss(error) || ++group->losses >= kMostLosses)
    group->failed.insert_or_assign(node, std::move(error));
  settle_group(group);
}

void ObjectFetcher::leave_asked(Group& group) {
  if (group.in_asked) asked_groups_.erase(*std::exchange(group.in_asked, std::nullopt));
}

// Once nobody owes the group anything: on to the nodes that are left.
void ObjectFetcher::settle_group(const GroupPtr& group) {
  if (group->opening) return;
  if (!group->received.empty()) {
    came_.push_back(group);
    return;
  }
  if (!group->asked.empty()) return;
  leave_asked(*group);
  std::optional<std::pair<std::size_t, Error>> elsewhere;
  for (auto& [node, error] : std::exchange(group->failed, {})) {
    // The frame that failed is the one that all ids were located in, or there is only one id, or
    // the node is of no use at all.
    if (node == group->locator || group->ids.size() == 1 || is_loss(error))
      group->tried.insert_or_assign(node, error);
    else
      elsewhere.emplace(node, error);
  }
  if (!elsewhere) {
    waiting_groups_.push_front(group);
    return;
  }
  // The others may lie in other frames there, which are good.
  auto batch = std::make_shared<Batch>();
  batch->fetch = group->fetch;
  batch->ids = std::move(group->ids);
  batch->tried = std::move(group->tried);
  batch->failed = std::move(elsewhere);
  group->closed = true;
  waiting_batches_.push_front(std::move(batch));
}

}  // namespace holdfast::agent
