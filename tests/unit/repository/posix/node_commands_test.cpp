#include "repository/posix/node_commands.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/posix/descriptor.h"
#include "common/posix/posix_file_system.h"
#include "tests/unit/common/posix/temporary_folder.h"

namespace holdfast::repository {
namespace {

class NodeCommands : public ::testing::Test {
 protected:
  NodeCommands() { check(init_node(data, {"n", "tcp://127.0.0.1:1", ""}) == kExitDone, "init"); }
  ~NodeCommands() override { ::unsetenv("CREDENTIALS_DIRECTORY"); }
  // What `run` prints goes to a device that is full.
  template <typename Run>
  int into_a_full_device(const Run& run) {
    std::fflush(stdout);
    const Descriptor before(::dup(STDOUT_FILENO)), full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
    check(::dup2(full.get(), STDOUT_FILENO) == STDOUT_FILENO, "dup2");
    const int code = run();
    std::fflush(stdout);
    std::clearerr(stdout);
    check(::dup2(before.get(), STDOUT_FILENO) == STDOUT_FILENO, "dup2");
    return code;
  }

  TemporaryFolder folder;
  const std::string data = folder.path() + "/node";
};

TEST_F(NodeCommands, AnInvitationThatCannotBePrintedIsAFailure) {
  EXPECT_EQ(invite_to_node(data), kExitDone);
  EXPECT_EQ(into_a_full_device([&] { return invite_to_node(data); }), kExitFailed);
}

TEST_F(NodeCommands, NeedANode) {
  for (const std::string& nowhere : {folder.path() + "/nowhere", std::string("/proc/nowhere")}) {
    EXPECT_EQ(invite_to_node(nowhere), kExitFailed);
    EXPECT_EQ(reindex_node(nowhere), kExitFailed);
    EXPECT_EQ(serve_node(nowhere, "test"), kExitFailed);
  }
  EXPECT_EQ(init_node("/proc/nowhere", {"n", "", ""}), kExitFailed);
}

TEST_F(NodeCommands, TheKeyOfTheServiceIsTakenIfItIsGiven) {
  const std::string credentials = folder.path() + "/credentials";
  ASSERT_TRUE(std::filesystem::create_directory(credentials));
  ::setenv("CREDENTIALS_DIRECTORY", credentials.c_str(), 1);
  EXPECT_EQ(invite_to_node(data), kExitDone) << "other credentials than a key are none of ours";
  std::filesystem::rename(data + "/node.key", credentials + "/node.key");
  EXPECT_EQ(invite_to_node(data), kExitDone);
  ::unsetenv("CREDENTIALS_DIRECTORY");
  EXPECT_EQ(invite_to_node(data), kExitFailed);
}

TEST_F(NodeCommands, ReindexNamesEveryRepositoryThatItWentThrough) {
  PosixFileSystem files;
  const RepositoryId one{{1}}, other{{2}};
  {
    const DataFolder node = *DataFolder::open(files, data);
    FolderShelf shelf = node.shelf();
    ASSERT_TRUE(shelf.create(one) && shelf.create(other));
  }
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(reindex_node(data), kExitDone);
  EXPECT_EQ(::testing::internal::GetCapturedStdout(),
            one.hex() + " 0 objects\n" + other.hex() + " 0 objects\n");
}

TEST_F(NodeCommands, ReindexSaysWhichRepositoryItCannotOpen) {
  EXPECT_EQ(reindex_node(data), kExitDone) << "without any there is nothing to do";
  const std::string repositories = data + "/repositories";
  std::filesystem::create_directories(repositories);
  std::filesystem::create_directory(repositories + "/" + std::string(64, 'a'));
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(reindex_node(data), kExitFailed);
  EXPECT_NE(::testing::internal::GetCapturedStderr().find(std::string(64, 'a')), std::string::npos);
  std::filesystem::remove_all(repositories);
  std::ofstream(repositories) << "no folder";
  EXPECT_EQ(reindex_node(data), kExitFailed);
}

}  // namespace
}  // namespace holdfast::repository
