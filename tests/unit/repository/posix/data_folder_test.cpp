#include "repository/posix/data_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/posix/posix_file_system.h"
#include "tests/unit/common/posix/temporary_folder.h"

namespace holdfast::repository {
namespace {

class DataFolderTest : public ::testing::Test {
 protected:
  std::string path() const { return folder_.path() + "/node"; }
  Code refusal(const NodeConfiguration& configuration) {
    const Status created = DataFolder::create(files, path(), configuration);
    EXPECT_FALSE(created.has_value());
    return created ? Code::kInterrupted : created.error().code();
  }
  DataFolder open() {
    auto opened = DataFolder::open(files, path());
    check(opened.has_value(), "the folder does not open");
    return *std::move(opened);
  }
  void write(const std::string& name, std::string_view content) {
    check(write_file_atomically(files, path() + "/" + name, as_bytes(content)).has_value(),
          "write");
  }
  PosixFileSystem files;

 private:
  TemporaryFolder folder_;
};

TEST_F(DataFolderTest, WhatWasCreatedIsOpened) {
  const NodeConfiguration configuration{"a \"name\"", "tcp://127.0.0.1:4711", "tcp://host:4712",
                                        "127.0.0.1:9753"};
  ASSERT_TRUE(DataFolder::create(files, path(), configuration));
  const DataFolder folder = open();
  EXPECT_EQ(folder.configuration(), configuration);
  EXPECT_EQ(folder.id(), node_id(folder.keys().public_key));
  EXPECT_EQ(open().id(), folder.id());
  EXPECT_EQ(*folder.public_endpoint(), "tcp://host:4712");
  struct stat status {};
  ASSERT_EQ(::stat((path() + "/node.key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(DataFolderTest, AKeyThatIsKeptElsewhereIsReadThere) {
  ASSERT_TRUE(DataFolder::create(files, path(), {"n", "tcp://127.0.0.1:1", ""}));
  const NodeId id = open().id();
  ASSERT_TRUE(files.rename(path() + "/node.key", path() + "/elsewhere"));
  EXPECT_FALSE(DataFolder::open(files, path()).has_value());
  const auto opened = DataFolder::open(files, path(), path() + "/elsewhere");
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(opened->id(), id);
}

TEST_F(DataFolderTest, ANodeIsNotCreatedTwice) {
  ASSERT_TRUE(DataFolder::create(files, path(), {"n", "tcp://127.0.0.1:1", ""}));
  EXPECT_EQ(refusal({"n", "tcp://127.0.0.1:2", ""}), Code::kAlreadyExists);
}

TEST_F(DataFolderTest, AnEmbeddedNodeIsGivenAnAddressAndStaysTheSameNode) {
  ASSERT_TRUE(DataFolder::create(files, path(), {"n", "", ""}));
  const NodeId id = open().id();
  EXPECT_EQ(open().public_endpoint().error().code(), Code::kInvalidArgument);
  EXPECT_EQ(refusal({"n", "", ""}), Code::kAlreadyExists);
  ASSERT_TRUE(DataFolder::create(files, path(), {"n", "tcp://127.0.0.1:1", ""}));
  EXPECT_EQ(open().id(), id);
  EXPECT_EQ(*open().public_endpoint(), "tcp://127.0.0.1:1");
}

TEST_F(DataFolderTest, ConfigurationsThatCannotWorkAreRefused) {
  for (const NodeConfiguration& configuration : {NodeConfiguration{"", "tcp://127.0.0.1:1", ""},
                                                 {"a\nb", "tcp://127.0.0.1:1", ""},
                                                 {"n", "127.0.0.1:1", ""},
                                                 {"n", "tcp://127.0.0.1", ""},
                                                 {"n", "tcp://:1", ""},
                                                 {"n", "ipc:///tmp/x", ""},
                                                 {"n", "tcp://*:1", ""},
                                                 {"n", "tcp://0.0.0.0:1", ""},
                                                 {"n", "tcp://*:1", "tcp://*:1"},
                                                 {"n", "tcp://*:1", "tcp://host:0"},
                                                 {"n", "tcp://*:1", "tcp://[::]:1"},
                                                 {"n", "tcp://*:1", "tcp://host"},
                                                 {"n", "tcp://h:", ""},
                                                 {"n", "tcp://a b:1", ""},
                                                 {"n\xff", "tcp://127.0.0.1:1", ""},
                                                 {std::string(1000, 'n'), "", ""},
                                                 {"n", "tcp://127.0.0.1:1", "", "192.0.2.1:9753"}})
    EXPECT_EQ(refusal(configuration), Code::kInvalidArgument)
        << configuration.name << " " << configuration.listen << " " << configuration.advertise;
  EXPECT_FALSE(*files.exists(path()));
}

TEST_F(DataFolderTest, AFolderOfOtherFilesIsNotMadeANode) {
  ASSERT_TRUE(files.make_directory(path()));
  write("holiday.jpg", "a picture");
  EXPECT_EQ(refusal({"n", "tcp://127.0.0.1:1", ""}), Code::kInvalidArgument);
}

TEST_F(DataFolderTest, AFileIsNotMadeANode) {
  ASSERT_TRUE(write_file_atomically(files, path(), as_bytes("a picture")));
  const Status created = DataFolder::create(files, path(), {"n", "", ""});
  ASSERT_FALSE(created);
  EXPECT_NE(created.error().message().find(path()), std::string::npos);
}

TEST_F(DataFolderTest, WithASystemChosenPortTheAddressIsKnownOnceItListens) {
  ASSERT_TRUE(DataFolder::create(files, path(), {"n", "tcp://127.0.0.1:0", ""}));
  DataFolder folder = open();
  EXPECT_EQ(folder.public_endpoint().error().code(), Code::kInvalidArgument);
  ASSERT_TRUE(folder.write_endpoint("tcp://127.0.0.1:40123"));
  EXPECT_EQ(*folder.public_endpoint(), "tcp://127.0.0.1:40123");
}

// Written by hand, as create() refuses it.
TEST_F(DataFolderTest, ANodeThatListensEverywhereNeedsAnAddressForOthers) {
  ASSERT_TRUE(DataFolder::create(files, path(), {"n", "tcp://127.0.0.1:*", ""}));
  EXPECT_EQ(open().public_endpoint().error().code(), Code::kInvalidArgument);
  for (const char* everywhere : {"*", "0.0.0.0", "[::]"}) {
    write("node.toml", "name = \"n\"\nlisten = \"tcp://" + std::string(everywhere) + ":1\"\n");
    const auto endpoint = open().public_endpoint();
    ASSERT_FALSE(endpoint);
    EXPECT_NE(endpoint.error().message().find("listens everywhere"), std::string::npos);
  }
}

TEST_F(DataFolderTest, WhatIsNotANodeOrIsDamagedIsSaidToBeSo) {
  EXPECT_EQ(DataFolder::open(files, path()).error().code(), Code::kNoRepository);
  ASSERT_TRUE(DataFolder::create(files, path(), {"n", "tcp://127.0.0.1:1", ""}));
  for (const char* text : {"name = ", "name = 5", "nam = \"n\"", "name = \"\"", "\xff"}) {
    write("node.toml", text);
    EXPECT_EQ(DataFolder::open(files, path()).error().code(), Code::kInvalidArgument) << text;
  }
  write("node.toml", "name = \"n\"\n");
  for (const char* key : {"abc", "abcd", "", " \n", "not hexadecimal"}) {
    write("node.key", key);
    EXPECT_EQ(DataFolder::open(files, path()).error().code(), Code::kCorrupt) << key;
  }
}

TEST_F(DataFolderTest, OneProcessAtATimeUsesItAndIsNamed) {
  ASSERT_TRUE(DataFolder::create(files, path(), {"n", "", ""}));
  DataFolder first = open(), second = open();
  auto lock = first.lock();
  ASSERT_TRUE(lock.has_value());
  const auto refused = second.lock();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), Code::kConflict);
  EXPECT_NE(refused.error().message().find(path()), std::string::npos);
  EXPECT_NE(refused.error().message().find(std::to_string(::getpid())), std::string::npos);
  for (const char* unknown : {"", "nobody", "12 13"}) {
    write("process", unknown);
    EXPECT_NE(second.lock().error().message().find("another process"), std::string::npos);
  }
  ASSERT_TRUE(files.remove(path() + "/process"));
  EXPECT_NE(second.lock().error().message().find("another process"), std::string::npos);
  lock->reset();
  EXPECT_TRUE(second.lock().has_value());
}

}  // namespace
}  // namespace holdfast::repository
