// An agent's connection to one node: requests and replies over a channel that may lose, repeat and
// reorder. Every request is idempotent and carries an id; what is not answered is sent again, at
// first soon and then ever more rarely; a node that says nothing at all while it owes an answer is
// pinged, then taken for down, and probed with a growing, jittered pause until it is back. So is
// one that answers pings and not what it was asked, much later.
//
// Loop thread only. Callbacks may destroy what they belong to, but not the link.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/format/charter.h"
#include "common/ports/clock.h"
#include "common/ports/executor.h"
#include "common/ports/random.h"
#include "common/ports/transport.h"
#include "common/wire/message.h"

namespace holdfast::agent {

struct LinkPolicy {
  Duration connect_timeout = std::chrono::seconds(5);  // until the first Hello counts as unanswered
  Duration first_resend = std::chrono::milliseconds(20);  // of a Hello; doubles
  Duration overtaken_resend = std::chrono::seconds(2);    // a later request was answered; doubles
  // The node was heard since, but has answered nothing that was sent later; doubles. What a node
  // that says nothing at all was sent is on its way, or lost with the connection.
  Duration resend = std::chrono::seconds(10);
  Duration ping = std::chrono::seconds(2);     // of silence while an answer is due
  Duration silence = std::chrono::seconds(8);  // of silence that means down
  // For the answer to a request, of a node that answers others: longer than a disk takes to sync
  // what a node may hold unsynced, or its disk hangs, and that means down as well.
  Duration answer = std::chrono::minutes(5);
  Duration probe_most = std::chrono::seconds(5);  // between Hellos to a node that is down
};

class NodeLink {
 public:
  enum class State { kConnecting, kReady, kDown };
  struct Reply {
    wire::ReplyProto proto;
    SharedBytes body;
  };
  // An error reply arrives as its Error; kUnavailable if the node went down first.
  using Done = std::function<void(Result<Reply>)>;

  NodeLink(format::CharterNode node, const RepositoryId& repository, EventLoop& loop,
           const Clock& clock, Random& random, LinkPolicy policy = {});
  ~NodeLink();
  NodeLink(const NodeLink&) = delete;
  NodeLink& operator=(const NodeLink&) = delete;

  // Starts connecting; `dialer` outlives the link. An error means an address that can never work;
  // the link is then down.
  Status start(Dialer& dialer);
  // Called after every change of state() or incarnation().
  void on_change(std::function<void()> changed) { changed_ = std::move(changed); }

  State state() const { return state_; }
  const std::string& name() const { return node_.name; }
  const format::CharterNode& node() const { return node_; }
  const Error& down_reason() const { return down_reason_; }
  // Of the node's present life; 0 before the first reply.
  std::uint64_t incarnation() const { return incarnation_; }
  const wire::HelloReply& hello() const { return hello_; }

  // Sends as soon as the node is ready; while it is down, fails at once (from the loop, never from
  // within this call).
  void call(wire::RequestProto request, SharedBytes body, Done done);
  // Bytes of bodies sent and not yet answered.
  std::size_t unanswered_bytes() const { return unanswered_bytes_; }
  std::size_t window_bytes() const { return hello_.window_bytes(); }

 private:
  struct Call {
    wire::RequestProto request;
    SharedBytes body;
    Done done;
    Instant sent;
    Instant due_since;         // the node has been ready for it
    std::uint64_t serial = 0;  // of the sending; 0: not sent yet
    unsigned resends = 0;
  };

  void receive(Message message);
  void answer(wire::ReplyProto reply, SharedBytes body);
  void welcome(const wire::ReplyProto& reply);
  void transmit(std::uint64_t id, Call& call);
  void send_hello();
  void tick();
  void arm(Duration delay);
  void fail(Error reason);
  void fail_and_dial(Error reason);
  Status dial();
  Duration jittered(Duration delay);

  format::CharterNode node_;
  RepositoryId repository_;
  EventLoop& loop_;
  const Clock& clock_;
  Random& random_;
  LinkPolicy policy_;
  std::function<void()> changed_;
  Dialer* dialer_ = nullptr;
  std::unique_ptr<Channel> channel_;

  State state_ = State::kConnecting;
  Error down_reason_{Code::kUnavailable, "not started"};
  std::uint64_t incarnation_ = 0;
  wire::HelloReply hello_;
  std::map<std::uint64_t, Call> calls_;
  std::uint64_t next_id_, serial_ = 0, highest_answered_ = 0;
  std::size_t unanswered_bytes_ = 0;
  Instant started_, last_heard_, last_ping_;
  Duration hello_pause_;
  std::optional<TimerId> timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace holdfast::agent
