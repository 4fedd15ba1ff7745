#include "repository/store/verification_time.h"

#include "tests/unit/repository/store/store_fixture.h"

namespace holdfast::repository {
namespace {

class VerificationTime : public ::testing::Test {
 protected:
  VerificationTime() { check(make_directories(files_, store_).has_value(), "a folder"); }
  void write(std::string_view text) {
    ASSERT_TRUE(write_file_atomically(files_, file_, as_bytes(text)));
  }
  std::string text() { return to_string(*read_file(files_, file_, 4096)); }

  const std::string store_ = "/store", file_ = store_ + "/verified";
  const UnixTime ended_{1'800'000'000'123'456'789};
  SimFileSystem files_;
};

TEST_F(VerificationTime, IsWhatWasKeptLast) {
  EXPECT_EQ(kept_verification_time(files_, store_), std::nullopt);
  ASSERT_TRUE(keep_verification_time(files_, store_, UnixTime{-7}));
  EXPECT_EQ(kept_verification_time(files_, store_), UnixTime{-7});
  ASSERT_TRUE(keep_verification_time(files_, store_, ended_));
  EXPECT_EQ(kept_verification_time(files_, store_), ended_);
}

TEST_F(VerificationTime, OutlivesAPowerCut) {
  ASSERT_TRUE(files_.sync_directory("/"));
  ASSERT_TRUE(keep_verification_time(files_, store_, ended_));
  SimRandom random(testing::seed());
  files_.crash(CrashKeeps::kNothing, random);
  EXPECT_EQ(kept_verification_time(files_, store_), ended_);
}

TEST_F(VerificationTime, IsNotReadFromWhatADiskHasChanged) {
  ASSERT_TRUE(keep_verification_time(files_, store_, ended_));
  const std::string good = text();
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    write(bad);
    EXPECT_EQ(kept_verification_time(files_, store_), std::nullopt) << bad;
    write(good.substr(0, at));
    EXPECT_EQ(kept_verification_time(files_, store_), std::nullopt) << good.substr(0, at);
  }
  write(good + good);
  EXPECT_EQ(kept_verification_time(files_, store_), std::nullopt);
  write(std::string(10'000, 'v'));
  EXPECT_EQ(kept_verification_time(files_, store_), std::nullopt);
}

}  // namespace
}  // namespace holdfast::repository
