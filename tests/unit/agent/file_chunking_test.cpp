// Files that are not what they were when they were scanned.
#include "agent/file_chunking.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/testing/seed.h"
#include "tests/testing/test_repository.h"

namespace holdfast::agent {
namespace {

// One file, of which a test says how much there is to read and what it is by then.
class OneFile final : public SourceTree {
 public:
  std::uint64_t content = 0;  // bytes
  std::optional<Entry> now;
  std::size_t reads = 0;

  Status scan(const std::function<bool(Entry&&)>&,
              const std::function<void(ScanProblem&&)>&) override {
    return {};
  }
  Status describe(Entry& entry) override {
    entry.user = "ann";
    return {};
  }
  Result<std::unique_ptr<ContentReader>> open(const Entry&) override {
    return std::unique_ptr<ContentReader>(std::make_unique<Reader>(*this));
  }

 private:
  class Reader final : public ContentReader {
   public:
    explicit Reader(OneFile& file) : file_(file) {}
    Result<std::size_t> read(MutableByteView out) override {
      ++file_.reads;
      const auto got = std::min<std::uint64_t>(out.size(), file_.content - at_);
      for (std::uint64_t i = 0; i < got; ++i) out[i] = static_cast<Byte>((at_ + i) * 37 >> 3);
      at_ += got;
      return static_cast<std::size_t>(got);
    }
    Result<std::optional<Entry>> changed_since(const Entry&) override { return file_.now; }

   private:
    OneFile& file_;
    std::uint64_t at_ = 0;
  };
};

constexpr std::size_t kPiece = 64 << 10;

class FileChunking : public ::testing::Test {
 protected:
  Entry scanned(std::uint64_t size) const {
    Entry entry;
    entry.path = "home/ann/log";
    entry.mode = 0100644;
    entry.size = size;
    entry.mtime = {5, 0};
    entry.xattrs = {{"user.a", "b"}};
    return entry;
  }
  // What a small and a large file of this size become.
  std::vector<CutFile> cut(std::uint64_t size) {
    CutPiece piece = cut_small_files(context_, {scanned(size)});
    std::vector<CutFile> files{std::move(piece.files.at(0))};
    std::uint64_t bytes = 0;
    for (const CutChunk& chunk : piece.chunks) bytes += chunk.length;
    EXPECT_EQ(bytes, files[0].entry.size);
    files.push_back(cut_large(size));
    return files;
  }
  CutFile cut_large(std::uint64_t size) {
    LargeFile file(scanned(size), kPiece);
    std::uint64_t bytes = 0;
    for (pieces_ = 1;; ++pieces_) {
      const LargeFile::Piece piece = file.next(context_);
      for (const CutChunk& chunk : piece.chunks) bytes += chunk.length;
      if (piece.last) break;
    }
    EXPECT_EQ(bytes, file.entry().size);
    return {0, 0, file.entry(), file.problem()};
  }

  holdfast::testing::TestRepository repository_{holdfast::testing::seed()};
  OneFile file_;
  content::Chunker chunker_ = *content::Chunker::create(repository_.group_key, {4096});
  format::ObjectIdentifier identifier_{repository_.group_key};
  CutContext context_{file_, chunker_, identifier_};
  std::size_t pieces_ = 0;  // of the last large file
};

TEST_F(FileChunking, AFileThatIsAsItWasScannedIsWhole) {
  file_.content = 200'000;
  for (const CutFile& file : cut(200'000)) {
    EXPECT_EQ(file.entry.condition, EntryCondition::kWhole);
    EXPECT_EQ(file.entry.size, 200'000U);
    EXPECT_EQ(file.entry.user, "ann");
  }
}

// A file system may give other than the size that it tells, before and after.
TEST_F(FileChunking, AFileThatGivesLessThanItsSizeIsMarkedThoughNothingElseOfItChanged) {
  file_.content = 150'000;
  for (const CutFile& file : cut(200'000)) {
    EXPECT_EQ(file.entry.condition, EntryCondition::kChangedWhileRead);
    EXPECT_EQ(file.entry.size, 150'000U) << "what a restore gives back";
    EXPECT_EQ(file.entry.mtime, (Timestamp{5, 0}));
  }
}

TEST_F(FileChunking, AFileThatGivesMoreThanItsSizeIsMarkedThoughNothingElseOfItChanged) {
  file_.content = 200'001;
  const auto files = cut(200'000);
  for (const CutFile& file : files)
    EXPECT_EQ(file.entry.condition, EntryCondition::kChangedWhileRead);
  EXPECT_EQ(files[0].entry.size, 200'000U) << "as far as it was";
  EXPECT_EQ(files[1].entry.size, 200'001U);
}

TEST_F(FileChunking, AFileOfTheSameSizeThatWasWrittenToIsMarkedAndSaysWhatItIsNow) {
  file_.content = 200'000;
  file_.now = Entry();
  file_.now->mode = 0100600;
  file_.now->size = 200'000;
  file_.now->mtime = {6, 0};
  for (const CutFile& file : cut(200'000)) {
    EXPECT_EQ(file.entry.condition, EntryCondition::kChangedWhileRead);
    EXPECT_EQ(file.entry.mtime, (Timestamp{6, 0}));
    EXPECT_EQ(file.entry.mode, 0100600U);
    EXPECT_EQ(file.entry.path, "home/ann/log");
    EXPECT_EQ(file.entry.user, "ann");
    EXPECT_EQ(file.entry.xattrs, scanned(0).xattrs);
  }
}

// A log that had grown since the scan was read a byte at a time for a whole piece: a million calls,
// each of which copied what was not cut yet.
TEST_F(FileChunking, AFileThatHadGrownWasReadByteForByte) {
  file_.content = 1'000'000'000;  // it never seems to end
  const CutFile file = cut_large(200'000);
  EXPECT_EQ(file.entry.condition, EntryCondition::kChangedWhileRead);
  EXPECT_GT(file.entry.size, 200'000U);
  EXPECT_LE(file.entry.size, 200'000U + kPiece + 1);
  EXPECT_LE(pieces_, 200'000 / kPiece + 3);
  EXPECT_EQ(file_.reads, pieces_);
}

}  // namespace
}  // namespace holdfast::agent
