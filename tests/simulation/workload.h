// What people do with a repository while faults go on: operations, each of which starts something,
// lets the simulation run until it is done, and then compares what came of it with the model.
//
// The registry in workload.cpp is where an operation is added.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulation/fault_injector.h"

namespace holdfast::testing {

class Operation {
 public:
  // An agent does one thing at a time.
  explicit Operation(ClusterAgent* agent) : agent_(agent) {
    if (agent_ != nullptr) agent_->busy = true;
  }
  virtual ~Operation() {
    if (agent_ != nullptr) agent_->busy = false;
  }
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  // Whose it is; null if nobody's. It ends with its agent's process.
  ClusterAgent* agent() const { return agent_; }
  virtual bool done() const = 0;
  // Of its links; see Run.
  virtual std::size_t excess_bytes(std::size_t /*largest_frame*/) const { return 0; }
  // Once, when it is done.
  virtual void conclude() {}
  // Instead, when it is killed.
  virtual void abandon() {}

 private:
  ClusterAgent* agent_;
};

struct OperationKind {
  std::string_view name;
  unsigned weight;
  // Starts one; null if there is nobody or nothing to do it with now.
  std::function<std::unique_ptr<Operation>(Scene& scene, FaultInjector& faults, Random& random)>
      begin;
};
const std::vector<OperationKind>& operation_kinds();

// Operations that the end of a run needs by themselves.
std::unique_ptr<Operation> begin_backup(Scene& scene, ClusterAgent& agent,
                                        std::size_t* committed = nullptr);
std::unique_ptr<Operation> begin_charters(Scene& scene);
std::unique_ptr<Operation> begin_verification(Scene& scene, bool read_data);
std::unique_ptr<Operation> begin_repair(Scene& scene);
void change_source(ClusterAgent& agent, std::size_t files, Random& random);

}  // namespace holdfast::testing
