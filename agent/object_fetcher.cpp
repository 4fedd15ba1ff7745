// Ids go through two queues. Batches wait to learn where their ids lie; each answer makes groups,
// one a frame; groups wait for room among the bytes in flight. Whatever changes (an answer, an
// opened frame, a tick) ends in pump(), which moves everything on as far as it goes.
//
// What failed where is kept with the batch or group (`tried`) and always holds for all its ids, so
// that giving up on it is right for each of them. An id thus leaves only by being handed out or by
// having failed at every node.
#include "agent/object_fetcher.h"

#include <fmt/format.h>

#include <unordered_set>
#include <utility>

#include "agent/object_fetcher_parts.h"

namespace holdfast::agent {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(100);
constexpr std::size_t kIdsPerBatch = 4096;
constexpr std::size_t kMostBatchesAsked = 2;  // what lies where is soon needed, not all at once
constexpr std::size_t kEnoughGroups = 256;    // waiting ones, before more is located
constexpr std::size_t kMostRequests = 64;     // at one node at once
constexpr std::size_t kMostAskedAtOnce = 3;   // nodes for one frame
constexpr std::size_t kLeastExpected = 1 << 10;

}  // namespace

ObjectFetcher::ObjectFetcher(std::vector<NodeLink*> links, std::shared_ptr<const ReaderKeys> keys,
                             EventLoop& loop, const Clock& clock, Executor& executor,
                             FetchPolicy policy)
    : keys_(std::move(keys)),
      loop_(loop),
      clock_(clock),
      executor_(executor),
      policy_(policy),
      limit_(clock, policy.bytes_per_s) {
  for (NodeLink* link : links) nodes_.push_back({link, 0, 0, {}, {}});
}

ObjectFetcher::~ObjectFetcher() {
  *alive_ = false;
  if (timer_) loop_.cancel(*timer_);
}

void ObjectFetcher::fetch(std::vector<ObjectId> ids, OnFrame on_frame, Done done) {
  auto fetch = std::make_shared<Fetch>();
  fetch->on_frame = std::make_shared<const OnFrame>(std::move(on_frame));
  fetch->done = std::move(done);
  fetches_.push_back(fetch);
  std::unordered_set<ObjectId> seen;
  BatchPtr batch;
  for (const ObjectId& id : ids) {
    if (!seen.insert(id).second) continue;
    if (!batch || batch->ids.size() == kIdsPerBatch) {
      batch = std::make_shared<Batch>();
      batch->fetch = fetch;
      waiting_batches_.push_back(batch);
    }
    batch->ids.push_back(id);
  }
  fetch->open_ids = seen.size();
  pump();
}

void ObjectFetcher::observe_nodes() {
  for (Node& node : nodes_) {
    if (node.link->state() == NodeLink::State::kReady)
      node.down_since.reset();
    else if (!node.down_since)
      node.down_since = clock_.now();
  }
}

bool ObjectFetcher::may_come_back(const Node& node) const {
  return node.down_since && clock_.now() - *node.down_since < policy_.patience;
}

ObjectFetcher::Hope ObjectFetcher::choose(const Tried& tried, const std::vector<std::size_t>& asked,
                                          std::size_t& node) {
  Hope hope = Hope::kNone;
  std::optional<std::size_t> best;
  for (std::size_t step = 0; step < nodes_.size(); ++step) {
    const std::size_t at = (turn_ + step) % nodes_.size();
    if (tried.contains(at) || std::find(asked.begin(), asked.end(), at) != asked.end()) continue;
    if (nodes_[at].link->state() != NodeLink::State::kReady) {
      if (hope == Hope::kNone && may_come_back(nodes_[at])) hope = Hope::kLater;
    } else if (nodes_[at].requests >= kMostRequests) {
      hope = Hope::kBusy;
    } else if (!best || std::pair(nodes_[at].bytes, nodes_[at].requests) <
                            std::pair(nodes_[*best].bytes, nodes_[*best].requests)) {
      best = at;
    }
  }
  if (!best) return hope;
  node = *best;
  turn_ = node + 1;
  return Hope::kReady;
}

Error ObjectFetcher::reason_for(const ObjectId& id, const Tried& tried) const {
  std::string said;
  bool damaged = false, unreachable = false;
  for (std::size_t at = 0; at < nodes_.size(); ++at) {
    if (!said.empty()) said += "; ";
    const auto found = tried.find(at);
    const Error& error = found != tried.end() ? found->second : nodes_[at].link->down_reason();
    said += fmt::format("{}: {}", nodes_[at].link->name(), error.message());
    damaged = damaged || error.code() == Code::kCorrupt || error.code() == Code::kForged;
    unreachable = unreachable || found == tried.end() || is_loss(error);
  }
  const Code code = damaged ? Code::kCorrupt : unreachable ? Code::kUnavailable : Code::kNotFound;
  return Error(code, fmt::format("no node gives object {} ({})", id.short_hex(), said));
}

void ObjectFetcher::give_up(Fetch& fetch, const std::vector<ObjectId>& ids, const Tried& tried) {
  for (const ObjectId& id : ids) fetch.missing.push_back({id, reason_for(id, tried)});
  fetch.open_ids -= ids.size();
}

void ObjectFetcher::send_batches() {
  for (std::size_t left = waiting_batches_.size(); left > 0; --left) {
    if (asked_batches_.size() >= kMostBatchesAsked || waiting_groups_.size() >= kEnoughGroups)
      return;
    BatchPtr batch = std::move(waiting_batches_.front());
    waiting_batches_.pop_front();
    if (batch->failed) {
      // A link that is down says so by itself.
      asked_batches_.push_back(batch);
      ask_where(batch, batch->failed->first);
      continue;
    }
    std::size_t node = 0;
    switch (choose(batch->tried, {}, node)) {
      case Hope::kReady:
        asked_batches_.push_back(batch);
        ask_where(batch, node);
        break;
      case Hope::kBusy:
        waiting_batches_.push_front(std::move(batch));
        return;
      case Hope::kLater:
        waiting_batches_.push_back(std::move(batch));
        break;
      case Hope::kNone:
        give_up(*batch->fetch, batch->ids, batch->tried);
        break;
    }
  }
}

void ObjectFetcher::ask_where(const BatchPtr& batch, std::size_t node) {
  batch->asked.push_back(node);
  batch->asked_at = clock_.now();
  ++nodes_[node].requests;
  wire::RequestProto request;
  request.mutable_locate()->set_ids(wire::join_ids(batch->ids));
  nodes_[node].link->call(
      std::move(request), {},
      [this, alive = alive_, batch, node, asked_at = batch->asked_at](auto reply) {
        if (!*alive) return;
        --nodes_[node].requests;
        drop(batch->asked, node);
        if (reply) note_answer(node, asked_at);
        if (!batch->closed) learn_where(batch, node, std::move(reply));
        pump();
      });
}

void ObjectFetcher::learn_where(const BatchPtr& batch, std::size_t node,
                                Result<NodeLink::Reply> reply) {
  if (!reply) return fail_batch(batch, node, reply.error());
  if (const Status taken = take_places(*batch, node, reply->proto.locate()); !taken)
    return fail_batch(batch, node, taken.error());
  batch->closed = true;
  asked_batches_.remove(batch);
}

// Makes groups of a batch, and another batch of what the node does not have.
Status ObjectFetcher::take_places(const Batch& batch, std::size_t node,
                                  const wire::LocateReply& places) {
  const auto frames = static_cast<std::uint32_t>(places.frame_length_size());
  const auto beyond = [&](std::uint32_t number) { return number > frames; };
  if (static_cast<std::size_t>(places.frame_size()) != batch.ids.size() ||
      std::any_of(places.frame().begin(), places.frame().end(), beyond))
    return Error(Code::kProtocol, "its answer does not fit what was asked");

  std::map<std::uint32_t, GroupPtr> groups;  // in disk order
  BatchPtr absent;
  for (std::size_t i = 0; i < batch.ids.size(); ++i) {
    const std::uint32_t number = places.frame(static_cast<int>(i));
    if (batch.failed ? number == 0 || number == places.frame(0) : number == 0) {
      if (!absent) {
        absent = std::make_shared<Batch>();
        absent->fetch = batch.fetch;
        absent->tried = batch.tried;
        absent->tried.emplace(node, batch.failed
                                        ? batch.failed->second
                                        : Error(Code::kNotFound, "it does not have the object"));
      }
      absent->ids.push_back(batch.ids[i]);
      continue;
    }
    GroupPtr& group = groups[number];
    if (!group) {
      group = std::make_shared<Group>();
      group->fetch = batch.fetch;
      group->tried = batch.tried;
      group->locator = node;
      group->expected_bytes = std::clamp<std::size_t>(
          places.frame_length(static_cast<int>(number - 1)), kLeastExpected, format::kMaxFrameSize);
    }
    group->ids.push_back(batch.ids[i]);
  }
  for (auto& [number, group] : groups) waiting_groups_.push_back(std::move(group));
  if (absent) waiting_batches_.push_front(std::move(absent));
  return {};
}

void ObjectFetcher::fail_batch(const BatchPtr& batch, std::size_t node, const Error& error) {
  if (batch->failed) {
    batch->tried.insert_or_assign(node, batch->failed->second);
    batch->failed.reset();
  } else if (!is_loss(error) || ++batch->losses >= kMostLosses) {
    batch->tried.insert_or_assign(node, error);
  }
  if (!batch->asked.empty()) return;
  asked_batches_.remove(batch);
  waiting_batches_.push_front(batch);
}

// Nothing in it calls back: answers, opened frames and ends of fetches come from the loop.
void ObjectFetcher::pump() {
  observe_nodes();
  open_frames();
  send_groups();
  send_batches();
  finish_fetches();
  arm();
}

void ObjectFetcher::finish_fetches() {
  for (auto at = fetches_.begin(); at != fetches_.end();) {
    if ((*at)->open_ids > 0) {
      ++at;
      continue;
    }
    loop_.post([alive = alive_, fetch = std::move(*at)] {
      if (*alive) fetch->done(std::move(fetch->missing));
    });
    at = fetches_.erase(at);
  }
}

void ObjectFetcher::note_answer(std::size_t node, Instant asked_at) {
  const Instant now = clock_.now();
  const auto smooth = [](Duration& usual, Duration sample) {
    usual = usual == Duration(0) ? sample : (usual * 7 + sample) / 8;
  };
  smooth(usual_pause_, now - std::max(asked_at, nodes_[node].last_answer));
  smooth(usual_age_, now - asked_at);
  nodes_[node].last_answer = now;
}

// A node that answers one request after the other is not late with those that wait their turn,
// unless one has waited out of all proportion.
bool ObjectFetcher::is_late(Instant asked_at, const std::vector<std::size_t>& asked) const {
  const Instant now = clock_.now();
  Instant heard = asked_at;
  for (const std::size_t node : asked) heard = std::max(heard, nodes_[node].last_answer);
  const auto most = [&](Duration usual) {
    return std::max<Duration>(policy_.late_floor, usual * policy_.late_factor);
  };
  return now - heard > most(usual_pause_) || now - asked_at > 4 * most(usual_age_);
}

void ObjectFetcher::ask_late_again() {
  std::size_t node = 0;
  for (const BatchPtr& batch : asked_batches_) {
    if (batch->failed || batch->asked.size() >= kMostAskedAtOnce ||
        !is_late(batch->asked_at, batch->asked))
      continue;
    if (choose(batch->tried, batch->asked, node) == Hope::kReady) ask_where(batch, node);
  }
  for (const GroupPtr& group : asked_groups_) {
    if (limit_.delay() > Duration(0)) return;
    if (group->opening || !group->received.empty() || group->asked.empty() ||
        group->asked.size() >= kMostAskedAtOnce || !is_late(group->asked_at, group->asked))
      continue;
    if (charged_bytes_ + group->expected_bytes > policy_.frame_bytes + policy_.late_bytes) return;
    Tried unwanted = group->tried;
    unwanted.insert(group->failed.begin(), group->failed.end());
    if (choose(unwanted, group->asked, node) == Hope::kReady) ask_frame(group, node);
  }
}

bool ObjectFetcher::idle() const { return fetches_.empty(); }

void ObjectFetcher::arm() {
  if (timer_ || idle()) return;
  timer_ = loop_.after(kTick, [this] {
    timer_.reset();
    ask_late_again();
    pump();
  });
}

}  // namespace holdfast::agent
