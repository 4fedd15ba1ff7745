#include "tests/simulation/sim_file_system.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/conformance/file_names_conformance.h"
#include "tests/conformance/file_system_conformance.h"
#include "tests/simulation/sim_random.h"
#include "tests/testing/seed.h"

namespace holdfast {

struct SimFileSystemFixture {
  SimFileSystemFixture() { check(files_.make_directory("/root").has_value(), "mkdir"); }
  FileSystem& files() { return files_; }
  std::string root() { return "/root"; }
  simulation::SimFileSystem files_;
};
INSTANTIATE_TYPED_TEST_SUITE_P(Sim, FileSystemConformance, SimFileSystemFixture);
INSTANTIATE_TYPED_TEST_SUITE_P(Sim, FileNamesConformance, SimFileSystemFixture);

namespace simulation {
namespace {

class SimFileSystemTest : public ::testing::Test {
 protected:
  std::unique_ptr<File> create(const std::string& path) {
    auto file = files_.open(path, OpenMode::kCreateNew);
    check(file.has_value(), "a file cannot be created");
    return std::move(file).value();
  }
  void make(const std::string& path, std::string_view content) {
    auto file = create(path);
    check(file->write_at(0, {as_bytes(content)}).has_value(), "write");
    check(file->sync_data().has_value(), "sync");
    check(files_.sync_directory("/").has_value(), "sync");
  }
  std::string content(const std::string& path) {
    auto bytes = read_file(files_, path, 1 << 24);
    return bytes ? to_string(*bytes) : "(" + std::string(name(bytes.error().code())) + ")";
  }
  SimFileSystem files_;
  SimRandom random_{holdfast::testing::seed()};
};

TEST_F(SimFileSystemTest, WhatWasSyncedSurvivesWithItsName) {
  make("/f", "abc");
  files_.crash(CrashKeeps::kNothing, random_);
  EXPECT_EQ(content("/f"), "abc");
}

TEST_F(SimFileSystemTest, ASyncedFileWithoutASyncedNameIsLost) {
  auto file = create("/f");
  ASSERT_TRUE(file->write_at(0, {as_bytes("abc")}));
  ASSERT_TRUE(file->sync_data());
  files_.crash(CrashKeeps::kNothing, random_);
  EXPECT_EQ(content("/f"), "(not_found)");
}

TEST_F(SimFileSystemTest, UnsyncedBytesAreLostOrKeptAsTold) {
  for (const auto keeps : {CrashKeeps::kNothing, CrashKeeps::kEverything}) {
    make("/f", "abc");
    auto file = files_.open("/f", OpenMode::kReadWrite);
    ASSERT_TRUE((*file)->write_at(1, {as_bytes("XYZ")}));
    files_.crash(keeps, random_);
    EXPECT_EQ(content("/f"), keeps == CrashKeeps::kNothing ? "abc" : "aXYZ");
    ASSERT_TRUE(files_.remove("/f"));
  }
}

TEST_F(SimFileSystemTest, ACrashTearsUnsyncedWritesInEveryWay) {
  // Three pages, overwritten: each sector is old or new, and over time all mixtures appear.
  std::set<std::string> shapes;
  const std::string old(3 * 4096, 'o'), changed(3 * 4096, 'n');
  for (int round = 0; round < 2000; ++round) {
    make("/f", old);
    auto file = files_.open("/f", OpenMode::kReadWrite);
    ASSERT_TRUE((*file)->write_at(0, {as_bytes(changed)}));
    files_.crash(CrashKeeps::kSome, random_);
    const std::string after = content("/f");
    ASSERT_EQ(after.size(), old.size());
    std::string shape;
    for (std::size_t page = 0; page < 3; ++page) {
      const std::string bytes = after.substr(page * 4096, 4096);
      for (std::size_t sector = 0; sector < 8; ++sector)
        ASSERT_TRUE(bytes.substr(sector * 512, 512) == std::string(512, 'o') ||
                    bytes.substr(sector * 512, 512) == std::string(512, 'n'));
      shape += bytes == std::string(4096, 'o') ? 'o' : bytes == std::string(4096, 'n') ? 'n' : 't';
    }
    shapes.insert(shape);
    ASSERT_TRUE(files_.remove("/f"));
  }
  EXPECT_EQ(shapes.size(), 27u);
}

TEST_F(SimFileSystemTest, NamesAreLostIndependently) {
  std::set<std::string> outcomes;
  for (int round = 0; round < 100; ++round) {
    SimFileSystem files;
    auto a = files.open("/a", OpenMode::kCreateNew), b = files.open("/b", OpenMode::kCreateNew);
    files.crash(CrashKeeps::kSome, random_);
    outcomes.insert(std::string(files.exists("/a").value() ? "a" : "") +
                    (files.exists("/b").value() ? "b" : ""));
  }
  EXPECT_EQ(outcomes, (std::set<std::string>{"", "a", "ab", "b"}));
}

TEST_F(SimFileSystemTest, ARenameIsKeptWholeOrNotAtAll) {
  std::set<std::string> outcomes;
  for (int round = 0; round < 50; ++round) {
    make("/from", "new");
    make("/to", "old");
    ASSERT_TRUE(files_.rename("/from", "/to"));
    files_.crash(CrashKeeps::kSome, random_);
    outcomes.insert(content("/from") + content("/to"));
    if (files_.exists("/from").value()) {
      ASSERT_TRUE(files_.remove("/from"));
    }
    ASSERT_TRUE(files_.remove("/to"));
  }
  EXPECT_EQ(outcomes, (std::set<std::string>{"newold", "(not_found)new"}));
}

TEST_F(SimFileSystemTest, AnAtomicWriteLeavesOldOrNewWhereverTheMachineStops) {
  std::set<std::string> outcomes;
  for (const auto point : {StopPoint::kBefore, StopPoint::kTorn, StopPoint::kAfter}) {
    for (std::uint64_t n = 1;; ++n) {
      make("/f", "old");
      files_.stop_at(n, point, random_);
      const Status written = write_file_atomically(files_, "/f", as_bytes("new"));
      const bool finished = !files_.stopped();
      ASSERT_EQ(written.has_value(), finished);
      files_.crash(CrashKeeps::kSome, random_);
      ASSERT_TRUE(content("/f") == "old" || content("/f") == "new") << content("/f");
      if (finished) {
        EXPECT_EQ(content("/f"), "new");
      }
      outcomes.insert(content("/f"));
      ASSERT_TRUE(files_.remove("/f"));
      if (finished) break;
    }
  }
  EXPECT_EQ(outcomes.size(), 2u);
}

TEST_F(SimFileSystemTest, AFailedSyncKeepsThePagesReadableAndNeverWritesThem) {
  make("/f", "old");
  auto file = files_.open("/f", OpenMode::kReadWrite);
  ASSERT_TRUE((*file)->write_at(0, {as_bytes("new")}));
  files_.fail_sync(1);
  EXPECT_EQ(code_of((*file)->sync_data()), Code::kIo);
  EXPECT_TRUE((*file)->sync_data());  // proves nothing
  EXPECT_EQ(content("/f"), "new");
  files_.crash(CrashKeeps::kEverything, random_);
  EXPECT_EQ(content("/f"), "old");
}

TEST_F(SimFileSystemTest, AFullDiskTakesWhatFitsAndSaysSo) {
  files_.set_capacity(10);
  auto file = create("/f");
  EXPECT_EQ(code_of(file->write_at(0, {as_bytes("0123456789abc")})), Code::kNoSpace);
  EXPECT_EQ(content("/f"), "0123456789");
  EXPECT_EQ(files_.free_bytes("/").value(), 0u);
  ASSERT_TRUE(file->truncate(4));
  EXPECT_EQ(files_.free_bytes("/").value(), 6u);
  ASSERT_TRUE(files_.remove("/f"));
  EXPECT_EQ(files_.free_bytes("/").value(), 10u);
}

TEST_F(SimFileSystemTest, TheNthCallFailsOnceOrForGood) {
  make("/f", "abc");
  files_.fail_call(2, Code::kIo, false);
  EXPECT_TRUE(files_.exists("/f"));
  EXPECT_EQ(code_of(files_.exists("/f")), Code::kIo);
  EXPECT_TRUE(files_.exists("/f"));
  files_.fail_call(1, Code::kNoSpace, true);
  EXPECT_EQ(code_of(files_.exists("/f")), Code::kNoSpace);
  EXPECT_EQ(code_of(files_.exists("/f")), Code::kNoSpace);
  files_.clear_faults();
  EXPECT_TRUE(files_.exists("/f"));
}

TEST_F(SimFileSystemTest, ACrashReleasesLocksAndClosesFiles) {
  auto lock = files_.lock("/lock");
  auto file = create("/f");
  files_.crash(CrashKeeps::kEverything, random_);
  EXPECT_EQ(code_of(file->size()), Code::kIo);
  auto again = files_.lock("/lock");
  ASSERT_TRUE(again);
  lock->reset();  // of before the crash: it must not release the new one
  EXPECT_EQ(code_of(files_.lock("/lock")), Code::kConflict);
}

TEST(SimFileSystem, ImageHoldsWhatWasSyncedAndTakesThePlaceOfTheDevice) {
  SimFileSystem files;
  {
    auto file = files.open("/kept", OpenMode::kCreateNew);
    ASSERT_TRUE(file);
    ASSERT_TRUE((*file)->write_at(0, {as_bytes("synced")}));
    ASSERT_TRUE((*file)->sync_data());
    ASSERT_TRUE(files.sync_directory("/"));
    ASSERT_TRUE((*file)->write_at(0, {as_bytes("NEWER!")}));
  }
  const SimFileSystem::Image image = files.image();
  ASSERT_TRUE(files.remove("/kept"));
  files.restore(image);
  EXPECT_EQ(as_text(*read_file(files, "/kept", 100)), "synced");
  EXPECT_EQ(files.used_bytes(), 6U);
  files.restore(nullptr);
  EXPECT_FALSE(*files.exists("/kept"));
  EXPECT_EQ(files.used_bytes(), 0U);
}

TEST(SimFileSystem, MisdirectedReadGivesAnotherPlaceOnceAndHarmsNothing) {
  SimFileSystem files;
  holdfast::testing::SeededRandom random(5);
  auto file = files.open("/file", OpenMode::kCreateNew);
  ASSERT_TRUE(file);
  Bytes content(64 * 512);
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<Byte>(i / 512);
  ASSERT_TRUE((*file)->write_at(0, {content}));
  files.misdirect_read(random);
  Bytes sector(512);
  ASSERT_TRUE((*file)->read_at(0, sector));
  EXPECT_NE(sector[0], 0);
  EXPECT_EQ(files.faults(), 1U);
  ASSERT_TRUE((*file)->read_at(0, sector));
  EXPECT_EQ(sector[0], 0);
}

TEST(SimFileSystem, MisdirectedWriteGoesElsewhereAndLeavesTheFileAsLong) {
  SimFileSystem files;
  holdfast::testing::SeededRandom random(5);
  auto file = files.open("/file", OpenMode::kCreateNew);
  ASSERT_TRUE(file);
  ASSERT_TRUE((*file)->write_at(0, {Bytes(64 * 512, 1)}));
  files.misdirect_write(random);
  ASSERT_TRUE((*file)->write_at(64 * 512, {Bytes(512, 2)}));
  EXPECT_EQ(*(*file)->size(), 65U * 512);
  Bytes content(65 * 512);
  ASSERT_TRUE((*file)->read_at(0, content));
  EXPECT_EQ(content.back(), 0);
  EXPECT_EQ(std::count(content.begin(), content.end(), Byte{2}), 512);
}

}  // namespace
}  // namespace simulation
}  // namespace holdfast
