// A folder to restore into, beside one that must stay as it is.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "agent/posix/posix_restore_target.h"
#include "tests/unit/agent/posix/tree_fixture.h"

namespace holdfast::agent {

inline Entry entry_of(std::uint32_t mode, std::uint64_t size = 0) {
  Entry entry;
  entry.mode = mode;
  entry.uid = ::geteuid();
  entry.gid = ::getegid();
  entry.size = size;
  entry.mtime = {1'234'567'890, 987'654'321};
  return entry;
}
inline Entry file_entry(std::string_view content, std::uint32_t mode = 0644) {
  return entry_of(S_IFREG | mode, content.size());
}
inline Entry link_entry(const std::string& target) {
  Entry entry = entry_of(S_IFLNK | 0777);
  entry.target = target;
  return entry;
}

// The target is "target" in a folder of the test; "outside" beside it must stay as it is.
class RestoreFixture : public TreeFixture {
 protected:
  void SetUp() override {
    make_folder("target");
    make_folder("outside");
    make_file("outside/secret", "secret");
  }
  void TearDown() override {
    EXPECT_EQ(content("outside/secret"), "secret");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(at("outside")), {}), 1);
    for (const auto& found : std::filesystem::recursive_directory_iterator(at("target")))
      EXPECT_EQ(found.path().filename().string().find(".holdfast-"), std::string::npos);
  }

  std::unique_ptr<PosixRestoreTarget> open(
      KernelFeatures features = KernelFeatures::probe()) const {
    return PosixRestoreTarget::open(at("target"), features).value();
  }
  std::string content(const std::string& path) const {
    std::ifstream file(at(path), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  struct stat stat(const std::string& path) const {
    struct stat found {};
    EXPECT_EQ(::lstat(at(path).c_str(), &found), 0) << path;
    return found;
  }
  static Status write(RestoreTarget& target, const std::string& path, std::string_view text,
                      std::uint32_t mode = 0644) {
    return target.write_file(path, file_entry(text, mode), as_bytes(text));
  }
};

}  // namespace holdfast::agent
