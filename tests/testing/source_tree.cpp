#include "tests/testing/source_tree.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "common/base/check.h"

namespace holdfast::testing {

std::string source_root() { return HOLDFAST_SOURCE_ROOT; }

std::vector<SourceFile> read_sources(const std::vector<std::string>& folders,
                                     const std::vector<std::string>& suffixes) {
  const std::filesystem::path root = source_root();
  std::vector<SourceFile> files;
  for (const auto& folder : folders) {
    if (!std::filesystem::exists(root / folder)) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      const std::string path = entry.path().lexically_relative(root).generic_string();
      const bool wanted = std::any_of(suffixes.begin(), suffixes.end(),
                                      [&](const auto& suffix) { return path.ends_with(suffix); });
      if (!entry.is_regular_file() || !wanted) continue;
      std::ifstream in(entry.path());
      check(in.is_open(), "a source file cannot be opened");
      SourceFile file{path, {}};
      for (std::string line; std::getline(in, line);) file.lines.push_back(line);
      files.push_back(std::move(file));
    }
  }
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  return files;
}

}  // namespace holdfast::testing
