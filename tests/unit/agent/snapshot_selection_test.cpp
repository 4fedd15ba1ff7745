// Selecting from lists that no node need give.
#include "agent/snapshot_selection.h"

#include <gmock/gmock.h>

namespace holdfast::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Selecting : public ::testing::Test {
 protected:
  Snapshot& add(std::uint64_t sequence, std::int64_t claimed) {
    Snapshot snapshot;
    snapshot.manifest.manifest.sequence = sequence;
    snapshot.manifest.manifest.claimed_time = {claimed};
    snapshot.manifest.id.bytes.fill(0xab);
    snapshot.manifest.id.bytes.back() = static_cast<Byte>(sequence);
    list_.snapshots.push_back(snapshot);
    return list_.snapshots.back();
  }
  std::uint64_t sequence(const Result<const Snapshot*>& found) const {
    return found ? (*found)->manifest.manifest.sequence : 0;
  }
  SnapshotList list_;
};

TEST_F(Selecting, APrefixOfManyNamesOnlySomeOfThem) {
  for (std::uint64_t i = 1; i <= 5; ++i) add(i, 0);
  const auto of_five = select_snapshot(list_, "ab");
  ASSERT_FALSE(of_five);
  EXPECT_THAT(of_five.error().message(), HasSubstr("5 snapshots"));
  EXPECT_THAT(of_five.error().message(), Not(HasSubstr("...")));
  add(6, 0);
  const auto of_six = select_snapshot(list_, "ab");
  ASSERT_FALSE(of_six);
  EXPECT_THAT(of_six.error().message(), HasSubstr("6 snapshots"));
  EXPECT_THAT(of_six.error().message(), HasSubstr(", ..."));
}

TEST_F(Selecting, APrefixOfNoneIsNotFound) {
  add(1, 0);
  EXPECT_EQ(select_snapshot(list_, "ba").error().code(), Code::kNotFound);
}

TEST_F(Selecting, WhatIsNeitherAnIdNorLatestIsRefused) {
  add(1, 0);
  EXPECT_EQ(sequence(select_snapshot(list_, list_.snapshots[0].id().hex())), 1U);
  for (const std::string& wrong :
       {std::string("latest~0x"), std::string("latest~99999999999999999999"),
        list_.snapshots[0].id().hex() + "0"})
    EXPECT_EQ(select_snapshot(list_, wrong).error().code(), Code::kInvalidArgument) << wrong;
}

// Nobody knows which host it is of.
TEST_F(Selecting, WhatDoesNotOpenPassesNoFilter) {
  format::SnapshotDetail detail;
  detail.host = "h";
  add(1, 0).detail = detail;
  add(2, 1);
  EXPECT_EQ(sequence(select_snapshot(list_, "latest")), 2U);
  EXPECT_EQ(sequence(select_snapshot(list_, "latest", {.hosts = {"h"}})), 1U);
  EXPECT_EQ(sequence(select_at(list_, {1}, {.hosts = {"h"}})), 1U);
}

TEST_F(Selecting, AtATimeGoesByWhatTheyClaimAndThenByTheirNumbers) {
  add(1, 30);
  add(2, 10);
  add(4, 20);
  add(3, 20);
  EXPECT_EQ(sequence(select_at(list_, {25})), 4U);
  EXPECT_EQ(sequence(select_at(list_, {10})), 2U);
  EXPECT_EQ(sequence(select_at(list_, {99})), 1U);
}

}  // namespace
}  // namespace holdfast::agent
