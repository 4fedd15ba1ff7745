#include "tests/simulation/swarm_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>

#include "tests/simulation/swarm_shrinker.h"

namespace holdfast::testing {
namespace {

constexpr std::string_view kUsage = R"(
  --seeds N       so many seeds, one after the other (500)
  --hours H       new seeds until so many hours have passed
  --first S       the first seed (1; with HOLDFAST_SEED set, that times 1,000,000)
  --part I/N      of the seeds every Nth, from the Ith on
  --jobs N        so many at once (one for each core)
  --replay SEED   one seed, with what happens in it; --trace: with every message, too
  --shrink SEED   finds what of a failing seed's faults and operations the failure needs
  --only F,F...   of the plan's faults just these
  --skip N,N...   without these operations
  --steps N       just the first N operations
  --faults        the names of all faults
)";

struct Options {
  std::uint64_t seeds = 500;
  std::optional<double> hours;
  std::uint64_t first = 1;
  std::uint64_t part = 1, parts = 1;
  unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
  std::optional<std::uint64_t> replay, shrink;
  std::optional<std::set<Fault>> only;
  std::set<std::size_t> skip;
  std::optional<std::size_t> steps;
  bool trace = false;
  std::string command;  // how a user calls this
};

[[noreturn]] void fail_usage(const std::string& why) {
  fmt::print(stderr, "{}\n{}", why, kUsage);
  std::exit(2);
}

std::uint64_t to_number(const std::string& text) {
  char* end = nullptr;
  const auto value = std::strtoull(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0') fail_usage(text + ": not a number");
  return value;
}

std::set<std::size_t> to_numbers(const std::string& text) {
  std::set<std::size_t> all;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    all.insert(static_cast<std::size_t>(to_number(text.substr(at, end - at))));
    at = end + 1;
  }
  return all;
}

Options parse(const std::string& command, const std::vector<std::string>& words) {
  Options options;
  options.command = command;
  if (const char* seed = std::getenv("HOLDFAST_SEED"); seed != nullptr && *seed != '\0')
    options.first = to_number(seed) * 1'000'000;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--faults") {
      std::set<Fault> all;
      for (std::size_t f = 0; f < kFaultCount; ++f) all.insert(static_cast<Fault>(f));
      fmt::print("{}\n", to_text(all));
      std::exit(0);
    }
    if (word == "--help") {
      fmt::print("{}", kUsage);
      std::exit(0);
    }
    if (word == "--trace") {
      options.trace = true;
      continue;
    }
    if (i + 1 == words.size()) fail_usage(word + ": not an option, or its value is missing");
    const std::string& value = words[++i];
    if (word == "--seeds") {
      options.seeds = to_number(value);
    } else if (word == "--hours") {
      options.hours = std::strtod(value.c_str(), nullptr);
    } else if (word == "--first") {
      options.first = to_number(value);
    } else if (word == "--part") {
      const std::size_t slash = value.find('/');
      if (slash == std::string::npos) fail_usage(value + ": not a part of something");
      options.part = to_number(value.substr(0, slash));
      options.parts = to_number(value.substr(slash + 1));
      if (options.part < 1 || options.part > options.parts) fail_usage(value + ": no such part");
    } else if (word == "--jobs") {
      options.jobs = std::max(1U, static_cast<unsigned>(to_number(value)));
    } else if (word == "--replay") {
      options.replay = to_number(value);
    } else if (word == "--shrink") {
      options.shrink = to_number(value);
    } else if (word == "--only") {
      auto faults = parse_faults(value);
      if (!faults) fail_usage(faults.error().message());
      options.only = *std::move(faults);
    } else if (word == "--skip") {
      options.skip = to_numbers(value);
    } else if (word == "--steps") {
      options.steps = static_cast<std::size_t>(to_number(value));
    } else {
      fail_usage(word + ": not an option");
    }
  }
  return options;
}

SwarmPlan plan_for(std::uint64_t seed, const Options& options) {
  SwarmPlan plan = draw_plan(seed);
  if (options.only) plan.keep_only(*options.only);
  plan.skipped = options.skip;
  plan.steps = options.steps;
  return plan;
}

// A broken check() ends the process: which seed it was is said all the same.
thread_local std::uint64_t current_seed = 0;
void on_abort(int) {
  char line[] = "\nFAILED: an invariant of the program itself, seed                     \n";
  char* digit = line + sizeof line - 3;
  for (std::uint64_t rest = current_seed; rest != 0; rest /= 10)
    *digit-- = static_cast<char>('0' + rest % 10);
  static_cast<void>(!write(STDERR_FILENO, line, sizeof line - 1));
}

std::string replay_command(const SwarmPlan& plan, const Options& options, bool reduced) {
  std::string command = fmt::format("{} --replay {}", options.command, plan.seed);
  if (!reduced) return command;
  command += fmt::format(" --only {}", plan.faults.empty() ? "''" : to_text(plan.fault_set()));
  if (!plan.skipped.empty()) {
    std::string list;
    for (const std::size_t number : plan.skipped)
      list += fmt::format("{}{}", list.empty() ? "" : ",", number);
    command += " --skip " + list;
  }
  if (plan.steps) command += fmt::format(" --steps {}", *plan.steps);
  return command;
}

void print_counts(const char* title, const std::map<std::string, std::uint64_t>& counts) {
  std::uint64_t sum = 0;
  for (const auto& [name, count] : counts) sum += count;
  fmt::print("{}: {}\n", title, sum);
  for (const auto& [name, count] : counts) fmt::print("  {:<40} {:>12}\n", name, count);
}

struct Totals {
  std::uint64_t seeds = 0, events = 0, operations = 0;
  static constexpr std::uint64_t kNone = ~std::uint64_t{0};
  std::uint64_t least_events = kNone;  // of a seed that did not fail
  std::uint64_t snapshots = 0, acknowledged = 0;
  double years = 0, cpu_minutes = 0;
  std::map<std::string, std::uint64_t> faults, checks;
  std::optional<SwarmOutcome> failure;

  void add(const SwarmOutcome& outcome) {
    ++seeds;
    events += outcome.events;
    operations += outcome.operations;
    snapshots += outcome.snapshots;
    acknowledged += outcome.acknowledged;
    years += std::chrono::duration<double>(outcome.simulated).count() / (365.25 * 86'400);
    for (const auto& [name, count] : outcome.faults) faults[name] += count;
    for (const auto& [name, count] : outcome.checks) checks[name] += count;
    if (outcome.violation && (!failure || outcome.seed < failure->seed)) failure = outcome;
    if (!outcome.violation) least_events = std::min(least_events, outcome.events);
  }
  void print() const {
    fmt::print("{} seeds, {} operations, {} snapshots ({} acknowledged)\n", seeds, operations,
               snapshots, acknowledged);
    const std::string least =
        least_events == kNone ? "" : fmt::format(", at least {} a seed", least_events);
    fmt::print("{} events{}\n", events, least);
    fmt::print("{:.2f} cluster-years simulated in {:.2f} CPU minutes\n", years, cpu_minutes);
    print_counts("faults injected", faults);
    print_counts("checks made", checks);
  }
};

int report_failure(const SwarmOutcome& outcome, const Options& options) {
  fmt::print("\nFAILED: seed {}, operation {}: {}\n  {}\n", outcome.seed, outcome.failed_at,
             outcome.violation->invariant, outcome.violation->detail);
  const bool reduced = options.only || options.steps || !options.skip.empty();
  fmt::print("replay: {}\n", replay_command(plan_for(outcome.seed, options), options, reduced));
  return 1;
}

int run_seeds(const Options& options) {
  const auto end = std::chrono::steady_clock::now() +
                   std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                       std::chrono::duration<double>(options.hours.value_or(0) * 3'600));
  std::atomic<std::uint64_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  Totals totals;
  const auto work = [&] {
    while (!failed) {
      const std::uint64_t i = next++ * options.parts + options.part - 1;
      if (options.hours ? std::chrono::steady_clock::now() >= end : i >= options.seeds) return;
      current_seed = options.first + i;
      const SwarmOutcome outcome = run_swarm(plan_for(current_seed, options));
      if (outcome.violation) failed = true;
      const std::lock_guard lock(mutex);
      totals.add(outcome);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < options.jobs; ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  totals.cpu_minutes = static_cast<double>(std::clock()) / CLOCKS_PER_SEC / 60;
  totals.print();
  if (totals.failure) return report_failure(*totals.failure, options);
  fmt::print("0 violations\n");
  return 0;
}

int replay(std::uint64_t seed, const Options& options) {
  current_seed = seed;
  const SwarmOutcome outcome = run_swarm(
      plan_for(seed, options), [](const std::string& line) { fmt::print("{}\n", line); },
      options.trace);
  Totals totals;
  totals.add(outcome);
  totals.cpu_minutes = static_cast<double>(std::clock()) / CLOCKS_PER_SEC / 60;
  totals.print();
  fmt::print("trace hash {:016x}\n", outcome.trace);
  if (outcome.violation) return report_failure(outcome, options);
  fmt::print("0 violations\n");
  return 0;
}

int shrink(std::uint64_t seed, const Options& options) {
  current_seed = seed;
  const auto shrunk = shrink_plan(
      plan_for(seed, options), [](const SwarmPlan& plan) { return run_swarm(plan); },
      [](const std::string& line) {
        fmt::print("{}\n", line);
        std::fflush(stdout);
      });
  if (!shrunk) {
    fmt::print("seed {} does not fail\n", seed);
    return 0;
  }
  const SwarmPlan& plan = shrunk->plan;
  fmt::print("\n{}: {}\nneeds the faults: {}\nand {} operations\nreplay: {}\n",
             shrunk->violation.invariant, shrunk->violation.detail,
             plan.faults.empty() ? "none" : to_text(plan.fault_set()),
             plan.steps.value_or(0) - plan.skipped.size(), replay_command(plan, options, true));
  return 1;
}

}  // namespace

int swarm_command(const std::string& command, const std::vector<std::string>& words) {
  std::signal(SIGABRT, on_abort);
  const Options options = parse(command, words);
  if (options.replay) return replay(*options.replay, options);
  if (options.shrink) return shrink(*options.shrink, options);
  return run_seeds(options);
}

}  // namespace holdfast::testing
