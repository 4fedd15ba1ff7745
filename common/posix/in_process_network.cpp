// A Link is what a channel and the node share. Each side posts to the other's loop while it holds
// the mutex of that side, and each side takes itself out under the same mutex before it goes: so
// nothing is posted to a loop whose user has left, and what was posted before finds the door
// closed.
#include "common/posix/in_process_network.h"

#include <atomic>
#include <unordered_map>

namespace holdfast {
namespace {

// One row for the process, since Peer promises it.
std::uint64_t next_connection() {
  static std::atomic<std::uint64_t> next = 1;
  return next.fetch_add(1);
}

Status check_endpoint(const std::string& endpoint) {
  if (endpoint.starts_with("dir:")) return {};
  return Error(Code::kInvalidArgument, endpoint + ": not of the form dir:/ABSOLUTE/PATH");
}

}  // namespace

namespace in_process {

// The agent's end of a channel.
class Link {
 public:
  Link(EventLoop& loop, Dialer::Receive receive, std::size_t queue_messages)
      : loop_(&loop), receive_(std::move(receive)), queue_messages_(queue_messages) {}

  // From the node's loop.
  static void deliver(const std::shared_ptr<Link>& link, Message message) {
    const std::lock_guard lock(link->mutex_);
    if (link->loop_ == nullptr || link->waiting_ >= link->queue_messages_) return;
    ++link->waiting_;
    link->loop_->post([link, message = std::move(message)]() mutable {
      --link->waiting_;
      // The agent's loop is also where close() runs.
      if (link->open_) link->receive_(std::move(message));
    });
  }
  void close() {
    const std::lock_guard lock(mutex_);
    loop_ = nullptr;
    open_ = false;
  }

 private:
  std::mutex mutex_;
  EventLoop* loop_;  // guarded by mutex_; null once closed
  const Dialer::Receive receive_;
  const std::size_t queue_messages_;
  std::atomic<std::size_t> waiting_ = 0;
  bool open_ = true;  // agent's loop only
};

// The node's end, shared by all channels to it.
class Host {
 public:
  Host(EventLoop& loop, MessageHandler& handler, std::size_t queue_messages)
      : loop_(&loop), handler_(&handler), queue_messages_(queue_messages) {}

  // What the node knows of one channel, made when its first message is sent.
  struct Caller {
    explicit Caller(std::shared_ptr<Link> its_link) : link(std::move(its_link)) {}
    const std::shared_ptr<Link> link;
    std::atomic<std::size_t> waiting = 0;
    Peer peer;  // node's loop only; connection 0 before a message and after disconnect()
  };

  // From an agent's loop.
  static void arrive(const std::shared_ptr<Host>& host, const std::shared_ptr<Caller>& caller,
                     Message message) {
    const std::lock_guard lock(host->mutex_);
    if (host->loop_ == nullptr || caller->waiting >= host->queue_messages_) return;
    ++caller->waiting;
    host->loop_->post([host, caller, message = std::move(message)]() mutable {
      --caller->waiting;
      if (host->handler_ == nullptr) return;
      if (caller->peer.connection == 0) {
        caller->peer.connection = next_connection();
        host->callers_[caller->peer.connection] = caller;
      }
      host->handler_->on_message(caller->peer, std::move(message));
    });
  }
  static void hang_up(const std::shared_ptr<Host>& host, const std::shared_ptr<Caller>& caller) {
    const std::lock_guard lock(host->mutex_);
    if (host->loop_ == nullptr) return;
    host->loop_->post([host, caller] { host->end(caller); });
  }

  // Below: node's loop only.
  void reply(const Peer& peer, Message message) {
    if (const auto found = callers_.find(peer.connection); found != callers_.end())
      Link::deliver(found->second->link, std::move(message));
  }
  static void disconnect(const std::shared_ptr<Host>& host, const Peer& peer) {
    const auto found = host->callers_.find(peer.connection);
    if (found == host->callers_.end()) return;
    const Peer gone = std::exchange(found->second->peer, Peer{});
    host->callers_.erase(found);
    const std::lock_guard lock(host->mutex_);
    if (host->loop_ == nullptr) return;
    host->loop_->post([host, gone] {
      if (host->handler_ != nullptr) host->handler_->on_disconnect(gone);
    });
  }
  void close() {
    const std::lock_guard lock(mutex_);
    loop_ = nullptr;
    handler_ = nullptr;
    callers_.clear();
  }

 private:
  void end(const std::shared_ptr<Caller>& caller) {
    if (handler_ == nullptr || caller->peer.connection == 0) return;
    const Peer gone = std::exchange(caller->peer, Peer{});
    callers_.erase(gone.connection);
    handler_->on_disconnect(gone);
  }

  std::mutex mutex_;
  EventLoop* loop_;  // guarded by mutex_; null once closed
  MessageHandler* handler_;
  const std::size_t queue_messages_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Caller>> callers_;
};

}  // namespace in_process

namespace {

using in_process::Host;
using in_process::Link;

class InProcessChannel final : public Channel {
 public:
  using FindHost = std::function<std::shared_ptr<Host>()>;
  InProcessChannel(FindHost find_host, std::shared_ptr<Link> link)
      : find_host_(std::move(find_host)), link_(std::move(link)) {}
  ~InProcessChannel() override {
    link_->close();
    if (host_) Host::hang_up(host_, caller_);
  }

  void send(Message message) override {
    // A node that left and came back is another one.
    if (auto host = find_host_(); host != host_) {
      host_ = std::move(host);
      caller_ = host_ ? std::make_shared<Host::Caller>(link_) : nullptr;
    }
    if (host_) Host::arrive(host_, caller_, std::move(message));
  }

 private:
  const FindHost find_host_;
  const std::shared_ptr<Link> link_;
  std::shared_ptr<Host> host_;
  std::shared_ptr<Host::Caller> caller_;
};

}  // namespace

Result<std::unique_ptr<InProcessNode>> InProcessNode::listen(InProcessNetwork& network,
                                                             const std::string& endpoint,
                                                             EventLoop& loop,
                                                             MessageHandler& handler) {
  HOLDFAST_TRY(check_endpoint(endpoint));
  auto host = std::make_shared<Host>(loop, handler, network.queue_messages_);
  {
    const std::lock_guard lock(network.mutex_);
    if (!network.hosts_.emplace(endpoint, host).second)
      return Error(Code::kConflict, endpoint + ": a node of this process is there already");
  }
  return std::unique_ptr<InProcessNode>(new InProcessNode(network, endpoint, std::move(host)));
}

InProcessNode::InProcessNode(InProcessNetwork& network, std::string endpoint,
                             std::shared_ptr<Host> host)
    : network_(network), endpoint_(std::move(endpoint)), host_(std::move(host)) {}

InProcessNode::~InProcessNode() {
  {
    const std::lock_guard lock(network_.mutex_);
    network_.hosts_.erase(endpoint_);
  }
  host_->close();
}

void InProcessNode::reply(const Peer& peer, Message message) {
  host_->reply(peer, std::move(message));
}

void InProcessNode::disconnect(const Peer& peer) { Host::disconnect(host_, peer); }

Result<std::unique_ptr<Channel>> InProcessDialer::dial(const NodeAddress& address,
                                                       Receive receive) {
  HOLDFAST_TRY(check_endpoint(address.endpoint));
  auto find_host = [&network = network_, endpoint = address.endpoint]() -> std::shared_ptr<Host> {
    const std::lock_guard lock(network.mutex_);
    const auto found = network.hosts_.find(endpoint);
    return found == network.hosts_.end() ? nullptr : found->second;
  };
  auto link = std::make_shared<Link>(loop_, std::move(receive), network_.queue_messages_);
  return std::unique_ptr<Channel>(
      std::make_unique<InProcessChannel>(std::move(find_host), std::move(link)));
}

}  // namespace holdfast
