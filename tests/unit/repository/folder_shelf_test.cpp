#include "repository/folder_shelf.h"

#include <gmock/gmock.h>

#include "repository/store/memory_index.h"
#include "tests/simulation/sim_file_system.h"

namespace holdfast::repository {
namespace {

using ::testing::HasSubstr;

class FolderShelfTest : public ::testing::Test {
 protected:
  static RepositoryId id(int n) {
    RepositoryId id{};
    id.bytes[0] = static_cast<Byte>(n);
    id.bytes[1] = Byte{0xab};
    return id;
  }
  simulation::SimFileSystem files_;
  FolderShelf shelf_{files_, "/node", NodeId{},
                     [](const std::string&) -> Result<std::unique_ptr<ObjectIndex>> {
                       return std::unique_ptr<ObjectIndex>(std::make_unique<MemoryIndex>());
                     }};
};

TEST_F(FolderShelfTest, ListsFoldersOfRepositoriesAndNothingElse) {
  EXPECT_TRUE(shelf_.list()->empty());
  for (const int n : {2, 1}) ASSERT_TRUE(shelf_.create(id(n)));
  std::string upper_case = id(3).hex();
  for (char& digit : upper_case) digit = static_cast<char>(std::toupper(digit));
  ASSERT_TRUE(files_.make_directory("/node/" + upper_case));
  ASSERT_TRUE(files_.make_directory("/node/" + id(4).hex() + ".new"));
  ASSERT_TRUE(files_.open("/node/" + id(5).hex(), OpenMode::kCreateNew));
  EXPECT_EQ(*shelf_.list(), (std::vector{id(1), id(2)}));
  EXPECT_EQ(shelf_.open(id(6)).error().code(), Code::kNoRepository);
  EXPECT_EQ(shelf_.create(id(1)).error().code(), Code::kAlreadyExists);
}

// Whichever call fails, the next attempt finds the repository or makes it.
TEST_F(FolderShelfTest, ACreationThatFailedAnywhereIsMadeUpForByTheNext) {
  ASSERT_TRUE(shelf_.create(id(1)));
  const auto begin = files_.moment();
  for (std::uint64_t nth = 1;; ++nth) {
    files_.return_to(begin);
    // What an earlier attempt left.
    ASSERT_TRUE(make_directories(files_, "/node/" + id(2).hex() + ".new/segments/deeper"));
    const std::uint64_t before = files_.calls();
    files_.fail_call(nth, Code::kIo, false);
    const auto listed = shelf_.list();
    const auto created = shelf_.create(id(2));
    const bool reached = files_.calls() - before >= nth;
    files_.clear_faults();
    for (const std::string& told :
         {listed ? "" : listed.error().message(), created ? "" : created.error().message()}) {
      if (!told.empty()) {
        EXPECT_THAT(told, HasSubstr("injected fault"));
      }
    }
    if (!created && !shelf_.open(id(2))) {
      EXPECT_TRUE(shelf_.create(id(2))) << "call " << nth;
    }
    EXPECT_EQ(*shelf_.list(), (std::vector{id(1), id(2)}));
    if (!reached) break;
    ASSERT_FALSE(HasFailure()) << "call " << nth;
  }
}

}  // namespace
}  // namespace holdfast::repository
