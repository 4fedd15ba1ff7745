// The simulator itself: that a seed is a run, that plans differ, that what it checks can fail, and
// that shrinking ends with what matters.
#include <gtest/gtest.h>

#include "tests/simulation/swarm_shrinker.h"
#include "tests/simulation/workload.h"
#include "tests/testing/seed.h"

namespace holdfast::testing {
namespace {

SwarmPlan short_plan(std::uint64_t seed, std::size_t steps) {
  SwarmPlan plan = draw_plan(seed);
  plan.steps = steps;
  return plan;
}

TEST(Swarm, SameSeedGivesTheSameTraceHash) {
  for (std::uint64_t i = 0; i < 4; ++i) {
    const SwarmOutcome first = run_swarm(short_plan(seed() + i, 25));
    const SwarmOutcome second = run_swarm(short_plan(seed() + i, 25));
    EXPECT_EQ(first.trace, second.trace) << "seed " << seed() + i;
    EXPECT_EQ(first.events, second.events);
    EXPECT_EQ(first.checks, second.checks);
  }
}

TEST(Swarm, OtherSeedsGiveOtherTraceHashes) {
  EXPECT_NE(run_swarm(short_plan(seed(), 5)).trace, run_swarm(short_plan(seed() + 1, 5)).trace);
}

TEST(Swarm, AWrittenJournalDoesNotChangeTheRun) {
  std::size_t lines = 0;
  const SwarmOutcome watched = run_swarm(
      short_plan(seed(), 10), [&](const std::string&) { ++lines; }, true);
  EXPECT_GT(lines, 50U);
  EXPECT_EQ(watched.trace, run_swarm(short_plan(seed(), 10)).trace);
}

TEST(Swarm, WithoutFaultsEveryBackupSucceeds) {
  SwarmPlan plan = short_plan(seed(), 40);
  plan.keep_only({});
  const SwarmOutcome outcome = run_swarm(plan);
  ASSERT_FALSE(outcome.violation) << outcome.violation->detail;
  EXPECT_GT(outcome.snapshots, 0U);
  EXPECT_EQ(outcome.acknowledged, outcome.snapshots);
}

TEST(Swarm, EveryKindOfFaultStrikes) {
  // All at once and often, so that what little the atlas lets through comes too, in some seeds.
  std::map<std::string, std::uint64_t> all;
  const auto some_never_struck = [&] {
    return all.empty() ||
           std::any_of(all.begin(), all.end(), [](const auto& one) { return one.second == 0; });
  };
  for (std::uint64_t at = 7; at < 27 && some_never_struck(); ++at) {
    SwarmPlan plan = draw_plan(at);
    plan.nodes = 5;
    plan.write_quorum = 3;
    plan.network = {20, 20, 100};
    for (std::size_t i = 0; i < kFaultCount; ++i) plan.faults[static_cast<Fault>(i)] = 600;
    const SwarmOutcome outcome = run_swarm(plan);
    ASSERT_FALSE(outcome.violation) << outcome.violation->invariant << outcome.violation->detail;
    for (const auto& [fault, count] : outcome.faults) all[fault] += count;
  }
  for (const auto& [fault, count] : all) EXPECT_GT(count, 0U) << fault;
}

TEST(SwarmPlan, EachFaultIsOnInSomeSeedsAndOffInOthers) {
  std::map<Fault, int> on;
  constexpr int kSeeds = 200;
  for (std::uint64_t i = 0; i < kSeeds; ++i)
    for (const Fault fault : draw_plan(seed() + i).fault_set()) ++on[fault];
  ASSERT_EQ(on.size(), kFaultCount);
  for (const auto& [fault, count] : on) EXPECT_LT(count, kSeeds - 20) << name_of(fault);
}

TEST(SwarmPlan, NamesOfFaultsAreReadBack) {
  std::set<Fault> all;
  for (std::size_t i = 0; i < kFaultCount; ++i) all.insert(static_cast<Fault>(i));
  const auto parsed = parse_faults(to_text(all));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(*parsed, all);
  EXPECT_EQ(parse_faults("crash,meteor").error().code(), Code::kInvalidArgument);
}

// Fails from the eighth operation on, if crashes and pauses happen and the third was done.
SwarmOutcome fails_for_known_reasons(const SwarmPlan& plan) {
  SwarmOutcome outcome;
  const bool fails = plan.has(Fault::kCrash) && plan.has(Fault::kPause) &&
                     plan.steps.value_or(100) >= 8 && !plan.skipped.contains(7) &&
                     !plan.skipped.contains(2);
  if (fails) outcome.violation = {"known", "as it must"};
  outcome.failed_at = 7;
  return outcome;
}

TEST(SwarmShrinker, LeavesJustWhatTheFailureNeeds) {
  SwarmPlan plan = draw_plan(1);
  for (std::size_t i = 0; i < kFaultCount; ++i) plan.faults[static_cast<Fault>(i)] = 100;
  const auto shrunk = shrink_plan(plan, fails_for_known_reasons);
  ASSERT_TRUE(shrunk);
  EXPECT_EQ(shrunk->plan.fault_set(), (std::set<Fault>{Fault::kCrash, Fault::kPause}));
  EXPECT_EQ(shrunk->plan.steps, 8U);
  EXPECT_EQ(shrunk->plan.skipped, (std::set<std::size_t>{0, 1, 3, 4, 5, 6}));
}

TEST(SwarmShrinker, WhatDoesNotFailIsNotShrunk) {
  SwarmPlan plan = draw_plan(1);
  plan.keep_only({Fault::kCrash});
  EXPECT_FALSE(shrink_plan(plan, fails_for_known_reasons));
}

format::SignedManifest some_manifest(Byte number) {
  format::SignedManifest manifest;
  manifest.id.bytes[0] = number;
  return manifest;
}

TEST(FaultAtlas, LastGoodCopyIsNotTaken) {
  ReferenceModel model(3, 2);
  model.add(some_manifest(1), nullptr);
  model.acknowledge(some_manifest(1).id, 0);
  EXPECT_FALSE(model.may_lose(0));
  EXPECT_TRUE(model.may_lose(1));
  model.acknowledge(some_manifest(1).id, 1);
  EXPECT_TRUE(model.may_lose(0));
  model.lose(0);
  EXPECT_FALSE(model.may_lose(1));
}

TEST(FaultAtlas, FewerThanTheQuorumAreDoubtful) {
  ReferenceModel model(5, 3);
  EXPECT_TRUE(model.may_doubt(0));
  model.doubt(0);
  EXPECT_TRUE(model.may_doubt(1));
  model.doubt(1);
  EXPECT_FALSE(model.may_doubt(2));
  model.trust(0);
  EXPECT_TRUE(model.may_doubt(2));
}

TEST(FaultAtlas, DoubtfulNodeCountsAsNoCopy) {
  ReferenceModel model(3, 2);
  model.add(some_manifest(1), nullptr);
  model.doubt(2);
  model.acknowledge(some_manifest(1).id, 2);
  EXPECT_TRUE(model.find(some_manifest(1).id)->good.empty());
  EXPECT_EQ(model.find(some_manifest(1).id)->acks.size(), 1U);
}

}  // namespace
}  // namespace holdfast::testing
