#include "tests/fuzz/targets.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/testing/source_tree.h"

namespace holdfast::fuzz {
namespace {

constexpr std::uint32_t modes(std::initializer_list<unsigned> numbers) {
  std::uint32_t bits = 0;
  for (const unsigned number : numbers) bits |= 1U << number;
  return bits;
}

constexpr std::uint64_t kMillion = 1'000'000;
constexpr std::array kTargets{
    Target{"frame", frame, kMillion, modes({0, 1, 2, 3, 4, 5, 6}), 50},
    Target{"manifest", manifest, kMillion, modes({0, 1, 2}), 50},
    Target{"charter", charter, kMillion, modes({0, 1}), 50},
    Target{"vault", vault},
    Target{"credential", credential},
    Target{"invite", invite},
    Target{"message", message},
    Target{"catalog_node", catalog_node},
    Target{"catalog_file", catalog_file},
    Target{"seen_heads", seen_heads},
    Target{"segment", segment},
    Target{"index_notes", index_notes},
    Target{"index_values", index_values},
    Target{"node_configuration", node_configuration},
    Target{"invitation", invitation},
    Target{"profile", profile},
    Target{"command_line", command_line},
    Target{"node", node, 20'000},
    Target{"store", store, 20'000},
    Target{"agent", agent, 20'000},
};

}  // namespace

std::span<const Target> targets() { return kTargets; }

const Target* find_target(std::string_view name) {
  const auto* const found = std::find_if(kTargets.begin(), kTargets.end(),
                                         [&](const Target& target) { return target.name == name; });
  return found == kTargets.end() ? nullptr : &*found;
}

std::vector<Bytes> corpus_of(std::string_view name) {
  const auto folder =
      std::filesystem::path(holdfast::testing::source_root()) / "tests/fuzz/corpus" / name;
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

}  // namespace holdfast::fuzz
