#include "repository/posix/folder_invitations.h"

#include <gtest/gtest.h>

#include "common/posix/curve_key_pair.h"
#include "tests/unit/repository/node_ports.h"

namespace holdfast::repository {
namespace {

class FolderInvitationsTest : public ::testing::Test {
 protected:
  CurveKey issue() {
    const auto invite = invitations.issue({NodeId{}, "node", {"tcp://127.0.0.1:1", {}}});
    check(invite.has_value(), "no invitation is issued");
    return curve_public_key(invite->curve_secret);
  }
  std::string file_of(const CurveKey& key) { return folder + "/" + hex_encode(key); }
  TestFiles files;
  ManualClock clock;
  const std::string folder = files.root() + "/invites";
  FolderInvitations invitations{files, clock, folder};
  const RepositoryId repository{{1}};
  const RepositoryId other{{2}};
};

TEST_F(FolderInvitationsTest, OnlyIssuedKeysAreInvited) {
  EXPECT_FALSE(invitations.find(CurveKey{1}).value().has_value());
  const CurveKey key = issue();
  ASSERT_TRUE(invitations.find(key).value().has_value());
  EXPECT_FALSE(invitations.find(key).value()->used_for.has_value());
  EXPECT_FALSE(invitations.find(CurveKey{1}).value().has_value());
  EXPECT_EQ(invitations.bind(CurveKey{1}, repository).error().code(), Code::kNotFound);
}

TEST_F(FolderInvitationsTest, AnotherProcessSeesThemAtOnce) {
  FolderInvitations server(files, clock, folder);
  const CurveKey key = issue();
  EXPECT_TRUE(server.find(key).has_value());
}

TEST_F(FolderInvitationsTest, AnInvitationIsGoodForOneRepository) {
  const CurveKey key = issue();
  ASSERT_TRUE(invitations.bind(key, repository));
  EXPECT_EQ(invitations.find(key).value()->used_for, repository);
  EXPECT_TRUE(invitations.bind(key, repository));
  EXPECT_EQ(invitations.bind(key, other).error().code(), Code::kConflict);
}

TEST_F(FolderInvitationsTest, ItExpiresAfterADayUsedOrNot) {
  const CurveKey unused = issue(), used = issue();
  ASSERT_TRUE(invitations.bind(used, repository));
  clock.advance(FolderInvitations::kLifetime - std::chrono::seconds(1));
  EXPECT_TRUE(invitations.find(unused).value().has_value());
  EXPECT_TRUE(invitations.find(used).value().has_value());
  clock.advance(std::chrono::seconds(2));
  EXPECT_FALSE(invitations.find(unused).value().has_value());
  EXPECT_FALSE(invitations.find(used).value().has_value());
  EXPECT_EQ(invitations.bind(unused, repository).error().code(), Code::kNotFound);
}

TEST_F(FolderInvitationsTest, LongExpiredOnesAreRemovedWithTheNextIssue) {
  const CurveKey key = issue();
  clock.advance(2 * FolderInvitations::kLifetime + std::chrono::seconds(1));
  issue();
  EXPECT_FALSE(*files.exists(file_of(key)));
}

TEST_F(FolderInvitationsTest, WhatIsNoInvitationInvitesNobody) {
  const CurveKey key = issue();
  for (const char* text : {"", "expires", "expires x", "expires -5", "expires 99999999999999999999",
                           "expires 999999999\nrepository xyz", "expires 9999999999999",
                           "expiresx 999999999", "expires\nexpire 999999999", "repository 00"}) {
    ASSERT_TRUE(write_file_atomically(files, file_of(key), as_bytes(std::string_view(text))));
    EXPECT_FALSE(invitations.find(key).has_value()) << text;
    EXPECT_FALSE(invitations.bind(key, repository).has_value()) << text;
  }
}

}  // namespace
}  // namespace holdfast::repository
