#include "common/ports/file_system.h"

#include <gtest/gtest.h>

#include "tests/simulation/sim_file_system.h"
#include "tests/testing/observed_files.h"

namespace holdfast {
namespace {

// A folder that is there may be one that an earlier attempt made and did not come to sync, unless
// whoever asks could not have made it.
TEST(MakeDirectories, AFolderThatCannotBeSyncedCountsOnlyWhereItIsNotOurs) {
  simulation::SimFileSystem disk;
  ASSERT_TRUE(make_directories(disk, "/a/b"));
  for (const auto& [code, is_ours] :
       {std::pair(Code::kPermissionDenied, false), std::pair(Code::kReadOnly, false),
        std::pair(Code::kInvalidArgument, false), std::pair(Code::kIo, true),
        std::pair(Code::kNoSpace, true)}) {
    testing::ObservedFiles files(disk, [&](std::string_view call, const std::string& path) {
      return call == "sync_directory" && path == "/a" ? Status(Error(code, "injected")) : Status();
    });
    const Status made = make_directories(files, "/a/b");
    ASSERT_EQ(made.has_value(), !is_ours) << name(code);
    if (is_ours) {
      EXPECT_EQ(made.error().code(), code);
    }
  }
}

}  // namespace
}  // namespace holdfast
