// A network between agents and nodes on one SimLoop: messages are lost, repeated, delayed and so
// reordered as the seed draws; nodes leave and come back; links are slow, or cut in one direction
// or both. Who watches sees every message as it is sent.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "common/ports/random.h"
#include "common/ports/transport.h"
#include "tests/simulation/sim_loop.h"

namespace holdfast::testing {

struct NetworkFaults {
  // In thousandths of all messages.
  unsigned lost = 0;
  unsigned repeated = 0;
  unsigned delayed = 0;
  Duration most_delay = std::chrono::milliseconds(500);  // of a delayed message
  Duration latency = std::chrono::microseconds(200);     // of every other
};

struct NetworkFigures {
  std::uint64_t sent = 0, delivered = 0, lost = 0, repeated = 0, delayed = 0, cut = 0;
};

class NetworkWatcher {
 public:
  virtual ~NetworkWatcher() = default;
  virtual void on_request(const std::string& node, const Peer& from, const Message& message) = 0;
  // The node's process takes a request.
  virtual void on_arrival(const std::string& node, const Peer& from) = 0;
  virtual void on_reply(const std::string& node, const Peer& to, const Message& message) = 0;
};

class SimNetwork {
 public:
  SimNetwork(SimLoop& loop, Random& random) : loop_(loop), random_(random) {}

  void set_faults(NetworkFaults faults) { faults_ = faults; }
  const NetworkFigures& figures() const { return figures_; }
  // The `nth` message from now (1 is the next) vanishes, and if `for_good` all behind it; 0: none.
  void lose_message(std::uint64_t nth, bool for_good) {
    lost_message_ = nth == 0 ? 0 : figures_.sent + nth;
    loses_for_good_ = for_good;
  }
  void watch(NetworkWatcher* watcher) { watcher_ = watcher; }
  // Of who listens: the process takes what arrived.
  void note_arrival(const std::string& node, const Peer& from) {
    if (watcher_ != nullptr) watcher_->on_arrival(node, from);
  }

  // "sim:NAME" is this node from now on; null: nobody listens there.
  void listen(const std::string& name, MessageHandler* handler);
  // Messages from one machine to another vanish; "" is every machine.
  void cut(const std::string& from, const std::string& to) { cuts_.emplace(from, to); }
  void mend(const std::string& from, const std::string& to) { cuts_.erase({from, to}); }
  // All messages of a machine take this much longer.
  void slow_down(const std::string& name, Duration by) { slow_[name] = by; }
  void heal() { cuts_.clear(), slow_.clear(); }

  // An agent's way in, from the machine `name`, as the holder of `key`.
  class Client final : public Dialer {
   public:
    Client(SimNetwork& network, CurveKey key, std::string name = "agent")
        : network_(network), key_(key), name_(std::move(name)) {}
    Result<std::unique_ptr<Channel>> dial(const NodeAddress& address, Receive receive) override;

   private:
    SimNetwork& network_;
    CurveKey key_;
    std::string name_;
  };

  // A node's way back.
  class Port final : public Responder {
   public:
    Port(SimNetwork& network, std::string name) : network_(network), name_(std::move(name)) {}
    void reply(const Peer& peer, Message message) override;
    void disconnect(const Peer& peer) override;

   private:
    SimNetwork& network_;
    std::string name_;
  };

 private:
  class SimChannel;
  struct Connection {
    std::string client, node;
    CurveKey key{};
    Dialer::Receive receive;
  };
  bool is_cut(const std::string& from, const std::string& to) const;
  void carry(const std::string& from, const std::string& to, std::function<void(Message)> deliver,
             Message message);

  SimLoop& loop_;
  Random& random_;
  NetworkFaults faults_;
  NetworkFigures figures_;
  NetworkWatcher* watcher_ = nullptr;
  std::uint64_t lost_message_ = 0;  // by its number among those sent
  bool loses_for_good_ = false;
  std::map<std::string, MessageHandler*> nodes_;
  std::map<std::uint64_t, Connection> connections_;
  std::uint64_t next_connection_ = 1;
  std::set<std::pair<std::string, std::string>> cuts_;
  std::map<std::string, Duration> slow_;
};

}  // namespace holdfast::testing
