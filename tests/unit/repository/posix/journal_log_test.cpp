#include "repository/posix/journal_log.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "common/posix/descriptor.h"

namespace holdfast::repository {
namespace {

TEST(JournalStream, IsTheJournalOnlyForTheDescriptorThatItNames) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const Descriptor read(ends[0]), write(ends[1]);
  struct stat status {};
  ASSERT_EQ(::fstat(write.get(), &status), 0);
  const std::string stream = fmt::format("{}:{}", status.st_dev, status.st_ino);
  EXPECT_TRUE(is_journal(stream.c_str(), write.get()));
  EXPECT_FALSE(is_journal(nullptr, write.get()));
  // Somebody has sent standard error elsewhere: the variable is inherited, the descriptor is not.
  EXPECT_FALSE(
      is_journal(fmt::format("{}:{}", status.st_dev, status.st_ino + 1).c_str(), write.get()));
  EXPECT_FALSE(is_journal(stream.c_str(), -1));
  EXPECT_FALSE(is_journal("", write.get()));
}

}  // namespace
}  // namespace holdfast::repository
