#include "repository/posix/rocksdb_index.h"

#include <rocksdb/db.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "repository/posix/rocksdb_options.h"
#include "tests/conformance/object_index_conformance.h"
#include "tests/testing/failing_system_call.h"
#include "tests/unit/common/posix/temporary_folder.h"

namespace holdfast::repository {
namespace {

namespace fs = std::filesystem;

struct RocksDbIndexFixture {
  RocksDbIndexFixture() { reopen(); }
  ObjectIndex& index() { return *index_; }
  void reopen() {
    index_.reset();
    auto opened = RocksDbIndex::open(folder_.path() + "/index");
    check(opened.has_value(), "the index cannot be opened");
    index_ = std::move(opened).value();
  }
  TemporaryFolder folder_;
  std::unique_ptr<RocksDbIndex> index_;
};
INSTANTIATE_TYPED_TEST_SUITE_P(RocksDb, ObjectIndexConformance, RocksDbIndexFixture);

class RocksDbIndexTest : public ::testing::Test {
 protected:
  std::string path() { return folder_.path() + "/index"; }
  std::unique_ptr<RocksDbIndex> open() {
    auto opened = RocksDbIndex::open(path());
    check(opened.has_value(), "the index cannot be opened");
    return std::move(opened).value();
  }
  static Status fill(RocksDbIndex& index, std::uint64_t seed, int count = 5000) {
    testing::SeededRandom random(seed);
    std::vector<ObjectIndex::Put> puts(static_cast<std::size_t>(count));
    for (auto& put : puts) random.fill(put.id.bytes);
    return index.write(puts, {}, {}, {1, seed});
  }
  std::vector<fs::path> files(const std::string& prefix, const std::string& suffix) {
    std::vector<fs::path> found;
    for (const auto& file : fs::directory_iterator(path())) {
      const std::string name = file.path().filename();
      if (name.starts_with(prefix) && name.ends_with(suffix)) found.push_back(file.path());
    }
    return found;
  }
  static void overwrite(const fs::path& file, std::streamoff offset, std::string_view bytes) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(offset);
    stream << bytes;
  }
  TemporaryFolder folder_;
};

TEST_F(RocksDbIndexTest, WithoutRoomItIsReadAndTakesWritesOnceThereIsSome) {
  ASSERT_TRUE(fill(*open(), 7));
  ASSERT_TRUE(open()->flush());
  RocksDbLimits full;
  full.room_bytes = ~std::uint64_t{0};
  auto index = RocksDbIndex::open(path(), full);
  ASSERT_TRUE(index) << index.error().message();
  const auto before = files("", "").size();
  EXPECT_EQ((*index)->checkpoint().value(), (Checkpoint{1, 7}));
  EXPECT_GT((*index)->approximate_count().value(), 4000U);
  EXPECT_EQ(fill(**index, 8).error().code(), Code::kNoSpace);
  EXPECT_EQ((*index)->flush().error().code(), Code::kNoSpace);
  EXPECT_EQ((*index)->checkpoint().value(), (Checkpoint{1, 7}));
  EXPECT_EQ(files("", "").size(), before);  // nothing was written
  index->reset();

  auto roomy = open();
  ASSERT_TRUE(fill(*roomy, 9));
  EXPECT_EQ(roomy->checkpoint().value(), (Checkpoint{1, 9}));
}

// The files as they are while the index is open are what a process that is killed leaves.
TEST_F(RocksDbIndexTest, AKilledProcessLosesWhatWasNotFlushedAndNothingElse) {
  auto index = open();
  ASSERT_TRUE(fill(*index, 1));
  ASSERT_TRUE(index->flush());
  ASSERT_TRUE(fill(*index, 2));
  fs::copy(path(), folder_.path() + "/left");
  auto left = RocksDbIndex::open(folder_.path() + "/left");
  ASSERT_TRUE(left) << left.error().message();
  const auto checkpoint = (*left)->checkpoint();
  ASSERT_TRUE(checkpoint) << checkpoint.error().message();
  EXPECT_EQ(*checkpoint, (Checkpoint{1, 1}));
  EXPECT_EQ((*left)->approximate_count().value(), 5001u);  // and the checkpoint
}

TEST_F(RocksDbIndexTest, ASecondOpeningIsAConflict) {
  auto index = open();
  const auto second = RocksDbIndex::open(path());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Code::kConflict) << second.error().message();
}

TEST_F(RocksDbIndexTest, AFolderThatCannotBeMadeIsNoDamage) {
  const auto opened = RocksDbIndex::open("/proc/holdfast/no/index");
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().code(), Code::kCorrupt) << opened.error().message();
}

TEST_F(RocksDbIndexTest, ADamagedManifestIsFoundAtOpeningAndClearMakesItAnew) {
  ASSERT_TRUE(fill(*open(), 1));
  ASSERT_TRUE(open()->flush());
  ASSERT_FALSE(files("MANIFEST", "").empty());
  overwrite(files("MANIFEST", "")[0], 10, "damage");
  auto index = open();
  const ObjectId id{{1}};
  const auto all = [](const ObjectId&, const ObjectEntry&) { return true; };
  const auto notes = [](std::string_view, ByteView) { return true; };
  EXPECT_EQ(index->checkpoint().error().code(), Code::kCorrupt);
  EXPECT_EQ(index->get({&id, 1}).error().code(), Code::kCorrupt);
  EXPECT_EQ(index->for_each(all).error().code(), Code::kCorrupt);
  EXPECT_EQ(index->for_each_note("", notes).error().code(), Code::kCorrupt);
  EXPECT_EQ(index->approximate_count().error().code(), Code::kCorrupt);
  EXPECT_EQ(fill(*index, 2).error().code(), Code::kCorrupt);
  EXPECT_EQ(index->flush().error().code(), Code::kCorrupt);
  ASSERT_TRUE(index->clear());
  EXPECT_EQ(index->checkpoint().value(), Checkpoint{});
  ASSERT_TRUE(fill(*index, 2));
}

TEST_F(RocksDbIndexTest, AMissingTableIsDamage) {
  {
    auto index = open();
    ASSERT_TRUE(fill(*index, 1));
    ASSERT_TRUE(index->flush());
  }
  ASSERT_FALSE(files("", ".sst").empty());
  fs::remove(files("", ".sst")[0]);
  auto index = open();
  EXPECT_EQ(index->checkpoint().error().code(), Code::kCorrupt);
  ASSERT_TRUE(index->clear());
  EXPECT_EQ(index->checkpoint().value(), Checkpoint{});
}

TEST_F(RocksDbIndexTest, ABlockFoundDamagedWhileReadingIsRememberedOverRestarts) {
  {
    auto index = open();
    ASSERT_TRUE(fill(*index, 1));
    ASSERT_TRUE(index->flush());
  }
  for (const auto& table : files("", ".sst")) overwrite(table, 5000, "damage in a data block");
  {
    auto index = open();
    const Status scanned =
        index->for_each([](const ObjectId&, const ObjectEntry&) { return true; });
    ASSERT_FALSE(scanned);
    EXPECT_EQ(scanned.error().code(), Code::kCorrupt);
    EXPECT_EQ(index->checkpoint().error().code(), Code::kCorrupt);
  }
  auto index = open();
  EXPECT_EQ(index->checkpoint().error().code(), Code::kCorrupt);
  ASSERT_TRUE(index->clear());
  EXPECT_EQ(index->checkpoint().value(), Checkpoint{});
  index.reset();
  EXPECT_EQ(open()->checkpoint().value(), Checkpoint{});
}

// Files of this process may be no larger than so many bytes; whatever thread writes them.
class SmallFiles {
 public:
  explicit SmallFiles(rlim_t most) : handler_(::signal(SIGXFSZ, SIG_IGN)) {
    check(::getrlimit(RLIMIT_FSIZE, &before_) == 0, "getrlimit");
    const rlimit small{most, before_.rlim_max};
    check(::setrlimit(RLIMIT_FSIZE, &small) == 0, "setrlimit");
  }
  ~SmallFiles() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }
  SmallFiles(const SmallFiles&) = delete;
  SmallFiles& operator=(const SmallFiles&) = delete;

 private:
  rlimit before_{};
  const sighandler_t handler_;
};

// RocksDB goes on after a full disk alone; what else a disk refused leaves the index as it was when
// it was last flushed, and whoever opens it next finds it so.
TEST_F(RocksDbIndexTest, WhatTheDiskRefusesToTakeIsAnErrorUntilItIsOpenedAnew) {
  {
    auto index = open();
    ASSERT_TRUE(fill(*index, 1));
    ASSERT_TRUE(index->flush());
    ASSERT_TRUE(fill(*index, 2));
    {
      const SmallFiles limit(4096);
      for (int attempt = 0; attempt < 2; ++attempt) {
        const Status flushed = index->flush();
        ASSERT_FALSE(flushed);
        EXPECT_EQ(flushed.error().code(), Code::kIo) << flushed.error().message();
      }
    }
    EXPECT_FALSE(fill(*index, 3)) << "what was not taken is forgotten";
    EXPECT_FALSE(index->flush());
    EXPECT_TRUE(index->approximate_count()) << "it is read all the same";
  }
  auto index = open();
  EXPECT_EQ(index->checkpoint().value(), (Checkpoint{1, 1}));
  EXPECT_TRUE(fill(*index, 4) && index->flush());
}

bool before_long(const std::function<bool()>& holds) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST_F(RocksDbIndexTest, ADiskThatFillsUpIsAnErrorAndGoesOnOnceThereIsRoom) {
  const std::string disk = folder_.path() + "/disk";
  ASSERT_TRUE(fs::create_directory(disk));
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=32m") != 0) GTEST_SKIP() << "needs root";
  {
    auto opened = RocksDbIndex::open(disk + "/index", {.room_bytes = 0});
    ASSERT_TRUE(opened) << opened.error().message();
    RocksDbIndex& index = **opened;
    ASSERT_TRUE(fill(index, 1));
    std::ofstream ballast(disk + "/ballast");
    while (ballast << std::string(1 << 16, 'x') << std::flush) {
    }
    EXPECT_EQ(index.flush().error().code(), Code::kNoSpace);
    EXPECT_EQ(index.flush().error().code(), Code::kNoSpace);
    fs::remove(disk + "/ballast");
    ballast.close();
    // RocksDB looks for room every five seconds.
    ASSERT_TRUE(before_long([&] { return fill(index, 2).has_value(); }));
    ASSERT_TRUE(before_long([&] { return index.flush().has_value(); }));
  }
  {
    const auto index = RocksDbIndex::open(disk + "/index", {.room_bytes = 0}).value();
    EXPECT_EQ(index->checkpoint().value(), (Checkpoint{1, 2}));
    std::size_t count = 0;
    ASSERT_TRUE(index->for_each([&](const ObjectId&, const ObjectEntry&) { return ++count > 0; }));
    EXPECT_EQ(count, 10'000U);
  }
  ASSERT_EQ(::umount(disk.c_str()), 0);
}

class RefusedRocksDbIndex : public RocksDbIndexTest {
 protected:
  RefusedRocksDbIndex() {
    auto index = open();  // RocksDB's own threads begin here, where nothing is refused
    check(fill(*index, 7).has_value() && index->flush().has_value(), "fill");
  }
  static void refuse(const std::vector<long>& calls, int error, const std::function<void()>& work) {
    ASSERT_TRUE(testing::with_failing_system_calls(calls, error, work));
  }
  // An error, of which nothing is left once it is over.
  void expect_refusal(const std::vector<long>& calls, int error, Code code) {
    refuse(calls, error, [&] {
      const auto opened = RocksDbIndex::open(path());
      ASSERT_FALSE(opened);
      EXPECT_EQ(opened.error().code(), code) << opened.error().message();
    });
    EXPECT_EQ(open()->checkpoint().value(), (Checkpoint{1, 7}));
  }
};

TEST_F(RefusedRocksDbIndex, OpeningThatFailsIsNoDamage) {
  expect_refusal({SYS_openat}, EACCES, Code::kPermissionDenied);
  expect_refusal({SYS_openat}, EMFILE, Code::kIo);
  expect_refusal({SYS_openat}, EIO, Code::kIo);
  expect_refusal({SYS_openat}, ENOSPC, Code::kNoSpace);
  expect_refusal({SYS_fcntl}, EAGAIN, Code::kConflict);
}

TEST_F(RefusedRocksDbIndex, ADiskThatIsFullAtOpeningIsReadAllTheSame) {
  refuse({SYS_write, SYS_pwrite64}, ENOSPC, [&] {
    const auto opened = RocksDbIndex::open(path());
    ASSERT_TRUE(opened) << opened.error().message();
    EXPECT_EQ((*opened)->checkpoint().value(), (Checkpoint{1, 7}));
    EXPECT_EQ(fill(**opened, 8).error().code(), Code::kNoSpace);
    EXPECT_EQ((*opened)->flush().error().code(), Code::kNoSpace);
  });
  auto index = open();
  EXPECT_TRUE(fill(*index, 9));
}

TEST_F(RefusedRocksDbIndex, ClearingThatFailsSaysSoAndIsDoneTheNextTime) {
  auto index = open();
  refuse({SYS_unlink, SYS_unlinkat, SYS_rmdir}, EACCES, [&] {
    const Status cleared = index->clear();
    ASSERT_FALSE(cleared);
    EXPECT_NE(cleared.error().message().find("cannot clear"), std::string::npos);
  });
  EXPECT_EQ(index->checkpoint().error().code(), Code::kCorrupt) << "neither old nor new";
  refuse({SYS_mkdir, SYS_mkdirat}, EACCES, [&] { EXPECT_FALSE(index->clear()); });
  EXPECT_EQ(index->checkpoint().error().code(), Code::kCorrupt);
  ASSERT_TRUE(index->clear());
  EXPECT_EQ(index->checkpoint().value(), Checkpoint{});
}

// Checksums say nothing of what was written wrong, or by another version.
TEST_F(RocksDbIndexTest, AValueThatIsNoneIsDamageWhoeverReadsIt) {
  const ObjectId id{{1}};
  const std::vector<std::pair<const char*, std::function<Code(RocksDbIndex&)>>> readers = {
      {"o",
       [&](auto& index) {
         return index.get({&id, 1}).error().code();
       }},
      {"o",
       [](auto& index) {
         return index.for_each([](const auto&, const auto&) { return true; }).error().code();
       }},
      {"c", [](auto& index) { return index.checkpoint().error().code(); }},
  };
  for (const auto& [kind, read] : readers) {
    {
      const ObjectIndex::Put put{id, {}};
      auto index = open();
      ASSERT_TRUE(index->write({&put, 1}, {}, {}, {1, 2}));
      ASSERT_TRUE(index->flush());
    }
    rocksdb::DB* opened = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(rocksdb_options({}), path(), &opened).ok());
    std::unique_ptr<rocksdb::DB> database(opened);
    std::unique_ptr<rocksdb::Iterator> at(database->NewIterator({}));
    at->Seek(kind);
    ASSERT_TRUE(at->Valid());
    ASSERT_TRUE(database->Put({}, at->key(), "short").ok());
    at.reset();
    database.reset();
    {
      auto index = open();
      EXPECT_EQ(read(*index), Code::kCorrupt) << kind;
    }
    auto index = open();
    EXPECT_EQ(index->checkpoint().error().code(), Code::kCorrupt) << "it was remembered";
    ASSERT_TRUE(index->clear());
  }
}

}  // namespace
}  // namespace holdfast::repository
