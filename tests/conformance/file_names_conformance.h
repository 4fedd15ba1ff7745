// What every FileSystem must do with names, beside what file_system_conformance.h says: where they
// go, what goes with them, which cannot be. To be run for the same fixtures:
//
//   INSTANTIATE_TYPED_TEST_SUITE_P(My, FileNamesConformance, MyFileSystemFixture);
#pragma once

#include "tests/conformance/file_system_conformance.h"

namespace holdfast {

template <typename Fixture>
class FileNamesConformance : public FileSystemConformance<Fixture> {
 protected:
  static std::string read(File& file) {
    Bytes out(100);
    const auto got = file.read_at(0, out);
    return got ? std::string(as_text(out).substr(0, *got)) : "error: " + got.error().message();
  }
};

TYPED_TEST_SUITE_P(FileNamesConformance);

TYPED_TEST_P(FileNamesConformance, WhoHasAFileOpenKeepsItWhenAnotherTakesItsName) {
  auto old = this->create("to", "old");
  auto moved = this->create("from", "new");
  ASSERT_TRUE(this->files().rename(this->path("from"), this->path("to")));
  EXPECT_EQ(this->read(*old), "old");
  ASSERT_TRUE(old->write_at(0, {as_bytes("OLD")}));
  EXPECT_TRUE(old->sync_data());
  EXPECT_EQ(this->content("to"), "new");
  ASSERT_TRUE(moved->write_at(0, {as_bytes("NEW")}));
  EXPECT_EQ(this->content("to"), "NEW") << "an open file goes along with its name";
}

TYPED_TEST_P(FileNamesConformance, ARemovedFileLivesOnBesideOneOfItsName) {
  auto removed = this->create("f", "abc");
  ASSERT_TRUE(this->files().remove(this->path("f")));
  auto other = this->create("f", "other");
  ASSERT_TRUE(removed->write_at(3, {as_bytes("def")}));
  EXPECT_TRUE(removed->sync_data());
  EXPECT_EQ(removed->size().value(), 6u);
  EXPECT_EQ(this->read(*removed), "abcdef");
  ASSERT_TRUE(removed->truncate(1));
  EXPECT_EQ(this->content("f"), "other");
}

TYPED_TEST_P(FileNamesConformance, RenameNewTakesAFreeNameOnly) {
  this->create("from", "new");
  this->create("to", "old");
  ASSERT_TRUE(this->files().make_directory(this->path("d")));
  for (const char* const taken : {"to", "d", "from"})
    EXPECT_EQ(code_of(this->files().rename_new(this->path("from"), this->path(taken))),
              Code::kAlreadyExists)
        << taken;
  EXPECT_EQ(this->content("from"), "new");
  EXPECT_EQ(this->content("to"), "old");
  EXPECT_EQ(code_of(this->files().rename_new(this->path("no"), this->path("g"))), Code::kNotFound);
  EXPECT_EQ(code_of(this->files().rename_new(this->path("from"), this->path("no/g"))),
            Code::kNotFound);
  ASSERT_TRUE(this->files().rename_new(this->path("from"), this->path("d/g")));
  EXPECT_EQ(this->content("d/g"), "new");
  EXPECT_FALSE(this->files().exists(this->path("from")).value());
}

TYPED_TEST_P(FileNamesConformance, RenameToItselfChangesNothing) {
  this->create("f", "abc");
  ASSERT_TRUE(this->files().make_directory(this->path("d")));
  EXPECT_TRUE(this->files().rename(this->path("f"), this->path("f")));
  EXPECT_TRUE(this->files().rename(this->path("d"), this->path("d")));
  EXPECT_EQ(this->content("f"), "abc");
  EXPECT_EQ(this->names(this->path(".")), (std::vector<std::string>{"d/", "f"}));
}

TYPED_TEST_P(FileNamesConformance, RenameMixesNoFilesAndFolders) {
  this->create("f", "abc");
  for (const char* const folder : {"d", "empty", "full"})
    ASSERT_TRUE(this->files().make_directory(this->path(folder)));
  this->create("full/g");
  EXPECT_EQ(code_of(this->files().rename(this->path("f"), this->path("d"))),
            Code::kInvalidArgument);
  EXPECT_EQ(code_of(this->files().rename(this->path("d"), this->path("f"))), Code::kNotFound);
  EXPECT_EQ(code_of(this->files().rename(this->path("d"), this->path("full"))),
            Code::kAlreadyExists);
  EXPECT_EQ(code_of(this->files().rename(this->path("full"), this->path("full/h"))),
            Code::kInvalidArgument);
  EXPECT_TRUE(this->files().rename(this->path("full"), this->path("empty")));
  EXPECT_EQ(this->names(this->path(".")), (std::vector<std::string>{"d/", "empty/", "f"}));
  EXPECT_EQ(this->names(this->path("empty")), std::vector<std::string>{"g"});
}

TYPED_TEST_P(FileNamesConformance, NothingLiesBelowAFile) {
  this->create("f", "abc");
  const std::string below = this->path("f/x");
  for (const OpenMode mode : {OpenMode::kRead, OpenMode::kReadWrite, OpenMode::kCreateNew})
    EXPECT_EQ(code_of(this->files().open(below, mode)), Code::kNotFound);
  EXPECT_EQ(code_of(this->files().make_directory(below)), Code::kNotFound);
  EXPECT_EQ(code_of(this->files().remove(below)), Code::kNotFound);
  EXPECT_EQ(code_of(this->files().rename(this->path("f"), below)), Code::kNotFound);
  EXPECT_EQ(code_of(this->files().lock(below)), Code::kNotFound);
  EXPECT_EQ(this->content("f"), "abc");
}

// As std::string compares, whatever the language of the machine.
TYPED_TEST_P(FileNamesConformance, ListIsInTheOrderOfBytes) {
  const std::vector<std::string> sorted{" ", "-",    "A",        "Z",         "_",   "a",
                                        "b", "\x7f", "\xc3\xa4", "\xc3\xa4z", "\xff"};
  for (auto name = sorted.rbegin(); name != sorted.rend(); ++name) this->create(*name);
  EXPECT_EQ(this->names(this->path(".")), sorted);
}

TYPED_TEST_P(FileNamesConformance, NamesHaveAtMost255Bytes) {
  const std::string longest(255, 'n'), too_long(256, 'n');
  this->create(longest, "abc");
  EXPECT_EQ(this->content(longest), "abc");
  EXPECT_EQ(this->names(this->path(".")), std::vector<std::string>{longest});
  EXPECT_EQ(code_of(this->files().open(this->path(too_long), OpenMode::kCreateNew)),
            Code::kInvalidArgument);
  EXPECT_EQ(code_of(this->files().open(this->path(too_long), OpenMode::kRead)),
            Code::kInvalidArgument);
  EXPECT_EQ(code_of(this->files().make_directory(this->path(too_long))), Code::kInvalidArgument);
  EXPECT_EQ(code_of(this->files().rename(this->path(longest), this->path(too_long))),
            Code::kInvalidArgument);
  EXPECT_EQ(code_of(this->files().exists(this->path(too_long))), Code::kInvalidArgument);
  EXPECT_EQ(this->content(longest), "abc");
}

TYPED_TEST_P(FileNamesConformance, ALockGoesWithItsFileAndNotWithTheName) {
  auto lock = this->files().lock(this->path("a"));
  ASSERT_TRUE(lock);
  ASSERT_TRUE(this->files().rename(this->path("a"), this->path("b")));
  EXPECT_EQ(code_of(this->files().lock(this->path("b"))), Code::kConflict);
  EXPECT_TRUE(this->files().lock(this->path("a")));
  ASSERT_TRUE(this->files().remove(this->path("b")));
  EXPECT_TRUE(this->files().lock(this->path("b")));
}

TYPED_TEST_P(FileNamesConformance, ALockHindersNobodyWhoDoesNotAskForIt) {
  this->create("f", "abc");
  auto lock = this->files().lock(this->path("f"));
  ASSERT_TRUE(lock);
  auto file = this->files().open(this->path("f"), OpenMode::kReadWrite);
  ASSERT_TRUE(file);
  EXPECT_TRUE((*file)->write_at(0, {as_bytes("X")}));
  EXPECT_EQ(this->content("f"), "Xbc");
  file->reset();
  EXPECT_EQ(code_of(this->files().lock(this->path("f"))), Code::kConflict)
      << "closing another handle gave it up";
}

TYPED_TEST_P(FileNamesConformance, OnlyFilesAreLocked) {
  ASSERT_TRUE(this->files().make_directory(this->path("d")));
  EXPECT_EQ(code_of(this->files().lock(this->path("d"))), Code::kInvalidArgument);
  EXPECT_EQ(code_of(this->files().lock(this->path("no/f"))), Code::kNotFound);
}

TYPED_TEST_P(FileNamesConformance, AFileOpenedForReadingIsNeitherWrittenNorCut) {
  this->create("f", "abc");
  auto file = this->files().open(this->path("f"), OpenMode::kRead);
  ASSERT_TRUE(file);
  EXPECT_EQ(code_of((*file)->write_at(0, {as_bytes("x")})), Code::kIo);
  EXPECT_EQ(code_of((*file)->truncate(0)), Code::kInvalidArgument);
  EXPECT_EQ(this->content("f"), "abc");
}

REGISTER_TYPED_TEST_SUITE_P(FileNamesConformance, WhoHasAFileOpenKeepsItWhenAnotherTakesItsName,
                            ARemovedFileLivesOnBesideOneOfItsName, RenameNewTakesAFreeNameOnly,
                            RenameToItselfChangesNothing, RenameMixesNoFilesAndFolders,
                            NothingLiesBelowAFile, ListIsInTheOrderOfBytes, NamesHaveAtMost255Bytes,
                            ALockGoesWithItsFileAndNotWithTheName,
                            ALockHindersNobodyWhoDoesNotAskForIt, OnlyFilesAreLocked,
                            AFileOpenedForReadingIsNeitherWrittenNorCut);

}  // namespace holdfast
