// Fetches objects by id from several nodes at once, and hands out only what was opened and compared
// with its id.
//
// One node is asked where the ids lie, so that each frame is fetched and opened once. Frames are
// then asked of whichever node has the least outstanding, which makes a fast node serve more than a
// slow one. An answer that is late is asked of another node too, and the first good one is taken. A
// frame that fails is reported to the node that gave it and fetched elsewhere; what a node that
// went down still owed is asked of the others. Nodes may hold an object in different frames: of
// whatever frame comes back, the wanted objects are taken and the rest is looked for anew.
//
// Loop thread only; opening and `on_frame` run on the executor.
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "agent/node_link.h"
#include "agent/rate_limit.h"
#include "agent/repository_keys.h"
#include "common/format/frame_opener.h"

namespace holdfast::agent {

struct FetchPolicy {
  // Bytes of frames that are asked for, or came and wait to be opened, over all nodes. At least one
  // frame is always asked for. What is opened at once is as many frames as the executor runs.
  std::size_t frame_bytes = std::size_t{24} << 20;
  std::size_t late_bytes = std::size_t{8} << 20;  // beside those, of frames asked for again
  Duration late_floor = std::chrono::seconds(1);  // no answer is late before
  unsigned late_factor = 4;                       // times what is usual
  Duration patience = std::chrono::seconds(15);   // for a node that is down to come back
  std::uint64_t bytes_per_s = 0;                  // of frames, from all nodes together; 0: no limit
};

class ObjectFetcher {
 public:
  // An object that no node that can be reached gave, and what each of them said.
  struct Missing {
    ObjectId id;
    Error reason;
  };
  // Runs on the executor, several at once. `wanted` are those objects of the frame that were asked
  // for and not handed out before; they point into `frame`, which is gone afterwards.
  using OnFrame = std::function<void(const format::OpenedFrame& frame,
                                     std::span<const format::OpenedObject* const> wanted)>;
  // On the loop, once every id was handed out or is among the missing.
  using Done = std::function<void(std::vector<Missing>)>;
  // On the loop: node `node` gave a frame for the object that does not pass. It was told already.
  using OnDamage = std::function<void(std::size_t node, const ObjectId& id, const Error& problem)>;

  // Links, loop, clock and executor outlive the fetcher.
  ObjectFetcher(std::vector<NodeLink*> links, std::shared_ptr<const ReaderKeys> keys,
                EventLoop& loop, const Clock& clock, Executor& executor, FetchPolicy policy = {});
  // No call of any Done afterwards. An `on_frame` that is running goes on, so that what it uses is
  // owned by it.
  ~ObjectFetcher();
  ObjectFetcher(const ObjectFetcher&) = delete;
  ObjectFetcher& operator=(const ObjectFetcher&) = delete;

  // Ids may repeat; an object is handed out once per fetch. Fetches begin in order and overlap.
  void fetch(std::vector<ObjectId> ids, OnFrame on_frame, Done done);
  void on_damage(OnDamage report) { report_ = std::move(report); }
  // Bytes that who fetched them has not got rid of yet: until released they count against
  // frame_bytes, so that no more is asked for.
  void hold(std::size_t bytes) { charged_bytes_ += bytes; }
  void release(std::size_t bytes);

  // Also those that were of no use.
  std::uint64_t frames_opened() const { return frames_opened_; }

 private:
  struct Opener;
  struct Opened;
  struct Fetch;
  struct Batch;
  struct Group;
  struct Received {
    std::size_t node;
    SharedBytes body;
  };
  using FetchPtr = std::shared_ptr<Fetch>;
  using BatchPtr = std::shared_ptr<Batch>;
  using GroupPtr = std::shared_ptr<Group>;
  using Tried = std::map<std::size_t, Error>;  // what each node said that cannot give it
  struct Node {
    NodeLink* link;
    std::size_t bytes = 0;  // of frames asked for
    std::size_t requests = 0;
    Instant last_answer;
    std::optional<Instant> down_since;
  };
  enum class Hope {
    kReady,  // a node can be asked now
    kBusy,   // nodes that can be asked have enough to do
    kLater,  // a node that is down may come back
    kNone,
  };

  // Choosing nodes.
  void observe_nodes();
  Hope choose(const Tried& tried, const std::vector<std::size_t>& asked, std::size_t& node);
  bool may_come_back(const Node& node) const;
  bool is_late(Instant asked_at, const std::vector<std::size_t>& asked) const;
  Error reason_for(const ObjectId& id, const Tried& tried) const;
  // Where objects lie.
  void send_batches();
  void ask_where(const BatchPtr& batch, std::size_t node);
  void learn_where(const BatchPtr& batch, std::size_t node, Result<NodeLink::Reply> reply);
  Status take_places(const Batch& batch, std::size_t node, const wire::LocateReply& reply);
  void fail_batch(const BatchPtr& batch, std::size_t node, const Error& error);
  // Frames.
  void send_groups();
  void ask_frame(const GroupPtr& group, std::size_t node);
  void take_frame(const GroupPtr& group, std::size_t node, std::size_t charged,
                  Result<NodeLink::Reply> reply);
  void open_frames();
  void take_opened(const GroupPtr& group, std::size_t node, Opened opened);
  void fail_group(const GroupPtr& group, std::size_t node, Error error);
  void settle_group(const GroupPtr& group);
  void leave_asked(Group& group);
  // All of it.
  void pump();
  void ask_late_again();
  void give_up(Fetch& fetch, const std::vector<ObjectId>& ids, const Tried& tried);
  void finish_fetches();
  void note_answer(std::size_t node, Instant asked_at);
  void arm();
  bool idle() const;

  std::vector<Node> nodes_;
  std::shared_ptr<const ReaderKeys> keys_;
  EventLoop& loop_;
  const Clock& clock_;
  Executor& executor_;
  const FetchPolicy policy_;
  RateLimit limit_;
  OnDamage report_;

  std::list<FetchPtr> fetches_;
  std::deque<BatchPtr> waiting_batches_;
  std::list<BatchPtr> asked_batches_;
  std::deque<GroupPtr> waiting_groups_;
  std::list<GroupPtr> asked_groups_;
  std::deque<GroupPtr> came_;                     // a frame each that waits for an opener
  std::vector<std::unique_ptr<Opener>> openers_;  // idle
  std::size_t openers_made_ = 0;
  std::size_t charged_bytes_ = 0;
  Duration usual_pause_{0};  // between a node's answers while it owes some, smoothed
  Duration usual_age_{0};    // from asking to the answer, smoothed
  std::size_t turn_ = 0;
  std::uint64_t frames_opened_ = 0;
  std::optional<TimerId> timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace holdfast::agent
