// Brings about the faults of a plan, each in a random stream of its own, so that leaving one out
// changes as little as can be of the others. What a fault breaks is mended after a while that is
// drawn, too; end() mends all of it and starts no new one.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <vector>

#include "tests/simulation/cluster.h"
#include "tests/simulation/journal.h"
#include "tests/simulation/node_auditor.h"
#include "tests/simulation/reference_model.h"
#include "tests/simulation/swarm_plan.h"
#include "tests/simulation/wire_checker.h"

namespace holdfast::testing {

// What the injector acts upon; all outlive it.
struct Scene {
  Cluster& cluster;
  ReferenceModel& model;
  WireChecker& wire;
  NodeAuditor& auditor;
  Verdict& verdict;
  Journal& journal;
};

class FaultInjector {
 public:
  // `kill_agent` ends whatever the agent is doing.
  FaultInjector(Scene scene, const SwarmPlan& plan, std::function<void(ClusterAgent&)> kill_agent);

  void after_event();
  // All is mended: nodes run and tell the truth, on disks with room.
  void end();
  bool ended() const { return ended_; }
  // Brings a node back after a while; for who takes one down on purpose.
  void restart_later(std::size_t node, Duration most = std::chrono::hours(60));
  void start(std::size_t node);
  // Of a fault that is an operation of the workload: it struck.
  void count(Fault fault);
  std::map<Fault, std::uint64_t> counts() const;

 private:
  struct Stream {
    Fault fault;
    std::uint64_t every;
    std::uint64_t next;  // event
    std::uint64_t count = 0;
    SeededRandom random;
  };
  bool inject(Stream& stream);
  bool inject_network(Stream& stream);
  bool inject_disk(Stream& stream, std::size_t node);
  bool inject_process(Stream& stream, std::size_t node);
  bool inject_agent(Stream& stream);
  void cut(const std::string& from, const std::string& to, Duration span);
  void flap(const std::string& node, int times, Duration span);
  void crash(std::size_t node, simulation::CrashKeeps keeps);
  bool empty_disk(std::size_t node);
  bool roll_back(std::size_t node, Random& random);
  bool rot(std::size_t node, Random& random);
  bool begin_lies(std::size_t node, Random& random);
  void end_lies(std::size_t node);
  void take_images();
  void meet_stopped_machines();
  void undo_later(Duration span, std::function<void()> undo);
  ClusterNode& node(std::size_t i) { return *scene_.cluster.nodes[i]; }

  Scene scene_;
  std::function<void(ClusterAgent&)> kill_agent_;
  std::vector<Stream> streams_;
  std::vector<Stream*> stable_;
  SeededRandom random_;  // for what is not one fault's
  std::string where_;    // the fault that is being injected strikes
  std::uint64_t next_image_;
  std::uint64_t soonest_ = 0;
  std::map<std::size_t, ClusterNode::Image> images_;
  std::map<std::string, simulation::SimFileSystem::Image> catalog_images_;
  std::map<std::size_t, unsigned> failed_starts_;
  bool ended_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

 public:
  ~FaultInjector() { *alive_ = false; }
};

}  // namespace holdfast::testing
