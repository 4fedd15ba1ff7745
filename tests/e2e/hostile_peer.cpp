// An attacker with an enrolled key, for tests of real nodes: strangers' connections that stop in
// the middle of a handshake, and with the key of the credential messages of parts without end and
// garbage whose replies nobody reads. All of the credential's nodes, until it is killed.
//
//   hostile_peer CREDENTIAL
#include <cstdio>
#include <deque>
#include <fstream>
#include <iterator>
#include <thread>

#include "common/format/credential.h"
#include "tests/unit/common/posix/raw_peer.h"

namespace holdfast {
namespace {

constexpr std::size_t kConnections = 300;
const Reporter kNobody(STDERR_FILENO);

// Half a greeting, a whole one, or garbage; the oldest connection goes as a new one comes.
[[noreturn]] void stop_in_handshakes(int port) {
  const Bytes greeting = zmtp_greeting();
  Bytes garbage(512, Byte{0x5a});
  std::deque<Descriptor> open;
  for (unsigned turn = 0;; ++turn) {
    Descriptor next = connect_raw(port);
    const bool connected = static_cast<bool>(next);
    if (connected) {
      const ByteView whole = greeting;
      send_raw(next, turn % 3 == 0 ? whole.first(10) : turn % 3 == 1 ? whole : ByteView(garbage));
      open.push_back(std::move(next));
    }
    if (!open.empty() && (!connected || open.size() > kConnections)) open.pop_front();
    if (turn % 64 == 0) std::this_thread::yield();
  }
}

[[noreturn]] void send_parts_without_end(ZmqContext& context, const Target& target) {
  const SharedBytes part = zeros(64 << 10);
  RawDealer dealer(context, target);
  for (;;) {
    if (!dealer.try_send(part, true)) dealer.wait(ZMQ_POLLOUT, 50);
  }
}

[[noreturn]] void flood_and_never_read(ZmqContext& context, const Target& target) {
  const SharedBytes garbage = zeros(4 << 10);
  RawDealer dealer(context, target);
  for (;;) {
    if (!dealer.try_send(garbage, false)) dealer.wait(ZMQ_POLLOUT, 50);
  }
}

// Returns only if the credential cannot be read: whoever started the attack ends it.
int attack(const char* credential_path) {
  std::ifstream file(credential_path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto credential = format::parse_credential(text);
  if (!credential) return 2;
  const auto keys = curve_key_pair_from_secret(credential->curve_secret.view());
  if (!keys) return 2;

  ZmqContext context;
  std::vector<std::thread> attacks;
  for (const format::CharterNode& node : credential->nodes) {
    Target target;
    const std::string& endpoint = node.address.endpoint;
    target.port = std::stoi(endpoint.substr(endpoint.rfind(':') + 1));
    target.server_key = node.address.server_key;
    target.public_key = keys->public_key;
    std::memcpy(target.secret_key.data(), keys->secret_key.view().data(), target.secret_key.size());
    attacks.emplace_back([port = target.port] { stop_in_handshakes(port); });
    attacks.emplace_back([&context, target] { send_parts_without_end(context, target); });
    attacks.emplace_back([&context, target] { flood_and_never_read(context, target); });
  }
  std::puts("attacking");
  std::fflush(stdout);
  for (std::thread& thread : attacks) thread.join();
  return 0;
}

}  // namespace
}  // namespace holdfast

int main(int argc, char** argv) { return argc == 2 ? holdfast::attack(argv[1]) : 2; }
