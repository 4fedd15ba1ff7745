// What a node keeps, cut off at every call that changes its disk, and again at every call of its
// start: repositories brought by invitation, charters, commits, and the folder that it lives in.
#include <gtest/gtest.h>

#include "repository/posix/data_folder.h"
#include "tests/simulation/node_under_crashes.h"
#include "tests/simulation/sim_random.h"
#include "tests/testing/seed.h"

namespace holdfast::testing {
namespace {

using repository::DataFolder;
using repository::FolderInvitations;
using repository::NodeConfiguration;
using simulation::CrashSubject;
using simulation::explore_crashes;
using simulation::explore_errors;
using simulation::SimRandom;

// The folder of a node: made for an embedded one, then given an address and an invitation.
class FolderUnderCrashes final : public CrashSubject {
 public:
  void work() override {
    recover();
    invite();
    create(kListening);
    end_process();
    recover();
    if (folder_) {
      const Status written = folder_->write_endpoint(kEndpoint);
      expect(written, "write the endpoint");
      endpoint_ = written.has_value();
    }
    invite();
  }
  void end_process() override { folder_.reset(); }
  void recover() override {
    if (!id_) create({"node", "", ""});
    auto opened = DataFolder::open(disk(), kFolder);
    expect(opened ? Status() : Status(opened.error()), "open");
    if (opened) folder_.emplace(std::move(*opened));
  }
  void settle() override {
    if (!folder_) recover();
  }
  void check() override {
    ASSERT_TRUE(folder_);
    EXPECT_TRUE(!id_ || folder_->id() == *id_) << "the node became another one";
    if (listens_) {
      auto now = DataFolder::open(disk(), kFolder);
      ASSERT_TRUE(now);
      EXPECT_EQ(now->configuration(), kListening);
    }
    if (endpoint_) {
      const auto endpoint = read_file(disk(), std::string(kFolder) + "/endpoint", 100);
      EXPECT_EQ(endpoint ? to_string(*endpoint) : "lost", std::string(kEndpoint) + "\n");
    }
    FolderInvitations invitations(disk(), clock_, folder_->invites_path());
    for (const CurveKey& key : invited_)
      EXPECT_TRUE(invitations.find(key).value()) << "it was handed out";
  }
  std::uint64_t observed() override {
    return load_le<std::uint64_t>(folder_->id().bytes.data()) +
           std::uint64_t{folder_->configuration() == kListening};
  }
  std::uint64_t promised() const override {
    return (id_ ? 1 : 0) + (listens_ ? 2 : 0) + (endpoint_ ? 4 : 0) + 8 * invited_.size();
  }
  void go_on() override {
    id_ = folder_->id();  // whoever opened it may tell others
    listens_ = listens_ || folder_->configuration() == kListening;
    invite();
    invite();
  }

 private:
  void create(const NodeConfiguration& configuration) {
    const Status created = DataFolder::create(disk(), kFolder, configuration);
    if (!created && created.error().code() == Code::kAlreadyExists) return;
    expect(created, "create");
    if (created && configuration == kListening) listens_ = true;
  }
  void invite() {
    if (!folder_) return;
    FolderInvitations invitations(disk(), clock_, folder_->invites_path());
    const auto invite = invitations.issue({});
    expect(invite ? Status() : Status(invite.error()), "invite");
    if (!invite) return;
    id_ = folder_->id();
    const auto keys = curve_key_pair_from_secret(invite->curve_secret.view());
    ASSERT_TRUE(keys);
    invited_.push_back(keys->public_key);
  }

  static constexpr const char* kFolder = "/srv/node";
  static constexpr const char* kEndpoint = "tcp://127.0.0.1:9";
  inline static const NodeConfiguration kListening{"node", "tcp://127.0.0.1:0", ""};
  SimLoop clock_;
  std::optional<DataFolder> folder_;
  std::optional<NodeId> id_;  // told to somebody
  bool listens_ = false, endpoint_ = false;
  std::vector<CurveKey> invited_;
};

TEST(NodeCrashPoints, InvitationsChartersAndCommitsSurviveAllOfThem) {
  const Conversation said(seed());
  SimRandom random(seed());
  const auto figures =
      explore_crashes([&] { return std::make_unique<NodeUnderCrashes>(said); }, random);
  if (HasFailure()) return;
  std::printf("%s\n", describe(figures).c_str());
  RecordProperty("distinct_states", std::to_string(figures.states));
  EXPECT_GE(figures.states, 800U);
}

TEST(NodeErrors, NothingIsPromisedInVainWhicheverCallFails) {
  const Conversation said(seed());
  SimRandom random(seed());
  const auto failed =
      explore_errors([&] { return std::make_unique<NodeUnderCrashes>(said); }, random);
  if (HasFailure()) return;
  std::printf("%llu calls failed\n", static_cast<unsigned long long>(failed));
  EXPECT_GE(failed, 250U);
}

TEST(NodeErrors, TheFolderOfANodeIsMadeInTheEndWhicheverCallFails) {
  SimRandom random(seed());
  const auto failed = explore_errors([] { return std::make_unique<FolderUnderCrashes>(); }, random);
  if (HasFailure()) return;
  std::printf("%llu calls failed\n", static_cast<unsigned long long>(failed));
  EXPECT_GE(failed, 250U);
}

TEST(NodeCrashPoints, TheFolderOfANodeSurvivesAllOfThem) {
  SimRandom random(seed());
  const auto figures =
      explore_crashes([] { return std::make_unique<FolderUnderCrashes>(); }, random);
  if (HasFailure()) return;
  std::printf("%s\n", describe(figures).c_str());
  EXPECT_GE(figures.runs, 1'000U);
}

}  // namespace
}  // namespace holdfast::testing
