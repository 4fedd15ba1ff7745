// What libFuzzer calls. The target is chosen by --target=NAME; libFuzzer itself leaves alone what
// begins with two dashes.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/fuzz/mutator.h"
#include "tests/fuzz/targets.h"
#include "tests/testing/seeded_random.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace {

const holdfast::fuzz::Target* chosen = nullptr;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  constexpr std::string_view kTarget = "--target=";
  for (int i = 1; i < *argc; ++i) {
    const std::string_view argument = (*argv)[i];
    if (argument == "--list") {
      for (const auto& target : holdfast::fuzz::targets())
        std::printf("%s\n", std::string(target.name).c_str());
      std::exit(0);
    }
    if (argument.starts_with(kTarget))
      chosen = holdfast::fuzz::find_target(argument.substr(kTarget.size()));
  }
  if (chosen == nullptr) {
    std::fprintf(stderr, "--target=NAME is missing or names none of --list\n");
    std::exit(2);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  chosen->run({data, size});
  return 0;
}

// Half of the changes are libFuzzer's, which learns from what is compared; the other half ours,
// which knows messages.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t most, unsigned int seed) {
  if (seed % 2 == 0 || size == 0) return LLVMFuzzerMutate(data, size, most);
  holdfast::testing::SeededRandom random(seed);
  static const std::vector<holdfast::Bytes> corpus = holdfast::fuzz::corpus_of(chosen->name);
  holdfast::Bytes input(data, data + size);
  holdfast::fuzz::Mutator(random, corpus).mutate(input);
  size = std::min(input.size(), most);
  std::memcpy(data, input.data(), size);
  return size;
}
