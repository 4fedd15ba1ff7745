#include "agent/node_feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/base/planted_bug.h"

namespace holdfast::agent {

NodeFeed::NodeFeed(NodeLink& link, const Clock& clock, std::function<void()> changed)
    : link_(link), clock_(clock), changed_(std::move(changed)), last_progress_(clock.now()) {}

NodeFeed::~NodeFeed() {
  *alive_ = false;
  give_up_turn();
}

void NodeFeed::pace(RateLimit& limit, EventLoop& loop) {
  if (!limit.limits()) return;
  limit_ = &limit;
  loop_ = &loop;
}

void NodeFeed::activate() {
  check(link_.state() == NodeLink::State::kReady, "a feed activated over a link that is not ready");
  state_ = State::kActive;
  incarnation_ = link_.incarnation();
  last_progress_ = clock_.now();
  ++epoch_;
}

void NodeFeed::lag(Error reason) { leave(State::kLagging, std::move(reason)); }
void NodeFeed::fail(Error reason) { leave(State::kFailed, std::move(reason)); }

void NodeFeed::leave(State state, Error reason) {
  if (state_ == State::kFailed) return;
  const bool was_active = state_ == State::kActive;
  state_ = state;
  reason_ = std::move(reason);
  ++epoch_;
  if (!was_active) return;
  auto waiting = std::exchange(in_flight_, {});
  waiting.insert(waiting.end(), backlog_.begin(), backlog_.end());
  waiting.insert(waiting.end(), refused_.begin(), refused_.end());
  backlog_.clear();
  refused_.clear();
  outstanding_ = pending_bytes_ = 0;
  give_up_turn();
  const std::shared_ptr<bool> alive = alive_;
  for (const auto& frame : waiting) {
    if (frame->acknowledged) std::exchange(frame->acknowledged, nullptr)();
    if (!*alive) return;
  }
  changed_();
}

void NodeFeed::link_changed() {
  if (state_ == State::kActive) {
    if (link_.state() == NodeLink::State::kDown)
      leave(State::kFailed, link_.down_reason());
    else if (link_.incarnation() != incarnation_)
      leave(State::kLagging,
            Error(Code::kUnavailable, fmt::format("node {} restarted in between", name())));
  }
  changed_();
}

void NodeFeed::ask_present(std::vector<ObjectId> ids,
                           std::function<void(std::vector<bool>)> answer) {
  check(ids.size() <= wire::kMaxIdsPerRequest, "more ids than one question may have");
  wire::RequestProto request;
  request.mutable_present()->set_ids(wire::join_ids(ids));
  link_.call(std::move(request), {},
             [this, alive = alive_, epoch = epoch_, count = ids.size(),
              answer = std::move(answer)](Result<NodeLink::Reply> reply) {
               if (!*alive || epoch != epoch_) return;
               auto bits = reply ? wire::decode_bitmap(reply->proto.present().bitmap(), count)
                                 : Result<std::vector<bool>>(reply.error());
               if (!bits) return fail(std::move(bits).error().with_context(name()));
               last_progress_ = clock_.now();
               answer(std::move(*bits));
               if (*alive) changed_();
             });
}

void NodeFeed::send(SharedBytes frame, format::FrameRole role, std::function<void()> acknowledged) {
  check(state_ == State::kActive, "a frame for a feed that is not active");
  pending_bytes_ += frame.size();
  backlog_.push_back(
      std::make_shared<Frame>(Frame{std::move(frame), role, std::move(acknowledged)}));
  pump();
}

void NodeFeed::pump() {
  // What was refused for want of other objects goes again when nothing else is on the way.
  if (outstanding_ == 0 && backlog_.empty())
    for (auto& frame : std::exchange(refused_, {})) {
      frame->resent = true;
      backlog_.push_back(std::move(frame));
    }
  // A node must take one frame even if its window is smaller than that.
  while (!backlog_.empty() &&
         (link_.unanswered_bytes() == 0 || HOLDFAST_PLANTED("send beyond the window") ||
          link_.unanswered_bytes() + backlog_.front()->bytes.size() <= link_.window_bytes())) {
    if (limit_ != nullptr && !has_turn()) return;
    auto frame = std::move(backlog_.front());
    backlog_.pop_front();
    transmit(std::move(frame));
  }
}

// Whether the frame in front may go now; if not, pump() is called when it may.
bool NodeFeed::has_turn() {
  if (!turn_) turn_ = limit_->take(backlog_.front()->bytes.size());
  const Instant now = clock_.now();
  if (now >= *turn_) {
    give_up_turn();
    last_progress_ = now;  // the node's time to answer begins
    return true;
  }
  if (!turn_timer_)
    turn_timer_ = loop_->after(*turn_ - now, [this] {
      turn_timer_.reset();
      pump();
    });
  return false;
}

void NodeFeed::give_up_turn() {
  turn_.reset();
  if (turn_timer_) loop_->cancel(*turn_timer_);
  turn_timer_.reset();
}

void NodeFeed::transmit(std::shared_ptr<Frame> frame) {
  ++outstanding_;
  in_flight_.push_back(frame);
  wire::RequestProto request;
  request.mutable_put_frame();
  link_.call(std::move(request), frame->bytes,
             [this, alive = alive_, epoch = epoch_, frame](Result<NodeLink::Reply> reply) {
               if (!*alive) return;
               // What was sent before the feed left counts against the window until it is answered.
               if (epoch != epoch_) return pump();
               --outstanding_;
               std::erase(in_flight_, frame);
               last_progress_ = clock_.now();
               if (reply) {
                 sent_bytes_ += frame->bytes.size();
                 finish(frame);
               } else if (reply.error().code() == Code::kMissingObjects && !frame->resent) {
                 refused_.push_back(frame);
               } else {
                 if (frame->acknowledged) std::exchange(frame->acknowledged, nullptr)();
                 if (!*alive || epoch != epoch_) return;
                 const bool lost = reply.error().code() == Code::kMissingObjects;
                 leave(lost ? State::kLagging : State::kFailed,
                       Error(reply.error()).with_context(name()));
                 return;
               }
               if (!*alive || epoch != epoch_) return;
               pump();
               changed_();
             });
}

void NodeFeed::finish(const std::shared_ptr<Frame>& frame) {
  pending_bytes_ -= frame->bytes.size();
  if (frame->acknowledged) std::exchange(frame->acknowledged, nullptr)();
}

}  // namespace holdfast::agent
