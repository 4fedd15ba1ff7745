#include "repository/posix/rocksdb_index.h"

#include <rocksdb/db.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "repository/posix/rocksdb_options.h"
#include "tests/conformance/object_index_conformance.h"
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
  EXPECT_EQ(index->checkpoint().error().code(), Code::kCorrupt);
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
