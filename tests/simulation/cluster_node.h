// One node of a simulated cluster: a machine with a disk, the index that lies on it, and the real
// repository::Node in a process that can crash, be paused, restarted, and made to lie.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "common/format/charter.h"
#include "repository/folder_shelf.h"
#include "repository/node.h"
#include "tests/simulation/machine_index.h"
#include "tests/simulation/sim_file_system.h"
#include "tests/simulation/sim_machine.h"
#include "tests/simulation/sim_network.h"

namespace holdfast::testing {

// What stands between a node that lies and everybody else.
class NodeLies {
 public:
  virtual ~NodeLies() = default;
  // True if the request never reaches the node; `reply` may be told something instead.
  virtual bool swallows(const Message& request, const std::function<void(Message)>& reply) = 0;
  virtual void alter(Message& reply) = 0;
};

class ClusterNode final : private MessageHandler, private Responder {
 public:
  ClusterNode(std::string name, SimLoop& loop, SimNetwork& network, Random& random);
  ~ClusterNode() override;

  // False if it cannot, for what its disk says; then it is down as before.
  bool start();
  // As kill -9 with the power cut: unsynced writes are lost as `keeps` and the seed say.
  void crash(simulation::CrashKeeps keeps);
  // As kill -9 of the process alone: what it wrote is seen by the next one, and not on the device.
  void kill();
  // Asks it to end in order; it is down some time later.
  void stop();
  bool running() const { return node_ != nullptr; }
  bool serves(const RepositoryId& repository);  // running, not paused, with the repository open

  const std::string& name() const { return name_; }
  const NodeId& id() const { return id_; }
  SimMachine& machine() { return machine_; }
  simulation::SimFileSystem& disk() { return disk_; }
  // The path of its only repository's largest segment; "" if there is none.
  std::string a_segment(const RepositoryId& repository);
  // All files of segments.
  std::vector<std::string> segments(const RepositoryId& repository);

  // Its disk, index included. Only while it is down.
  struct Image {
    simulation::SimFileSystem::Image disk;
    std::map<std::string, repository::MemoryIndex> indexes;
  };
  Image image() const;
  void restore(const Image& image, bool with_index);
  void lose_index() { indexes_.clear(); }
  void lose_disk() { restore({}, false); }

  // Null: it tells the truth.
  void set_lies(std::unique_ptr<NodeLies> lies) { lies_ = std::move(lies); }
  bool lies() const { return lies_ != nullptr; }
  // Asks the process at once, past network, lies and disk faults, as who embeds it. Only for what
  // a node answers within the call; nullopt if it is not running.
  std::optional<Message> ask(Message request);
  const std::string& last_error() const { return log_->last_error; }

 private:
  class NoInvitations final : public repository::Invitations {
   public:
    Result<std::optional<repository::Invitation>> find(const CurveKey&) override {
      return std::optional<repository::Invitation>();
    }
    Status bind(const CurveKey&, const RepositoryId&) override {
      return Error(Code::kNotFound, "no invitations here");
    }
  };
  struct KeptLog final : public repository::EventLog {
    void note(const repository::Event& event) override {
      if (event.severity == repository::Severity::kError) last_error = event.line;
    }
    std::string last_error;
  };

  void on_message(const Peer& peer, Message message) override;
  void on_disconnect(const Peer& peer) override;
  void reply(const Peer& peer, Message message) override;
  void disconnect(const Peer& peer) override { port_.disconnect(peer); }
  void end_process();

  const std::string name_;
  NodeId id_;
  SimNetwork& network_;
  Random& random_;
  SimMachine machine_;
  simulation::SimFileSystem disk_;
  std::map<std::string, std::shared_ptr<repository::MemoryIndex>> indexes_;  // by path
  SimNetwork::Port port_;
  NoInvitations invitations_;
  std::unique_ptr<KeptLog> log_ = std::make_unique<KeptLog>();
  std::unique_ptr<NodeLies> lies_;
  std::optional<Message> asked_;
  std::shared_ptr<bool> process_lives_;
  std::unique_ptr<repository::FolderShelf> shelf_;
  std::unique_ptr<repository::Node> node_;
};

}  // namespace holdfast::testing
