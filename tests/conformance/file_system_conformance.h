// What every FileSystem must do, whatever it is made of. To run it for an implementation:
//
//   struct MyFileSystemFixture {            // made anew for each test
//     FileSystem& files();
//     std::string root();                   // an existing, empty folder of its own
//   };
//   INSTANTIATE_TYPED_TEST_SUITE_P(My, FileSystemConformance, MyFileSystemFixture);
//
// Crashes are not part of it: what survives one is the business of the simulated file system.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/ports/file_system.h"

namespace holdfast {

template <typename Fixture>
class FileSystemConformance : public ::testing::Test {
 protected:
  FileSystem& files() { return fixture_.files(); }
  std::string path(const std::string& name) { return fixture_.root() + "/" + name; }

  std::unique_ptr<File> create(const std::string& name, std::string_view content = {}) {
    auto file = files().open(path(name), OpenMode::kCreateNew);
    if (!file) {
      ADD_FAILURE() << file.error().message();
      return nullptr;
    }
    const Status written = (*file)->write_at(0, {as_bytes(content)});
    EXPECT_TRUE(written.has_value());
    return std::move(file).value();
  }
  std::string content(const std::string& name) {
    auto bytes = read_file(files(), path(name), 1 << 20);
    return bytes ? to_string(*bytes) : "error: " + bytes.error().message();
  }
  std::vector<std::string> names(const std::string& folder) {
    auto entries = files().list(folder);
    if (!entries) return {"error: " + entries.error().message()};
    std::vector<std::string> all;
    for (const DirectoryEntry& entry : *entries)
      all.push_back(entry.name + (entry.is_directory ? "/" : ""));
    return all;
  }

 private:
  Fixture fixture_;
};

template <typename T>
Code code_of(const Result<T>& result) {
  EXPECT_FALSE(result.has_value());
  return result.has_value() ? Code::kInterrupted : result.error().code();
}

TYPED_TEST_SUITE_P(FileSystemConformance);

TYPED_TEST_P(FileSystemConformance, WrittenBytesAreReadBackAtTheirOffset) {
  auto file = this->create("f", "hello world");
  Bytes out(5);
  EXPECT_EQ(file->read_at(6, out).value(), 5u);
  EXPECT_EQ(as_text(out), "world");
}

TYPED_TEST_P(FileSystemConformance, ReadsAreShortOnlyAtTheEnd) {
  auto file = this->create("f", "hello");
  Bytes out(10);
  EXPECT_EQ(file->read_at(3, out).value(), 2u);
  EXPECT_EQ(file->read_at(5, out).value(), 0u);
  EXPECT_EQ(file->read_at(500, out).value(), 0u);
  EXPECT_EQ(file->read_at(0, MutableByteView()).value(), 0u);
}

TYPED_TEST_P(FileSystemConformance, PartsAreWrittenOneBehindTheOther) {
  auto file = this->create("f", "0123456789");
  ASSERT_TRUE(file->write_at(2, {as_bytes("ab"), {}, as_bytes("c"), as_bytes("def")}));
  EXPECT_EQ(this->content("f"), "01abcdef89");
  ASSERT_TRUE(file->write_at(4, {}));
  ASSERT_TRUE(file->write_at(4, {ByteView(), ByteView()}));
  EXPECT_EQ(this->content("f"), "01abcdef89");
}

TYPED_TEST_P(FileSystemConformance, ManyPartsAreWrittenWhole) {
  // More than one system call takes (IOV_MAX is 1024), of changing sizes.
  std::string expected;
  std::vector<std::string> pieces;
  for (int i = 0; i < 3000; ++i)
    pieces.emplace_back(static_cast<std::size_t>(i % 7), char('a' + i % 26));
  std::vector<ByteView> parts;
  for (const std::string& piece : pieces) {
    parts.push_back(as_bytes(piece));
    expected += piece;
  }
  auto file = this->create("f");
  ASSERT_TRUE(file->write_at(0, parts));
  EXPECT_EQ(this->content("f"), expected);
}

TYPED_TEST_P(FileSystemConformance, WritingBeyondTheEndFillsWithZeros) {
  auto file = this->create("f", "ab");
  ASSERT_TRUE(file->write_at(4, {as_bytes("c")}));
  EXPECT_EQ(this->content("f"), std::string("ab\0\0c", 5));
  EXPECT_EQ(file->size().value(), 5u);
}

TYPED_TEST_P(FileSystemConformance, TruncateCutsAndExtendsWithZeros) {
  auto file = this->create("f", "abcdef");
  ASSERT_TRUE(file->truncate(2));
  EXPECT_EQ(this->content("f"), "ab");
  ASSERT_TRUE(file->truncate(4));
  EXPECT_EQ(this->content("f"), std::string("ab\0\0", 4));
}

TYPED_TEST_P(FileSystemConformance, SyncingWritingBackAndForgettingKeepTheContent) {
  auto file = this->create("f", "abc");
  file->start_writeback(0, 3);
  file->start_writeback(0, 0);
  file->start_writeback(100, 1000);
  EXPECT_TRUE(file->sync_data());
  EXPECT_TRUE(file->forget_cached());
  EXPECT_EQ(this->content("f"), "abc");
  // Of what is not on the device yet nothing is lost.
  ASSERT_TRUE(file->write_at(2, {as_bytes("d")}));
  EXPECT_TRUE(file->forget_cached());
  EXPECT_EQ(this->content("f"), "abd");
}

TYPED_TEST_P(FileSystemConformance, OffsetsBeyondAnyFileAreRefused) {
  auto file = this->create("f", "abc");
  Bytes out(1);
  EXPECT_EQ(code_of(file->read_at(~std::uint64_t{0}, out)), Code::kInvalidArgument);
  EXPECT_EQ(code_of(file->write_at(~std::uint64_t{0}, {as_bytes("x")})), Code::kInvalidArgument);
  EXPECT_EQ(code_of(file->truncate(~std::uint64_t{0})), Code::kInvalidArgument);
  EXPECT_EQ(this->content("f"), "abc");
}

TYPED_TEST_P(FileSystemConformance, OpeningWhatIsNotThereIsNotFound) {
  EXPECT_EQ(code_of(this->files().open(this->path("f"), OpenMode::kRead)), Code::kNotFound);
  EXPECT_EQ(code_of(this->files().open(this->path("f"), OpenMode::kReadWrite)), Code::kNotFound);
  EXPECT_EQ(code_of(this->files().open(this->path("no/f"), OpenMode::kCreateNew)), Code::kNotFound);
}

TYPED_TEST_P(FileSystemConformance, CreateNewNeverOpensAnExistingFile) {
  this->create("f", "abc");
  EXPECT_EQ(code_of(this->files().open(this->path("f"), OpenMode::kCreateNew)),
            Code::kAlreadyExists);
  EXPECT_EQ(this->content("f"), "abc");
}

TYPED_TEST_P(FileSystemConformance, AFolderIsNotOpenedAsAFile) {
  ASSERT_TRUE(this->files().make_directory(this->path("d")));
  EXPECT_EQ(code_of(this->files().open(this->path("d"), OpenMode::kRead)), Code::kInvalidArgument);
  EXPECT_EQ(code_of(this->files().open(this->path("d"), OpenMode::kReadWrite)),
            Code::kInvalidArgument);
}

TYPED_TEST_P(FileSystemConformance, AFileOpenedForReadingCannotBeWritten) {
  this->create("f", "abc");
  auto file = this->files().open(this->path("f"), OpenMode::kRead);
  ASSERT_TRUE(file);
  EXPECT_FALSE((*file)->write_at(0, {as_bytes("x")}));
  EXPECT_EQ(this->content("f"), "abc");
}

TYPED_TEST_P(FileSystemConformance, SeveralHandlesSeeOneFile) {
  auto writer = this->create("f", "abc");
  auto reader = this->files().open(this->path("f"), OpenMode::kRead);
  ASSERT_TRUE(reader);
  ASSERT_TRUE(writer->write_at(1, {as_bytes("X")}));
  Bytes out(3);
  EXPECT_EQ((*reader)->read_at(0, out).value(), 3u);
  EXPECT_EQ(as_text(out), "aXc");
}

TYPED_TEST_P(FileSystemConformance, AnOpenFileOutlivesItsName) {
  auto file = this->create("f", "abc");
  ASSERT_TRUE(this->files().remove(this->path("f")));
  EXPECT_FALSE(this->files().exists(this->path("f")).value());
  Bytes out(3);
  EXPECT_EQ(file->read_at(0, out).value(), 3u);
}

TYPED_TEST_P(FileSystemConformance, RenameReplacesWhatIsThere) {
  this->create("from", "new");
  this->create("to", "old");
  ASSERT_TRUE(this->files().rename(this->path("from"), this->path("to")));
  EXPECT_EQ(this->content("to"), "new");
  EXPECT_FALSE(this->files().exists(this->path("from")).value());
}

TYPED_TEST_P(FileSystemConformance, RenameOfNothingIsNotFoundAndKeepsTheTarget) {
  this->create("to", "old");
  EXPECT_EQ(code_of(this->files().rename(this->path("from"), this->path("to"))), Code::kNotFound);
  EXPECT_EQ(this->content("to"), "old");
}

TYPED_TEST_P(FileSystemConformance, AFolderIsRenamedWithWhatItHolds) {
  ASSERT_TRUE(this->files().make_directory(this->path("d")));
  this->create("d/f", "abc");
  ASSERT_TRUE(this->files().rename(this->path("d"), this->path("e")));
  EXPECT_EQ(this->content("e/f"), "abc");
  EXPECT_FALSE(this->files().exists(this->path("d")).value());
}

TYPED_TEST_P(FileSystemConformance, RemoveTakesFilesAndEmptyFoldersOnly) {
  ASSERT_TRUE(this->files().make_directory(this->path("d")));
  this->create("d/f");
  EXPECT_EQ(code_of(this->files().remove(this->path("d"))), Code::kAlreadyExists);  // not empty
  ASSERT_TRUE(this->files().remove(this->path("d/f")));
  ASSERT_TRUE(this->files().remove(this->path("d")));
  EXPECT_EQ(code_of(this->files().remove(this->path("d"))), Code::kNotFound);
}

TYPED_TEST_P(FileSystemConformance, MakeDirectoryNeedsAFreeNameAndAParent) {
  this->create("f");
  ASSERT_TRUE(this->files().make_directory(this->path("d")));
  EXPECT_EQ(code_of(this->files().make_directory(this->path("d"))), Code::kAlreadyExists);
  EXPECT_EQ(code_of(this->files().make_directory(this->path("f"))), Code::kAlreadyExists);
  EXPECT_EQ(code_of(this->files().make_directory(this->path("no/d"))), Code::kNotFound);
}

TYPED_TEST_P(FileSystemConformance, ListIsSortedAndTellsFoldersFromFiles) {
  for (const char* name : {"b", "a", "aa", "B", "a-"}) this->create(name);
  ASSERT_TRUE(this->files().make_directory(this->path("ab")));
  EXPECT_EQ(this->names(this->path(".")),
            (std::vector<std::string>{"B", "a", "a-", "aa", "ab/", "b"}));
  EXPECT_EQ(this->names(this->path("ab")), std::vector<std::string>{});
}

TYPED_TEST_P(FileSystemConformance, ListOfNoFolderIsNotFound) {
  this->create("f");
  EXPECT_EQ(code_of(this->files().list(this->path("no"))), Code::kNotFound);
  EXPECT_EQ(code_of(this->files().list(this->path("f"))), Code::kNotFound);
}

TYPED_TEST_P(FileSystemConformance, ExistsSeesFilesAndFoldersAndNothingElse) {
  this->create("f");
  ASSERT_TRUE(this->files().make_directory(this->path("d")));
  EXPECT_TRUE(this->files().exists(this->path("f")).value());
  EXPECT_TRUE(this->files().exists(this->path("d")).value());
  EXPECT_FALSE(this->files().exists(this->path("x")).value());
  EXPECT_FALSE(this->files().exists(this->path("f/x")).value());
}

TYPED_TEST_P(FileSystemConformance, SyncDirectoryNeedsAFolder) {
  this->create("f");
  ASSERT_TRUE(this->files().make_directory(this->path("d")));
  EXPECT_TRUE(this->files().sync_directory(this->path("d")));
  EXPECT_EQ(code_of(this->files().sync_directory(this->path("no"))), Code::kNotFound);
  EXPECT_EQ(code_of(this->files().sync_directory(this->path("f"))), Code::kNotFound);
}

TYPED_TEST_P(FileSystemConformance, ALockExcludesAnotherUntilItIsReleased) {
  auto first = this->files().lock(this->path("lock"));
  ASSERT_TRUE(first);
  EXPECT_EQ(code_of(this->files().lock(this->path("lock"))), Code::kConflict);
  EXPECT_TRUE(this->files().lock(this->path("other")));
  first->reset();
  EXPECT_TRUE(this->files().lock(this->path("lock")));
}

TYPED_TEST_P(FileSystemConformance, LockKeepsTheContentOfItsFile) {
  this->create("f", "abc");
  EXPECT_TRUE(this->files().lock(this->path("f")));
  EXPECT_EQ(this->content("f"), "abc");
}

TYPED_TEST_P(FileSystemConformance, FreeBytesIsAskedOfAFolderThatExists) {
  EXPECT_GT(this->files().free_bytes(this->path(".")).value(), 0u);
  EXPECT_EQ(code_of(this->files().free_bytes(this->path("no"))), Code::kNotFound);
}

TYPED_TEST_P(FileSystemConformance, PathsThatCannotBeAreRefused) {
  const std::string nul = this->path(std::string("a\0b", 3));
  this->create("a", "abc");
  EXPECT_EQ(code_of(this->files().open(nul, OpenMode::kRead)), Code::kInvalidArgument);
  EXPECT_EQ(code_of(this->files().open("", OpenMode::kRead)), Code::kInvalidArgument);
  FileSystem& files = this->files();
  EXPECT_EQ(code_of(files.remove(nul)), Code::kInvalidArgument);
  EXPECT_EQ(code_of(files.make_directory(nul)), Code::kInvalidArgument);
  EXPECT_EQ(code_of(files.rename(nul, this->path("b"))), Code::kInvalidArgument);
  EXPECT_EQ(code_of(files.rename(this->path("a"), nul)), Code::kInvalidArgument);
  EXPECT_EQ(code_of(files.rename_new(nul, this->path("b"))), Code::kInvalidArgument);
  EXPECT_EQ(code_of(files.rename_new(this->path("a"), nul)), Code::kInvalidArgument);
  EXPECT_EQ(code_of(files.sync_directory(nul)), Code::kInvalidArgument);
  EXPECT_EQ(code_of(files.list(nul)), Code::kInvalidArgument);
  EXPECT_EQ(code_of(files.exists(nul)), Code::kInvalidArgument);
  EXPECT_EQ(code_of(files.free_bytes(nul)), Code::kInvalidArgument);
  EXPECT_EQ(code_of(files.lock(nul)), Code::kInvalidArgument);
  EXPECT_EQ(this->content("a"), "abc");
  EXPECT_EQ(this->names(this->path(".")), std::vector<std::string>{"a"});
}

TYPED_TEST_P(FileSystemConformance, AFileLargerThanItMayBeIsNotRead) {
  this->create("f", "abcd");
  EXPECT_EQ(to_string(read_file(this->files(), this->path("f"), 4).value()), "abcd");
  const auto refused = read_file(this->files(), this->path("f"), 3);
  EXPECT_EQ(code_of(refused), Code::kInvalidArgument);
  EXPECT_EQ(code_of(read_file(this->files(), this->path("no"), 3)), Code::kNotFound);
}

TYPED_TEST_P(FileSystemConformance, ErrorsNameThePath) {
  const auto missing = this->files().open(this->path("some-name"), OpenMode::kRead);
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message().find("some-name"), std::string::npos);
}

TYPED_TEST_P(FileSystemConformance, AtomicWriteReplacesAndLeavesNoTemporary) {
  ASSERT_TRUE(write_file_atomically(this->files(), this->path("f"), as_bytes("one")));
  this->create("f.0123456789abcdef.new", "left by a crash");
  ASSERT_TRUE(write_file_atomically(this->files(), this->path("f"), as_bytes("two")));
  EXPECT_EQ(this->content("f"), "two");
  EXPECT_EQ(this->names(this->path(".")), std::vector<std::string>{"f"});
}

TYPED_TEST_P(FileSystemConformance, AtomicWriteThatFailsLeavesNoTemporary) {
  ASSERT_TRUE(this->files().make_directory(this->path("f")));
  EXPECT_FALSE(write_file_atomically(this->files(), this->path("f"), as_bytes("one")));
  EXPECT_EQ(this->names(this->path(".")), std::vector<std::string>{"f/"});
  EXPECT_EQ(code_of(write_file_atomically(this->files(), this->path("no/f"), as_bytes("one"))),
            Code::kNotFound);
}

TYPED_TEST_P(FileSystemConformance, AtomicWriteRemovesNothingButTemporariesOfItsFile) {
  const std::vector<std::string> others = {"f.0123456789ABCDEF.new",
                                           "f.0123456789abcde.new",
                                           "f.0123456789abcdef0.new",
                                           "f.0123456789abcdef.old",
                                           "f.new",
                                           "f_0123456789abcdef.new",
                                           "g.0123456789abcdef.new"};
  for (const std::string& name : others) this->create(name, "another's");
  ASSERT_TRUE(write_file_atomically(this->files(), this->path("f"), as_bytes("one")));
  EXPECT_EQ(this->names(this->path(".")).size(), others.size() + 1);
}

TYPED_TEST_P(FileSystemConformance, TemporaryPathsAreNeverGivenTwice) {
  const std::string path = this->path("f");
  std::set<std::string> given;
  for (int i = 0; i < 100; ++i) given.insert(this->files().temporary_path(path));
  EXPECT_EQ(given.size(), 100u);
  for (const std::string& temporary : given)
    EXPECT_THAT(temporary.substr(path.size()), ::testing::MatchesRegex("\\.[0-9a-f]{16}\\.new"));
}

// One that removes another's temporary file and makes its own under the same name has it moved into
// place before there is anything in it.
TYPED_TEST_P(FileSystemConformance, AnAtomicWriteMovedWhatAnotherHadJustBegunToWrite) {
  std::string theirs;
  const auto another_begins = [&](const std::string& temporary) -> Status {
    if (!theirs.empty()) return {};
    HOLDFAST_TRY(this->files().remove(temporary));
    theirs = this->files().temporary_path(this->path("f"));
    HOLDFAST_TRY(this->files().open(theirs, OpenMode::kCreateNew));
    return {};
  };
  ASSERT_TRUE(
      write_file_atomically(this->files(), this->path("f"), as_bytes("mine"), another_begins));
  EXPECT_EQ(this->content("f"), "mine");
  EXPECT_TRUE(this->files().exists(theirs).value());
}

TYPED_TEST_P(FileSystemConformance, OneOfTwoAtomicWritesAtOnceFailed) {
  int others = 0;
  const auto another_writes = [&](const std::string&) -> Status {
    if (++others > 2) return {};
    return write_file_atomically(this->files(), this->path("f"), as_bytes("another's"));
  };
  ASSERT_TRUE(
      write_file_atomically(this->files(), this->path("f"), as_bytes("mine"), another_writes));
  EXPECT_EQ(others, 3);
  EXPECT_EQ(this->content("f"), "mine");
  EXPECT_EQ(this->names(this->path(".")), std::vector<std::string>{"f"});
}

TYPED_TEST_P(FileSystemConformance, AtomicWriteGivesUpWhereItsTemporaryIsAlwaysTaken) {
  this->create("f", "old");
  int calls = 0;
  const auto take = [&](const std::string& temporary) {
    ++calls;
    return this->files().remove(temporary);
  };
  EXPECT_EQ(code_of(write_file_atomically(this->files(), this->path("f"), as_bytes("new"), take)),
            Code::kNotFound);
  EXPECT_EQ(calls, 9);
  EXPECT_EQ(this->content("f"), "old");
}

TYPED_TEST_P(FileSystemConformance, MakeDirectoriesMakesEachMissingOne) {
  ASSERT_TRUE(make_directories(this->files(), this->path("a/b/c")));
  ASSERT_TRUE(make_directories(this->files(), this->path("a/b/c")));
  EXPECT_EQ(this->names(this->path("a/b")), std::vector<std::string>{"c/"});
  EXPECT_TRUE(make_directories(this->files(), "/"));
  EXPECT_TRUE(make_directories(this->files(), ""));
  this->create("f");
  EXPECT_FALSE(make_directories(this->files(), this->path("f/g")));
  EXPECT_FALSE(make_directories(this->files(), this->path("f/g/h")));
}

TYPED_TEST_P(FileSystemConformance, ParentOfAPathIsWhatItsNameLiesIn) {
  EXPECT_EQ(parent_path("/a/b"), "/a");
  EXPECT_EQ(parent_path("/a"), "/");
  EXPECT_EQ(parent_path("a"), ".");
}

REGISTER_TYPED_TEST_SUITE_P(
    FileSystemConformance, WrittenBytesAreReadBackAtTheirOffset, ReadsAreShortOnlyAtTheEnd,
    PartsAreWrittenOneBehindTheOther, ManyPartsAreWrittenWhole, WritingBeyondTheEndFillsWithZeros,
    TruncateCutsAndExtendsWithZeros, SyncingWritingBackAndForgettingKeepTheContent,
    OffsetsBeyondAnyFileAreRefused, OpeningWhatIsNotThereIsNotFound,
    CreateNewNeverOpensAnExistingFile, AFolderIsNotOpenedAsAFile,
    AFileOpenedForReadingCannotBeWritten, SeveralHandlesSeeOneFile, AnOpenFileOutlivesItsName,
    RenameReplacesWhatIsThere, RenameOfNothingIsNotFoundAndKeepsTheTarget,
    AFolderIsRenamedWithWhatItHolds, RemoveTakesFilesAndEmptyFoldersOnly,
    MakeDirectoryNeedsAFreeNameAndAParent, ListIsSortedAndTellsFoldersFromFiles,
    ListOfNoFolderIsNotFound, ExistsSeesFilesAndFoldersAndNothingElse, SyncDirectoryNeedsAFolder,
    ALockExcludesAnotherUntilItIsReleased, LockKeepsTheContentOfItsFile,
    FreeBytesIsAskedOfAFolderThatExists, PathsThatCannotBeAreRefused,
    AFileLargerThanItMayBeIsNotRead, ErrorsNameThePath, AtomicWriteReplacesAndLeavesNoTemporary,
    AtomicWriteThatFailsLeavesNoTemporary, AtomicWriteRemovesNothingButTemporariesOfItsFile,
    TemporaryPathsAreNeverGivenTwice, AnAtomicWriteMovedWhatAnotherHadJustBegunToWrite,
    OneOfTwoAtomicWritesAtOnceFailed, AtomicWriteGivesUpWhereItsTemporaryIsAlwaysTaken,
    MakeDirectoriesMakesEachMissingOne, ParentOfAPathIsWhatItsNameLiesIn);

}  // namespace holdfast
