#include "cli/node_connections.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::cli {
namespace {

// Of a node that cannot be reached in any way: its link is down, and says why.
class NoDialer final : public Dialer {
 public:
  explicit NoDialer(Error reason) : reason_(std::move(reason)) {}
  Result<std::unique_ptr<Channel>> dial(const NodeAddress&, Receive) override { return reason_; }

 private:
  const Error reason_;
};

constexpr std::string_view kFolderScheme = "dir:";

}  // namespace

NodeConnections::~NodeConnections() {
  links_.clear();
  dialers_.clear();
  static_cast<void>(stop());
}

Result<format::CharterNode> NodeConnections::embed(repository::DataFolder folder) {
  const std::string name = folder.configuration().name;
  const CurveKey key = folder.keys().public_key;
  // Who asks twice would wait for himself.
  if (const auto* const host = host_at(repository::embedded_endpoint(folder.path())))
    return format::CharterNode{host->id(), name, {host->endpoint(), key}};
  repository::LockPatience patience;
  patience.timeout = lock_wait_;
  patience.wait = [this](const Error& reason) {
    output_.note(fmt::format("waiting: {}", reason.message()));
    return true;
  };
  auto host = work_.elsewhere([&] {
    return repository::NodeHost::embed(std::move(folder), work_.network, log_, std::move(patience));
  });
  if (!*host) return std::move(*host).error();
  hosts_.push_back(std::move(**host));
  return format::CharterNode{hosts_.back()->id(), name, {hosts_.back()->endpoint(), key}};
}

const repository::NodeHost* NodeConnections::host_at(const std::string& endpoint) const {
  const auto found =
      std::ranges::find_if(hosts_, [&](const auto& host) { return host->endpoint() == endpoint; });
  return found == hosts_.end() ? nullptr : found->get();
}

Result<Dialer*> NodeConnections::dialer_for(const format::CharterNode& node,
                                            const CurveKeyPair& keys) {
  if (!node.address.endpoint.starts_with(kFolderScheme)) {
    dialers_.push_back(
        std::make_unique<ZmqDialer>(work_.zmq(), work_.loop, work_.random, keys.clone()));
    return dialers_.back().get();
  }
  if (host_at(node.address.endpoint) == nullptr) {
    HOLDFAST_ASSIGN(auto folder,
                    repository::DataFolder::open(
                        work_.files, node.address.endpoint.substr(kFolderScheme.size())));
    if (folder.id() != node.id)
      return Error(Code::kForged,
                   fmt::format("{} holds another node than it did", node.address.endpoint));
    HOLDFAST_TRY(embed(std::move(folder)));
  }
  dialers_.push_back(std::make_unique<InProcessDialer>(work_.network, work_.loop));
  return dialers_.back().get();
}

agent::NodeLink& NodeConnections::connect(const format::CharterNode& node,
                                          const RepositoryId& repository,
                                          const CurveKeyPair& keys) {
  auto dialer = dialer_for(node, keys);
  if (!dialer) {
    dialers_.push_back(std::make_unique<NoDialer>(std::move(dialer).error()));
    dialer = dialers_.back().get();
  }
  links_.push_back(
      std::make_unique<agent::NodeLink>(node, repository, work_.loop, work_.clock, work_.random));
  // An error is the link's reason to be down.
  static_cast<void>(links_.back()->start(**dialer));
  return *links_.back();
}

std::vector<agent::NodeLink*> NodeConnections::links() const {
  std::vector<agent::NodeLink*> links;
  links.reserve(links_.size());
  for (const auto& link : links_) links.push_back(link.get());
  return links;
}

void NodeConnections::disconnect(agent::NodeLink& link) {
  std::erase_if(links_, [&](const auto& one) { return one.get() == &link; });
}

void NodeConnections::settle(Duration grace) {
  using State = agent::NodeLink::State;
  const auto count = [this](State state) {
    return std::ranges::count_if(links_,
                                 [state](const auto& link) { return link->state() == state; });
  };
  work_.await<bool>([&](const std::function<void(bool)>& done) {
    auto timer = std::make_shared<std::optional<TimerId>>();
    const auto look = [this, count, done, timer, grace] {
      if (count(State::kConnecting) == 0) {
        if (*timer) work_.loop.cancel(**timer);
        *timer = std::nullopt;
        return done(true);
      }
      if (count(State::kReady) > 0 && !*timer)
        *timer = work_.loop.after(grace, [done, timer] {
          timer->reset();
          done(true);
        });
    };
    for (const auto& link : links_) link->on_change(look);
    work_.loop.post(look);
  });
  for (const auto& link : links_) link->on_change(nullptr);
}

std::string NodeConnections::reasons() const {
  std::string text;
  for (const auto& link : links_)
    if (link->state() != agent::NodeLink::State::kReady)
      text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", link->name(),
                          link->state() == agent::NodeLink::State::kDown
                              ? link->down_reason().message()
                              : std::string("does not answer"));
  return text;
}

Status NodeConnections::stop() {
  Status outcome;
  for (const auto& host : hosts_)
    if (auto stopped = host->stop(); !stopped) outcome = std::move(stopped);
  hosts_.clear();
  return outcome;
}

Result<agent::NodeLink::Reply> ask(Workplace& work, agent::NodeLink& link,
                                   wire::RequestProto request) {
  using Reply = std::shared_ptr<Result<agent::NodeLink::Reply>>;
  const Reply reply = work.await<Reply>([&](const std::function<void(Reply)>& done) {
    link.call(std::move(request), {}, [done](Result<agent::NodeLink::Reply> answer) {
      done(std::make_shared<Result<agent::NodeLink::Reply>>(std::move(answer)));
    });
  });
  return std::move(*reply);
}

}  // namespace holdfast::cli
