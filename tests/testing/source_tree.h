// The checkout that a test was built from: golden bytes, and tests that read the source itself.
#pragma once

#include <string>
#include <vector>

namespace holdfast::testing {

// The absolute path of the checkout, without a '/' at the end.
std::string source_root();

struct SourceFile {
  std::string path;  // from the root, "common/base/bytes.h"
  std::vector<std::string> lines;
};

// Every file below `folders` whose name ends in one of `suffixes` (".h"), in order of path.
std::vector<SourceFile> read_sources(const std::vector<std::string>& folders,
                                     const std::vector<std::string>& suffixes);

}  // namespace holdfast::testing
