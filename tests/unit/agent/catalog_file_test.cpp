#include "agent/catalog_file.h"

#include <gtest/gtest.h>

#include "common/base/endian.h"
#include "common/content/checksum.h"
#include "tests/simulation/sim_file_system.h"
#include "tests/testing/observed_files.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kTailSize = 16;  // see the grammar in catalog_file.cpp

class CatalogFile : public ::testing::Test {
 protected:
  CatalogFile() {
    ListObject list;
    list.id.bytes[0] = 7;
    list.kind = ListKind::kChunkList;
    list.refs.resize(2);
    list.payload = encode_chunk_list(std::vector<std::uint32_t>{3, 4});
    objects_ = {list, list};
    objects_[1].id.bytes[0] = 8;
    root_.bytes[0] = 9;
    auto writer = CatalogFileWriter::create(files_, kPath).value();
    for (const ListObject& object : objects_) EXPECT_TRUE(writer.add(object));
    EXPECT_TRUE(writer.finish(root_, manifest_));
    good_ = to_bytes(as_text(read_file(files_, kPath, 1 << 20).value()));
  }
  void write(const Bytes& content) { EXPECT_TRUE(write_file_atomically(files_, kPath, content)); }
  // Makes the trailer's checksum match what it holds.
  static void seal(Bytes& content, std::size_t trailer_size) {
    const ByteView trailer = ByteView(content).last(trailer_size);
    store_le(content.data() + content.size() - 8,
             content::checksum64(trailer.first(trailer_size - 8)));
  }
  std::size_t trailer_size() const { return ObjectId::kSize + manifest_.size() + kTailSize; }
  std::string refusal_to_open() {
    const auto reader = CatalogFileReader::open(files_, kPath);
    if (reader) return "none";
    EXPECT_EQ(reader.error().code(), Code::kCorrupt);
    return reader.error().message();
  }
  // Of the first object that is not given.
  std::string refusal_to_read() {
    auto reader = CatalogFileReader::open(files_, kPath);
    if (!reader) return "to open: " + reader.error().message();
    for (;;) {
      const auto object = reader->next();
      if (!object) return object.error().message();
      if (!*object) return "none";
    }
  }

  static constexpr const char* kPath = "/catalog";
  simulation::SimFileSystem files_;
  std::vector<ListObject> objects_;
  ObjectId root_;
  Bytes manifest_{1, 2, 3};
  Bytes good_;
};

TEST_F(CatalogFile, GivesBackWhatWasWritten) {
  auto reader = CatalogFileReader::open(files_, kPath);
  ASSERT_TRUE(reader) << reader.error().message();
  EXPECT_EQ(reader->root(), root_);
  EXPECT_EQ(reader->signed_manifest(), manifest_);
  for (int round = 0; round < 2; ++round) {
    for (const ListObject& object : objects_) {
      const auto next = reader->next();
      ASSERT_TRUE(next && *next);
      EXPECT_EQ(**next, object);
    }
    EXPECT_EQ(reader->next().value(), std::nullopt);
    reader->rewind();
  }
}

TEST_F(CatalogFile, ReplacesWhatIsAtItsPath) {
  auto writer = CatalogFileWriter::create(files_, kPath).value();
  ASSERT_TRUE(writer.finish(root_, {}));
  EXPECT_EQ(refusal_to_read(), "none");
  EXPECT_LT(read_file(files_, kPath, 1 << 20).value().size(), good_.size());
}

TEST_F(CatalogFile, CutShortAnywhereIsNotTakenForAWholeOne) {
  for (std::size_t size = 0; size < good_.size(); ++size) {
    write({good_.begin(), good_.begin() + static_cast<std::ptrdiff_t>(size)});
    EXPECT_NE(refusal_to_open(), "none") << size;
  }
}

TEST_F(CatalogFile, WithAnyByteChangedIsRecognised) {
  for (std::size_t i = 0; i < good_.size(); ++i) {
    if (i >= 8 && i < 16) continue;  // reserved
    Bytes changed = good_;
    changed[i] ^= 0x40;
    write(changed);
    EXPECT_NE(refusal_to_read(), "none") << i;
  }
}

// Nothing compared what the file begins with.
TEST_F(CatalogFile, OfAnotherVersionWasReadAsIfOfThis) {
  Bytes another = good_;
  another[7] = '2';
  write(another);
  EXPECT_EQ(refusal_to_open(), "catalog file: it is none, or of another version");
}

TEST_F(CatalogFile, WhoseLengthsCannotBeIsRefusedBeforeAnythingIsAllocated) {
  const std::size_t end = good_.size();
  for (const std::uint32_t manifest_size : {~0U, 1U << 20, std::uint32_t(end)}) {
    Bytes content = good_;
    store_le(content.data() + end - kTailSize, manifest_size);
    write(content);
    EXPECT_EQ(refusal_to_open(), "catalog file: it was not finished") << manifest_size;
  }
  // Of the first object: kind, number of refs, length of the payload.
  for (const std::size_t field : {std::size_t{0}, std::size_t{4}, std::size_t{8}}) {
    Bytes content = good_;
    store_le(content.data() + 16 + field, ~0U);
    write(content);
    EXPECT_EQ(refusal_to_read(), "catalog file: malformed object") << field;
  }
  Bytes content = good_;
  store_le(content.data() + 16, std::uint32_t{0});
  write(content);
  EXPECT_EQ(refusal_to_read(), "catalog file: malformed object");
  content = good_;
  store_le(content.data() + 16 + 8, std::uint32_t{1} << 20);
  write(content);
  EXPECT_EQ(refusal_to_read(), "catalog file: an object reaches beyond its end");
}

TEST_F(CatalogFile, WhoseEndWasChangedIsRefused) {
  Bytes content = good_;
  content[content.size() - trailer_size()] ^= 1;  // the root
  write(content);
  EXPECT_EQ(refusal_to_open(), "catalog file: its end does not match its checksum");
  seal(content, trailer_size());
  write(content);
  EXPECT_EQ(refusal_to_open(), "none") << "a checksum finds accidents, nothing else";
}

// The end was taken from memory that nobody had written.
TEST_F(CatalogFile, ThatBecomesShorterWhileItIsReadIsRefused) {
  for (int reads = 1;; ++reads) {
    write(good_);
    int left = reads;
    bool shortened = false;
    testing::ObservedFiles files(files_, [&](std::string_view call, const std::string&) -> Status {
      if (call != "read_at" || --left != 0) return {};
      shortened = true;
      HOLDFAST_ASSIGN(const auto file, files_.open(kPath, OpenMode::kReadWrite));
      return file->truncate(3);
    });
    auto reader = CatalogFileReader::open(files, kPath);
    const auto next = reader ? reader->next() : Result<std::optional<ListObject>>(reader.error());
    if (!shortened) {
      EXPECT_EQ(reads, 5);
      break;
    }
    ASSERT_FALSE(next);
    EXPECT_EQ(next.error().message(), "catalog file: it became shorter");
  }
}

TEST_F(CatalogFile, OfWhichALeafIsNoneGivesNoEntriesFromThereOn) {
  auto writer = CatalogFileWriter::create(files_, kPath).value();
  ListObject leaf = objects_[0];
  leaf.kind = ListKind::kLeaf;
  ASSERT_TRUE(writer.add(leaf));
  ASSERT_TRUE(writer.finish(root_, {}));
  auto file = CatalogFileReader::open(files_, kPath).value();
  CatalogEntryReader reader(file);
  EXPECT_EQ(reader.next().error().code(), Code::kCorrupt);
}

TEST_F(CatalogFile, ThatIsNotThereIsNotFound) {
  EXPECT_EQ(CatalogFileReader::open(files_, "/no").error().code(), Code::kNotFound);
}

}  // namespace
}  // namespace holdfast::agent
