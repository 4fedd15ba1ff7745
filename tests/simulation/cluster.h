// A whole repository in one process and one thread: agents and nodes on simulated clocks, network,
// disks and randomness, from one seed. See docs/architecture.md for the seams that make this
// possible, docs/simulation.md for what is done with it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/seen_heads.h"
#include "common/format/charter.h"
#include "tests/simulation/agent_runs.h"
#include "tests/simulation/cluster_node.h"
#include "tests/testing/seeded_random.h"

namespace holdfast::testing {

// An agent's machine, keys and files.
struct ClusterAgent {
  ClusterAgent(std::string with_name, SimLoop& loop) : name(std::move(with_name)), machine(loop) {}
  bool may(std::uint32_t role) const { return (entry.roles & role) != 0; }

  std::string name;
  SimMachine machine;
  simulation::SimFileSystem disk;
  MemorySource source;
  format::CharterAgent entry;
  std::optional<agent::WriterKeys> writer;
  std::shared_ptr<const agent::ReaderKeys> reader;  // null unless it may read
  agent::SeenHeads heads;
  bool busy = false;  // a program of it runs
};

class Cluster {
 public:
  // With an owner, whose agent is the first, and the first charter on every node.
  Cluster(std::uint64_t seed, std::size_t nodes, std::uint32_t write_quorum);
  ~Cluster();

  const format::Charter& charter() const { return charters_.back().charter; }
  const std::vector<format::SignedCharter>& charters() const { return charters_; }
  // Another agent, in a new version of the charter that no node has yet.
  ClusterAgent& add_agent(const std::string& name, std::uint32_t roles, std::uint32_t group = 0);

  RunPorts ports(ClusterAgent& agent);
  std::unique_ptr<Dialer> dialer(const ClusterAgent& agent);
  // As who embeds the nodes.
  std::unique_ptr<Dialer> dialer_of_embedder();
  std::unique_ptr<BackupRun> begin_backup(ClusterAgent& agent);
  std::unique_ptr<RestoreRun> begin_restore(ClusterAgent& agent, format::SignedManifest snapshot,
                                            const std::vector<std::size_t>& from);
  std::unique_ptr<CharterRun> begin_charters();
  std::unique_ptr<RepairRun> begin_repair(ClusterAgent& agent);
  // Steps until the run is done, calling `during` between steps; false if it is not within an hour.
  bool finish(const Run& run, const std::function<void()>& during = {});

  // One backup of the owner's source, from its beginning to its end.
  Result<agent::BackupReport> back_up(const std::function<void()>& during = {});
  // What a snapshot holds according to these nodes alone: path and content of its files.
  Result<Files> read(const format::SignedManifest& snapshot, const std::vector<std::size_t>& nodes);
  // Whether this node lists the snapshot as complete.
  bool holds(std::size_t node, const ManifestId& snapshot);
  simulation::SimFileSystem& agent_disk() { return agents.front()->disk; }  // the owner's

  const std::uint64_t seed;
  SeededRandom random;
  SimLoop loop;
  SimNetwork network{loop, random};
  std::vector<std::unique_ptr<ClusterNode>> nodes;
  std::vector<std::unique_ptr<ClusterAgent>> agents;
  RepositoryId repository;
  agent::LinkPolicy policy;
  std::uint64_t upload_bytes_per_s = 0;  // of backups; 0: no limit
  MemorySource& source;                  // the owner's

 private:
  void give_keys(ClusterAgent& agent, crypto::SecretKey seed);

  format::VaultSecrets secrets_;
  Bytes vault_;
  std::vector<format::SignedCharter> charters_;
  std::uint64_t next_curve_key_ = 1;
};

}  // namespace holdfast::testing
