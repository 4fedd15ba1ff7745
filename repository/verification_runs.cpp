#include "repository/verification_runs.h"

#include <algorithm>

namespace holdfast::repository {
namespace {

bool same(const VerifyDepth& a, const VerifyDepth& b) {
  return a.kind == b.kind && a.fraction == b.fraction && a.seed == b.seed;
}

// Puts what one step found to what was found before.
void add(VerifyProgress& to, VerifyProgress step) {
  to.frames += step.frames;
  to.bytes += step.bytes;
  to.records += step.records;
  to.total_bytes = std::max(to.total_bytes, step.total_bytes);
  to.done = step.done;
  const auto room = VerificationRuns::kMaxDamaged - to.damaged.size();
  to.damaged.insert(to.damaged.end(), step.damaged.begin(),
                    step.damaged.begin() + std::min(room, step.damaged.size()));
  for (std::string& problem : step.problems) {
    if (to.problems.size() >= VerificationRuns::kMaxProblems) break;
    if (problem.size() > VerificationRuns::kMaxProblemSize)
      problem.resize(VerificationRuns::kMaxProblemSize);
    to.problems.push_back(std::move(problem));
  }
}

}  // namespace

Result<const VerificationRuns::Report*> VerificationRuns::advance(const Key& key,
                                                                  const VerifyDepth& depth,
                                                                  const Store::AgentKeys& keys) {
  Run& run = find_or_begin(key, depth);
  if (!same(run.depth, depth))
    return Error(Code::kInvalidArgument, "verify: this run began with another depth");
  if (run.report.figures.done || !takes_turn(run)) {
    run.asked_at = clock_.now();
    return &run.report;
  }
  const Instant begun = clock_.now();
  unsigned steps = 0;
  do {
    if (auto stepped = step(run, keys); !stepped) {
      active_ = nullptr;
      runs_.pop_front();
      return std::move(stepped).error().with_context("verify");
    }
  } while (!run.report.figures.done && ++steps < kMaxStepsPerSlice &&
           clock_.now() - begun < kSlice);
  run.asked_at = clock_.now();
  if (run.report.figures.done) {
    active_ = nullptr;
    if (depth.kind != VerifyDepth::kStructure && depth.fraction == 1.0)
      store_.set_fully_verified_at(clock_.wall());
  }
  return &run.report;
}

VerificationRuns::Run& VerificationRuns::find_or_begin(const Key& key, const VerifyDepth& depth) {
  const auto found =
      std::find_if(runs_.begin(), runs_.end(), [&](const Run& run) { return run.key == key; });
  if (found != runs_.end()) {
    runs_.splice(runs_.begin(), runs_, found);
    return runs_.front();
  }
  if (runs_.size() == kMaxRuns) {
    if (&runs_.back() == active_) active_ = nullptr;
    runs_.pop_back();
  }
  return runs_.emplace_front(Run{key, depth, {}, clock_.now()});
}

bool VerificationRuns::takes_turn(const Run& run) {
  if (active_ == &run) return true;
  if (active_ != nullptr && clock_.now() - active_->asked_at < kTurn) return false;
  active_ = &run;
  // The cursor is somewhere else by now.
  runs_.front().report = {};
  return true;
}

Status VerificationRuns::step(Run& run, const Store::AgentKeys& keys) {
  HOLDFAST_ASSIGN(VerifyProgress progress,
                  store_.verify_step(run.depth, keys, run.report.steps == 0));
  damage_found_ += progress.damaged.size();
  add(run.report.figures, std::move(progress));
  ++run.report.steps;
  return {};
}

}  // namespace holdfast::repository
