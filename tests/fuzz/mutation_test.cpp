// The fuzz targets without a fuzzer, so that every build and every compiler runs them: over the
// corpus in the repository, over changes of it and over noise. A broken promise aborts; the input
// that broke it is then in a file that the last line names.
#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ostream>
#include <string>

#include "tests/fuzz/mutator.h"
#include "tests/fuzz/sanitized.h"
#include "tests/fuzz/targets.h"
#include "tests/testing/seed.h"
#include "tests/testing/seeded_random.h"

namespace holdfast::fuzz {

// ctest makes a test's name of what its parameter prints; found by argument, so not in the
// namespace without a name.
static void PrintTo(const Target& target, std::ostream* out) {  // NOLINT: GoogleTest's name
  *out << target.name;
}

namespace {

using holdfast::testing::SeededRandom;

// What runs now, for the handler of SIGABRT: a broken promise is found by its input.
const Target* running = nullptr;
ByteView running_on;

void save_input(int) {
  const std::string path = "broken-" + std::string(running->name);
  if (std::FILE* const file = std::fopen(path.c_str(), "wb")) {
    std::fwrite(running_on.data(), 1, running_on.size(), file);
    std::fclose(file);
    std::fprintf(stderr, "%s: the input of target %s that broke a promise\n", path.c_str(),
                 std::string(running->name).c_str());
  }
  std::signal(SIGABRT, SIG_DFL);
}

class FuzzTarget : public ::testing::TestWithParam<Target> {
 protected:
  FuzzTarget() { std::signal(SIGABRT, save_input); }
  ~FuzzTarget() override { std::signal(SIGABRT, SIG_DFL); }
  static void run(ByteView input) {
    running = &GetParam();
    running_on = input;
    GetParam().run(input);
  }
};

TEST_P(FuzzTarget, KeepsItsPromisesOverItsCorpus) {
  const auto inputs = corpus_of(GetParam().name);
  ASSERT_FALSE(inputs.empty());
  for (const Bytes& input : inputs) run(input);
}

TEST_P(FuzzTarget, KeepsItsPromisesOverChangedInputs) {
  const Target& target = GetParam();
  const auto corpus = corpus_of(target.name);
  std::vector<const Bytes*> costly, cheap;
  for (const Bytes& input : corpus)
    (target.costly_modes >> (input.empty() ? 0 : input[0] & 31) & 1 ? costly : cheap)
        .push_back(&input);
  ASSERT_FALSE(cheap.empty()) << "all that is not costly is drawn from nothing";
  ASSERT_EQ(costly.empty(), target.costly_modes == 0);
  SeededRandom random(holdfast::testing::seed());
  Mutator mutator(random, corpus);
  // Under a sanitizer an execution takes about ten times as long.
  const std::uint64_t executions = target.executions / (kIsSanitized ? 20 : 1);
  Bytes input;
  for (std::uint64_t i = 0; i < executions; ++i) {
    const bool is_costly = !costly.empty() && i % target.costly_one_in == 0;
    const auto& from = is_costly ? costly : cheap;
    // Mostly a seed that is changed a little; else what was, changed further.
    if (i == 0 || is_costly || random.below(4) != 0) input = *from[random.below(from.size())];
    mutator.mutate(input);
    run(input);
  }
  std::printf("%s: %llu executions\n", std::string(target.name).c_str(),
              static_cast<unsigned long long>(executions));
}

TEST_P(FuzzTarget, KeepsItsPromisesOverNoise) {
  SeededRandom random(holdfast::testing::seed());
  for (int round = 0; round < 500; ++round) {
    Bytes noise(random.below(300));
    random.fill(noise);
    if (!noise.empty()) noise[0] %= 8;  // a mode that means something
    run(noise);
  }
}

INSTANTIATE_TEST_SUITE_P(All, FuzzTarget, ::testing::ValuesIn(targets().begin(), targets().end()),
                         [](const auto& target) { return std::string(target.param.name); });

}  // namespace
}  // namespace holdfast::fuzz
