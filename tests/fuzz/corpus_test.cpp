// The fuzz targets without a fuzzer, so that every build and every compiler runs them: over the
// checked-in corpus, over small changes of it and over noise. A broken promise aborts.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "tests/fuzz/targets.h"
#include "tests/testing/seed.h"
#include "tests/testing/seeded_random.h"
#include "tests/testing/source_tree.h"

namespace holdfast::fuzz {
namespace {

using holdfast::testing::SeededRandom;

std::vector<Bytes> corpus_of(std::string_view target) {
  const auto folder =
      std::filesystem::path(holdfast::testing::source_root()) / "tests/fuzz/corpus" / target;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::vector<Bytes> inputs;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return inputs;
}

// One small change, as a fuzzer makes them.
void mutate(Bytes& input, SeededRandom& random) {
  const std::size_t at = input.empty() ? 0 : random.below(input.size());
  const auto here = input.begin() + static_cast<std::ptrdiff_t>(at);
  switch (input.empty() ? 0 : random.below(5)) {
    case 0:
      input.insert(here, static_cast<Byte>(random.below(256)));
      break;
    case 1:
      input[at] ^= static_cast<Byte>(1U << random.below(8));
      break;
    case 2:
      input[at] = static_cast<Byte>(random.below(256));
      break;
    case 3:
      input.erase(here, here + static_cast<std::ptrdiff_t>(random.below(input.size() - at) + 1));
      break;
    default: {
      const Bytes piece(here,
                        here + static_cast<std::ptrdiff_t>(random.below(input.size() - at) + 1));
      input.insert(input.begin() + static_cast<std::ptrdiff_t>(random.below(input.size())),
                   piece.begin(), piece.end());
    }
  }
}

class FuzzTarget : public ::testing::TestWithParam<Target> {};

TEST_P(FuzzTarget, KeepsItsPromisesOverItsCorpus) {
  const auto inputs = corpus_of(GetParam().name);
  ASSERT_FALSE(inputs.empty());
  for (const Bytes& input : inputs) GetParam().run(input);
}

TEST_P(FuzzTarget, KeepsItsPromisesOverSmallChanges) {
  SeededRandom random(holdfast::testing::seed());
  for (const Bytes& input : corpus_of(GetParam().name))
    for (int round = 0; round < 100; ++round) {
      Bytes changed = input;
      for (auto changes = random.below(4) + 1; changes > 0; --changes) mutate(changed, random);
      GetParam().run(changed);
    }
}

TEST_P(FuzzTarget, KeepsItsPromisesOverNoise) {
  SeededRandom random(holdfast::testing::seed());
  for (int round = 0; round < 500; ++round) {
    Bytes noise(random.below(300));
    random.fill(noise);
    if (!noise.empty()) noise[0] %= 8;  // a mode that means something
    GetParam().run(noise);
  }
}

INSTANTIATE_TEST_SUITE_P(All, FuzzTarget, ::testing::ValuesIn(kTargets),
                         [](const auto& target) { return std::string(target.param.name); });

}  // namespace
}  // namespace holdfast::fuzz
