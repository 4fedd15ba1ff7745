#include "tests/golden/golden_bytes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "common/base/check.h"
#include "common/base/text.h"
#include "tests/testing/source_tree.h"

namespace holdfast::testing {
namespace {

constexpr std::size_t kBytesPerLine = 32;

std::string path_of(const std::string& name) {
  return source_root() + "/tests/golden/v1/" + name + ".hex";
}

}  // namespace

Bytes read_golden(const std::string& name) {
  std::ifstream in(path_of(name));
  check(in.is_open(), "a golden file is missing");
  std::string digits;
  std::copy_if(std::istreambuf_iterator<char>(in), {}, std::back_inserter(digits),
               [](char c) { return c != '\n'; });
  auto bytes = hex_decode(digits);
  check(bytes.has_value(), "a golden file is not hexadecimal");
  return *bytes;
}

void expect_golden(const std::string& name, ByteView bytes) {
  const char* const mode = std::getenv("HOLDFAST_GOLDEN");
  if (mode != nullptr && std::string_view(mode) == "write") {
    std::ofstream out(path_of(name), std::ios::trunc);
    for (std::size_t at = 0; at < bytes.size(); at += kBytesPerLine)
      out << hex_encode(bytes.subspan(at, std::min(kBytesPerLine, bytes.size() - at))) << '\n';
    out.close();
    FAIL() << path_of(name) << " was written anew; run again without HOLDFAST_GOLDEN";
  }
  const Bytes golden = read_golden(name);
  const auto differ = std::ranges::mismatch(golden, bytes);
  if (differ.in1 == golden.end() && differ.in2 == bytes.end()) return;
  FAIL() << name << ": " << bytes.size() << " bytes, golden are " << golden.size()
         << "; the first that differs is " << differ.in1 - golden.begin()
         << "\nThis is a change of a format: repositories that exist were written in the old one. "
            "Unless nothing\nwas released yet, it needs a new version beside the old, and "
            "docs/format.md. If only libzstd\ncompresses otherwise now, or the change is meant, "
            "HOLDFAST_GOLDEN=write writes the file anew.";
}

}  // namespace holdfast::testing
