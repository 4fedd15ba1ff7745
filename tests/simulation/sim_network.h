// A network between agents and nodes on one SimLoop: messages are lost, repeated, delayed and so
// reordered as the seed draws; nodes leave and come back; links are cut in one direction or both.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

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
  std::uint64_t sent = 0, delivered = 0, lost = 0, repeated = 0, delayed = 0;
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

  // "sim:NAME" is this node from now on; null: nobody listens there.
  void listen(const std::string& name, MessageHandler* handler);
  // Messages towards (or from) a node vanish.
  void cut(const std::string& name, bool towards, bool from);
  void heal() { cut_towards_.clear(), cut_from_.clear(); }

  // An agent's way in, as the holder of `key`.
  class Client final : public Dialer {
   public:
    Client(SimNetwork& network, CurveKey key) : network_(network), key_(key) {}
    Result<std::unique_ptr<Channel>> dial(const NodeAddress& address, Receive receive) override;

   private:
    SimNetwork& network_;
    CurveKey key_;
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
    std::string node;
    CurveKey key{};
    Dialer::Receive receive;
  };
  void carry(std::function<void(Message)> deliver, Message message);

  SimLoop& loop_;
  Random& random_;
  NetworkFaults faults_;
  NetworkFigures figures_;
  std::uint64_t lost_message_ = 0;  // by its number among those sent
  bool loses_for_good_ = false;
  std::map<std::string, MessageHandler*> nodes_;
  std::map<std::uint64_t, Connection> connections_;
  std::uint64_t next_connection_ = 1;
  std::set<std::string> cut_towards_, cut_from_;
};

}  // namespace holdfast::testing
