#include "tests/simulation/sim_network.h"

#include <utility>

namespace holdfast::testing {
namespace {

constexpr std::string_view kScheme = "sim:";

}  // namespace

class SimNetwork::SimChannel final : public Channel {
 public:
  SimChannel(SimNetwork& network, std::uint64_t connection)
      : network_(network), connection_(connection) {}
  ~SimChannel() override { network_.connections_.erase(connection_); }

  void send(Message message) override {
    network_.carry(
        [&network = network_, id = connection_](Message arrived) {
          const auto connection = network.connections_.find(id);
          if (connection == network.connections_.end()) return;
          const std::string& node = connection->second.node;
          const auto handler = network.nodes_.find(node);
          if (handler == network.nodes_.end() || handler->second == nullptr ||
              network.cut_towards_.contains(node)) {
            ++network.figures_.lost;
            return;
          }
          ++network.figures_.delivered;
          handler->second->on_message({id, connection->second.key}, std::move(arrived));
        },
        std::move(message));
  }

 private:
  SimNetwork& network_;
  std::uint64_t connection_;
};

void SimNetwork::listen(const std::string& name, MessageHandler* handler) {
  nodes_[name] = handler;
}

void SimNetwork::cut(const std::string& name, bool towards, bool from) {
  if (towards) cut_towards_.insert(name);
  if (from) cut_from_.insert(name);
}

Result<std::unique_ptr<Channel>> SimNetwork::Client::dial(const NodeAddress& address,
                                                          Receive receive) {
  if (!address.endpoint.starts_with(kScheme))
    return Error(Code::kInvalidArgument,
                 address.endpoint + ": not an address of the simulated network");
  const std::uint64_t id = network_.next_connection_++;
  network_.connections_[id] = {address.endpoint.substr(kScheme.size()), key_, std::move(receive)};
  return std::unique_ptr<Channel>(std::make_unique<SimChannel>(network_, id));
}

void SimNetwork::Port::reply(const Peer& peer, Message message) {
  network_.carry(
      [&network = network_, id = peer.connection, name = name_](Message arrived) {
        const auto connection = network.connections_.find(id);
        if (connection == network.connections_.end() || network.cut_from_.contains(name)) {
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

void SimNetwork::carry(std::function<void(Message)> deliver, Message message) {
  ++figures_.sent;
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
  for (int i = 0; i < copies; ++i) {
    Duration delay = faults_.latency;
    if (random_.below(1000) < faults_.delayed) {
      ++figures_.delayed;
      delay += Duration(static_cast<std::int64_t>(
          random_.below(static_cast<std::uint64_t>(faults_.most_delay.count()))));
    }
    loop_.after(delay, [deliver, copy = message]() mutable { deliver(std::move(copy)); });
  }
}

}  // namespace holdfast::testing
