#include "cli/backup_source.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <functional>

#include "common/posix/posix_file_system.h"
#include "common/posix/system_clock.h"
#include "tests/unit/common/posix/temporary_folder.h"

namespace holdfast::cli {
namespace {

class BackupSourceOptions : public ::testing::Test {
 protected:
  BackupSourceOptions() {
    for (const char* name : {"a", "b"}) file(name, "x");
    options_.paths = {folder_.path()};
  }
  std::string at(const std::string& name) const { return folder_.path() + "/" + name; }
  std::string file(const std::string& name, const std::string& content) const {
    std::ofstream(at(name)) << content;
    return at(name);
  }
  Result<std::unique_ptr<BackupSource>> open() {
    return BackupSource::open(files_, clock_, options_);
  }
  std::string error() {
    const auto opened = open();
    return opened ? "" : opened.error().message();
  }
  std::vector<std::string> identity(const std::function<void(SourceOptions&)>& change = [](auto&) {
  }) {
    SourceOptions options = options_;
    change(options);
    return BackupSource::open(files_, clock_, options).value()->identity();
  }

  TemporaryFolder folder_;
  PosixFileSystem files_;
  SystemClock clock_;
  SourceOptions options_;
};

TEST_F(BackupSourceOptions, ListsHoldPathsAsTheyAreWritten) {
  const std::string odd = file("odd # * [\n", "x");
  options_.paths = {at("b")};
  options_.files_from = {file("lines", "\n" + at("a") + "\n\n")};
  options_.files_from0 = {file("nul", odd + std::string(1, '\0') + at("a"))};
  EXPECT_EQ(open().value()->paths(), (std::vector<std::string>{at("a"), at("b"), odd}));
}

TEST_F(BackupSourceOptions, AListThatIsNotThereOrHoldsNothingIsAnError) {
  options_.paths.clear();
  options_.files_from = {file("empty", "\n\n")};
  EXPECT_NE(error().find("nothing to save"), std::string::npos) << error();
  options_.files_from = {at("absent")};
  EXPECT_NE(error().find("--files-from"), std::string::npos) << error();
  options_.files_from = {file("gone", at("never") + "\n")};
  EXPECT_NE(error().find("never"), std::string::npos) << error();
}

TEST_F(BackupSourceOptions, WhatSelectsIsPartOfWhatTheBackupIsOf) {
  const auto plain = identity();
  EXPECT_EQ(plain, identity());
  const std::vector<std::function<void(SourceOptions&)>> changes = {
      [](auto& it) { it.excludes = {"*.o"}; },
      [](auto& it) { it.excludes_in_any_case = {"*.o"}; },
      [](auto& it) { it.exclude_if_present = {"*.o"}; },
      [](auto& it) { it.exclude_larger_than = "5"; },
      [](auto& it) { it.exclude_caches = true; },
      [](auto& it) { it.one_file_system = true; },
      [this](auto& it) { it.paths.push_back(at("a")); },
      [this](auto& it) { it.paths = {at("a")}; },
  };
  std::vector<std::vector<std::string>> all{plain};
  for (const auto& change : changes) {
    const auto changed = identity(change);
    for (const auto& other : all) EXPECT_NE(changed, other);
    all.push_back(changed);
  }
}

TEST_F(BackupSourceOptions, MalformedOnesAreNamed) {
  const auto error_with = [this](const std::function<void(SourceOptions&)>& change) {
    SourceOptions options = options_;
    change(options);
    const auto opened = BackupSource::open(files_, clock_, options);
    return opened ? "" : opened.error().message();
  };
  const auto expect = [&](const char* word, const std::function<void(SourceOptions&)>& change) {
    const std::string text = error_with(change);
    EXPECT_NE(text.find(word), std::string::npos) << word << ": " << text;
  };
  expect("--exclude-larger-than", [](auto& it) { it.exclude_larger_than = "1 M"; });
  expect("--exclude-if-present", [](auto& it) { it.exclude_if_present = {"a/b"}; });
  expect("--iexclude", [](auto& it) { it.excludes_in_any_case = {"[a"}; });
  expect("--exclude-file", [this](auto& it) { it.exclude_files = {at("absent")}; });
  expect("standard input", [](auto& it) { it.files_from = {"-", "-"}; });
  expect("not of both", [](auto& it) { it.from_stdin = true; });
  expect("one of them", [](auto& it) {
    it.paths.clear();
    it.from_stdin = true;
    it.stdin_command = {"true"};
  });
  expect("--stdin-filename", [](auto& it) { it.stdin_filename = "x"; });
  expect("not absolute", [](auto& it) {
    it.absolute_only = true;
    it.paths = {"."};
  });
}

TEST_F(BackupSourceOptions, AStreamIsOfItsName) {
  options_.paths.clear();
  options_.stdin_command = {"true"};
  EXPECT_EQ(open().value()->paths(), std::vector<std::string>{"/stdin"});
  const auto unnamed = identity();
  options_.stdin_filename = "dumps/all.sql";
  EXPECT_EQ(open().value()->paths(), std::vector<std::string>{"/dumps/all.sql"});
  EXPECT_NE(identity(), unnamed);
}

}  // namespace
}  // namespace holdfast::cli
