// A whole repository in one process and one thread: an agent and its nodes on simulated clock,
// network, disks and randomness, from one seed. See docs/architecture.md for the seams that make
// this possible.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/backup_session.h"
#include "common/format/charter.h"
#include "repository/folder_shelf.h"
#include "repository/node.h"
#include "tests/simulation/memory_tree.h"
#include "tests/simulation/sim_file_system.h"
#include "tests/simulation/sim_loop.h"
#include "tests/simulation/sim_network.h"
#include "tests/testing/seeded_random.h"

namespace holdfast::testing {

// One node with a disk of its own.
class ClusterNode {
 public:
  ClusterNode(std::string name, SimLoop& loop, SimNetwork& network, Random& random);
  ~ClusterNode();

  void start();
  // As kill -9 with the power cut: unsynced writes are lost as `keeps` and the seed say.
  void crash(simulation::CrashKeeps keeps);
  bool running() const { return node_ != nullptr; }

  const std::string& name() const { return name_; }
  const NodeId& id() const { return id_; }
  simulation::SimFileSystem& disk() { return disk_; }
  // The path of its only repository's largest segment.
  std::string a_segment(const RepositoryId& repository);

 private:
  class OwnExecutor;
  class NoInvitations;
  class SilentLog;
  const std::string name_;
  NodeId id_;
  SimLoop& loop_;
  SimNetwork& network_;
  Random& random_;
  simulation::SimFileSystem disk_;
  SimNetwork::Port port_;
  std::unique_ptr<NoInvitations> invitations_;
  std::unique_ptr<SilentLog> log_;
  std::unique_ptr<OwnExecutor> executor_;
  std::unique_ptr<repository::FolderShelf> shelf_;
  std::unique_ptr<repository::Node> node_;
};

class Cluster {
 public:
  Cluster(std::uint64_t seed, std::size_t nodes, std::uint32_t write_quorum);
  ~Cluster();

  // One backup of `source`, from its beginning to its end. `during` is called between steps.
  Result<agent::BackupReport> back_up(const std::function<void()>& during = {});
  // What a snapshot holds according to these nodes alone: path and content of its files.
  Result<std::map<std::string, Bytes>> read(const format::SignedManifest& snapshot,
                                            const std::vector<std::size_t>& nodes);
  // Whether this node lists the snapshot as complete.
  bool holds(std::size_t node, const ManifestId& snapshot);
  std::uint64_t trace() const { return trace_; }
  simulation::SimFileSystem& agent_disk() { return agent_disk_; }

  std::uint64_t seed;
  SeededRandom random;
  SimLoop loop;
  SimNetwork network{loop, random};
  std::vector<std::unique_ptr<ClusterNode>> nodes;
  MemorySource source;
  RepositoryId repository;
  agent::LinkPolicy policy;

 private:
  std::vector<std::unique_ptr<agent::NodeLink>> connect(SimNetwork::Client& client,
                                                        const std::vector<std::size_t>& to);
  void put_charter();

  simulation::SimFileSystem agent_disk_;
  format::VaultSecrets secrets_;
  std::optional<format::SignedCharter> charter_;
  std::optional<agent::WriterKeys> writer_;
  std::shared_ptr<agent::ReaderKeys> reader_;
  std::uint64_t trace_ = 0;
};

}  // namespace holdfast::testing
