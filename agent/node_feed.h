// One backup's stream to one node: questions about what it has, frames within its window, and
// finally the commit. A feed that fails, falls behind or loses what it was told leaves the backup's
// main pass (it lags); the others go on without it.
//
// Loop thread only.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/node_link.h"
#include "agent/rate_limit.h"
#include "common/base/digest.h"
#include "common/format/frame.h"
#include "common/ports/executor.h"

namespace holdfast::agent {

class NodeFeed {
 public:
  enum class State {
    kWaiting,  // the link is not decided yet
    kActive,   // takes part
    kLagging,  // left, and can be caught up
    kFailed,   // left: down, read-only, refuses
  };

  // `changed` is called after every step (answer, acknowledgement, change of state).
  NodeFeed(NodeLink& link, const Clock& clock, std::function<void()> changed);
  ~NodeFeed();

  // From now on frames wait for their turn at `limit`, which outlives the feed as `loop` does.
  void pace(RateLimit& limit, EventLoop& loop);

  const std::string& name() const { return link_.name(); }
  State state() const { return state_; }
  bool active() const { return state_ == State::kActive; }
  const Error& reason() const { return reason_; }  // why it left

  // Begins (again): active in the node's present incarnation.
  void activate();
  void lag(Error reason);
  void fail(Error reason);
  // Told by whoever owns the link: it went down, came back or is another incarnation.
  void link_changed();

  // Whether each object, with all below it, is there. Not called any more if the feed leaves first.
  void ask_present(std::vector<ObjectId> ids, std::function<void(std::vector<bool>)> answer);

  // Sends when the window allows; frames keep their order. `acknowledged` is called once the node
  // has the frame, or once the feed has left, so that whoever counts references always hears.
  void send(SharedBytes frame, format::FrameRole role, std::function<void()> acknowledged);

  // Frames not acknowledged yet, waiting ones included.
  std::size_t pending_bytes() const { return pending_bytes_; }
  bool drained() const { return outstanding_ == 0 && backlog_.empty() && refused_.empty(); }
  // While it waits for a turn it owes nothing: then now.
  Instant last_progress() const { return turn_ ? clock_.now() : last_progress_; }
  std::uint64_t sent_bytes() const { return sent_bytes_; }

 private:
  struct Frame {
    SharedBytes bytes;
    format::FrameRole role;
    std::function<void()> acknowledged;
    bool resent = false;
  };
  void pump();
  bool has_turn();
  void give_up_turn();
  void transmit(std::shared_ptr<Frame> frame);
  void leave(State state, Error reason);
  void finish(const std::shared_ptr<Frame>& frame);

  NodeLink& link_;
  const Clock& clock_;
  std::function<void()> changed_;
  State state_ = State::kWaiting;
  Error reason_{Code::kUnavailable, "not started"};
  std::uint64_t incarnation_ = 0;
  std::uint64_t epoch_ = 0;  // of activation: answers to an earlier one are void
  std::deque<std::shared_ptr<Frame>> backlog_;
  std::vector<std::shared_ptr<Frame>> in_flight_;
  std::vector<std::shared_ptr<Frame>> refused_;  // for want of what is still on the way
  std::size_t outstanding_ = 0, pending_bytes_ = 0;
  std::uint64_t sent_bytes_ = 0;
  Instant last_progress_;
  RateLimit* limit_ = nullptr;  // none: frames go as the window allows
  EventLoop* loop_ = nullptr;
  std::optional<Instant> turn_;  // of the frame in front, if it waits for it
  std::optional<TimerId> turn_timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace holdfast::agent
