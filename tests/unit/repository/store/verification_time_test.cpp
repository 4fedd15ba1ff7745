#include "repository/store/verification_time.h"

#include "tests/unit/repository/store/store_fixture.h"

namespace holdfast::repository {
namespace {

class VerificationTime : public ::testing::Test {
 protected:
  VerificationTime() { check(make_directories(files, store_).has_value(), "a folder"); }
  void write(std::string_view text) {
    ASSERT_TRUE(write_file_atomically(files, file_, as_bytes(text)));
  }
  std::string text() { return to_string(*read_file(files, file_, 4096)); }

  const std::string store_ = "/store", file_ = store_ + "/verified";
  const UnixTime ended{1'800'000'000'123'456'789};
  SimFileSystem files;
};

TEST_F(VerificationTime, IsWhatWasKeptLast) {
  EXPECT_EQ(kept_verification_time(files, store_), std::nullopt);
  ASSERT_TRUE(keep_verification_time(files, store_, UnixTime{-7}));
  EXPECT_EQ(kept_verification_time(files, store_), UnixTime{-7});
  ASSERT_TRUE(keep_verification_time(files, store_, ended));
  EXPECT_EQ(kept_verification_time(files, store_), ended);
}

TEST_F(VerificationTime, OutlivesAPowerCut) {
  ASSERT_TRUE(files.sync_directory("/"));
  ASSERT_TRUE(keep_verification_time(files, store_, ended));
  SimRandom random(testing::seed());
  files.crash(CrashKeeps::kNothing, random);
  EXPECT_EQ(kept_verification_time(files, store_), ended);
}

TEST_F(VerificationTime, IsNotReadFromWhatADiskHasChanged) {
  ASSERT_TRUE(keep_verification_time(files, store_, ended));
  const std::string good = text();
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    write(bad);
    EXPECT_EQ(kept_verification_time(files, store_), std::nullopt) << bad;
    write(good.substr(0, at));
    EXPECT_EQ(kept_verification_time(files, store_), std::nullopt) << good.substr(0, at);
  }
  write(good + good);
  EXPECT_EQ(kept_verification_time(files, store_), std::nullopt);
  write(std::string(10'000, 'v'));
  EXPECT_EQ(kept_verification_time(files, store_), std::nullopt);
}

}  // namespace
}  // namespace holdfast::repository
