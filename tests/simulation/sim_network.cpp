// A message is lost when it is sent, by chance, or when it would arrive, because its link is cut or
// nobody listens; so a cut loses what is on its way.
#include "tests/simulation/sim_network.h"

#include <utility>

namespace holdfast::testing {
namespace {

constexpr std::string_view kScheme = "sim:";

// Enough of a message to tell two runs apart.
std::uint64_t digest(const Message& message) {
  std::uint64_t sum = message.body.size();
  for (const Byte byte : message.head) sum = (sum ^ byte) * 0x100000001b3;
  return sum;
}

}  // namespace

class SimNetwork::SimChannel final : public Channel {
 public:
  SimChannel(SimNetwork& network, std::uint64_t connection) : network_(network), id_(connection) {}
  ~SimChannel() override {
    const auto connection = network_.connections_.extract(id_);
    if (connection.empty()) return;
    const auto handler = network_.nodes_.find(connection.mapped().node);
    if (handler != network_.nodes_.end() && handler->second != nullptr)
      handler->second->on_disconnect({id_, connection.mapped().key});
  }

  void send(Message message) override {
    const auto connection = network_.connections_.find(id_);
    if (connection == network_.connections_.end()) return;
    const Connection& link = connection->second;
    if (network_.watcher_ != nullptr)
      network_.watcher_->on_request(link.node, {id_, link.key}, message);
    network_.carry(
        link.client, link.node,
        [&network = network_, id = id_](Message arrived) { arrive(network, id, arrived); },
        std::move(message));
  }

 private:
  static void arrive(SimNetwork& network, std::uint64_t id, Message& message) {
    const auto connection = network.connections_.find(id);
    if (connection == network.connections_.end()) return;
    const Peer peer{id, connection->second.key};
    const std::string node = connection->second.node;
    const auto handler = network.nodes_.find(node);
    if (handler == network.nodes_.end() || handler->second == nullptr) {
      ++network.figures_.lost;
      return;
    }
    ++network.figures_.delivered;
    handler->second->on_message(peer, std::move(message));
  }

  SimNetwork& network_;
  std::uint64_t id_;
};

void SimNetwork::listen(const std::string& name, MessageHandler* handler) {
  nodes_[name] = handler;
}

bool SimNetwork::is_cut(const std::string& from, const std::string& to) const {
  return !cuts_.empty() &&
         (cuts_.contains({from, to}) || cuts_.contains({from, ""}) || cuts_.contains({"", to}));
}

Result<std::unique_ptr<Channel>> SimNetwork::Client::dial(const NodeAddress& address,
                                                          Receive receive) {
  if (!address.endpoint.starts_with(kScheme))
    return Error(Code::kInvalidArgument,
                 address.endpoint + ": not an address of the simulated network");
  const std::uint64_t id = network_.next_connection_++;
  network_.connections_[id] = {name_, address.endpoint.substr(kScheme.size()), key_,
                               std::move(receive)};
  return std::unique_ptr<Channel>(std::make_unique<SimChannel>(network_, id));
}

void SimNetwork::Port::reply(const Peer& peer, Message message) {
  if (network_.watcher_ != nullptr) network_.watcher_->on_reply(name_, peer, message);
  const auto to = network_.connections_.find(peer.connection);
  if (to == network_.connections_.end()) return;
  network_.carry(
      name_, to->second.client,
      [&network = network_, id = peer.connection](Message arrived) {
        const auto connection = network.connections_.find(id);
        if (connection == network.connections_.end()) {
          ++network.figures_.lost;
          return;
        }
        ++network.figures_.delivered;
        // The receiver may close the channel, and with it this function.
        const auto receive = connection->second.receive;
        receive(std::move(arrived));
      },
      std::move(message));
}

void SimNetwork::Port::disconnect(const Peer& peer) {
  network_.connections_.erase(peer.connection);
}

void SimNetwork::carry(const std::string& from, const std::string& to,
                       std::function<void(Message)> deliver, Message message) {
  ++figures_.sent;
  loop_.fold(digest(message));
  if (figures_.sent == lost_message_ ||
      (loses_for_good_ && lost_message_ != 0 && figures_.sent > lost_message_)) {
    ++figures_.lost;
    return;
  }
  if (random_.below(1000) < faults_.lost) {
    ++figures_.lost;
    return;
  }
  int copies = 1;
  if (random_.below(1000) < faults_.repeated) {
    ++figures_.repeated;
    copies = 2;
  }
  Duration usual = faults_.latency;
  for (const std::string& end : {from, to})
    if (const auto slow = slow_.find(end); slow != slow_.end()) usual += slow->second;
  for (int i = 0; i < copies; ++i) {
    Duration delay = usual;
    if (random_.below(1000) < faults_.delayed) {
      ++figures_.delayed;
      delay += Duration(static_cast<std::int64_t>(
          random_.below(static_cast<std::uint64_t>(faults_.most_delay.count()))));
    }
    loop_.after(delay, [this, from, to, deliver, copy = message]() mutable {
      if (is_cut(from, to))
        ++figures_.cut;
      else
        deliver(std::move(copy));
    });
  }
}

}  // namespace holdfast::testing
