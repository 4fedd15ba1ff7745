// `holdfast node` and `holdfast agent`: what they say and do where nodes are away, agents revoked
// or what was asked for makes no sense.
#include <gmock/gmock.h>

#include <array>
#include <filesystem>

#include "common/format/credential.h"
#include "tests/unit/cli/command_fixture.h"

namespace holdfast::cli {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Each;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Json object_of(const std::vector<Json>& objects, std::string_view type) {
  for (const Json& object : objects)
    if (object["message_type"] == type) return object;
  return {};
}

class Membership : public CommandTest {
 protected:
  Membership() {
    repository_ = folder() + "/owner.credential";
    nodes_ = {folder() + "/one", folder() + "/two", folder() + "/three"};
  }
  void SetUp() override { make_repository_with_a_snapshot(); }

  // A node that does not answer, and does again.
  static void take_away(const std::string& node) { std::filesystem::rename(node, node + ".away"); }
  static void bring_back(const std::string& node) { std::filesystem::rename(node + ".away", node); }

  Outcome add(const NodeAddOptions& options) {
    return run([&](Session& session) { return add_node(session, options); });
  }
  Outcome remove(const NodeRemoveOptions& options) {
    return run([&](Session& session) { return remove_node(session, options); });
  }
  Outcome add_agent_called(const std::string& name, const std::string& file = {}) {
    return run([&](Session& session) { return add_agent(session, {name, file}); });
  }
  // What `holdfast` has no command for.
  Outcome change(const std::function<void(format::Charter&)>& changes) {
    return run([&](Session& session) -> Result<int> {
      HOLDFAST_ASSIGN(auto access,
                      RepositoryAccess::open(session.work, session.output, session.access));
      HOLDFAST_ASSIGN(const auto next, access->next_charter(changes));
      HOLDFAST_TRY(access->replace_charter(next));
      HOLDFAST_TRY(access->close());
      return kDone;
    });
  }
  // The owner's credential, with other roles.
  std::string credential_that_may(std::uint32_t roles) {
    PosixFileSystem files;
    const auto text = read_file(files, repository_, 1 << 20);
    auto credential = format::parse_credential(as_text(*text));
    EXPECT_TRUE(credential);
    credential->roles = roles;
    std::string path = fmt::format("{}/may{}.credential", folder(), roles);
    EXPECT_TRUE(
        write_file_atomically(files, path, as_bytes(format::encode_credential(*credential))));
    return path;
  }
  // An invitation of a node that is nowhere.
  static std::string invitation_to(const std::string& endpoint) {
    format::Invite invite;
    const CurveKeyPair node = generate_curve_key_pair();
    invite.node = {NodeId{{1, 2, 3}}, "nowhere", {endpoint, node.public_key}};
    invite.curve_secret = generate_curve_key_pair().secret_key;
    return format::encode_invite(invite);
  }
  std::vector<std::string> ids() {
    std::vector<std::string> ids;
    for (const std::string& line : listed_nodes()) ids.push_back(line.substr(0, line.find(' ')));
    return ids;
  }
};

TEST_F(Membership, ListSaysWhichNodesAnswer) {
  take_away(nodes_[1]);
  const auto lines = listed_nodes();
  EXPECT_THAT(lines, Each(AnyOf(EndsWith(" answers"), EndsWith(" does not answer"))));
  const auto objects = objects_of([](Session& session) { return list_nodes(session); });
  ASSERT_EQ(objects.size(), 3U);
  EXPECT_EQ(objects[0]["reachable"], true);
  EXPECT_EQ(objects[1]["reachable"], false);
  bring_back(nodes_[1]);
  repository_ = nodes_[0];
  EXPECT_THAT(listed_nodes()[2], HasSubstr("does not answer")) << "a folder reaches itself alone";
}

TEST_F(Membership, OfADirectoryNeedsACredentialToChange) {
  repository_ = nodes_[0];
  for (const Outcome& outcome : {add({folder() + "/four", "", 0, false}), remove({"x", 0, false})})
    EXPECT_THAT(outcome.said, AllOf(HasSubstr("is a directory, which is one node"),
                                    HasSubstr("holdfast key export")));
}

TEST_F(Membership, NeedsTheRoleForWhatIsAskedFor) {
  const std::string reads = credential_that_may(format::kAppend | format::kRead);
  const std::string only_reads = credential_that_may(format::kRead);
  const std::string appends = credential_that_may(format::kAppend);
  repository_ = reads;
  for (const Outcome& outcome : {add({folder() + "/four", "", 0, false}), remove({"x", 0, false}),
                                 add_agent_called("other", folder() + "/other")})
    EXPECT_THAT(outcome.said, HasSubstr("may not change")) << outcome.code;
  repository_ = only_reads;
  EXPECT_THAT(run(backup_it()).said, HasSubstr("may not add snapshots"));
  repository_ = appends;
  for (const Command& command :
       {Command([](Session& session) { return list_snapshots(session, {}); }), verify_all(),
        Command([](Session& session) { return repair(session, {}); }),
        Command([](Session& session) { return export_key(session, ""); }), restore_to("x")})
    EXPECT_THAT(run(command).said, HasSubstr("may not read what is stored"));
}

TEST_F(Membership, RefusesNodesThatAreNotThereOrNotMeant) {
  const std::string first = ids()[0];
  EXPECT_THAT(remove({"unknown", 0, false}).said, HasSubstr("no node is called unknown"));
  EXPECT_THAT(remove({first.substr(0, 3), 0, false}).said, HasSubstr("no node is called"))
      << "too short for an id";
  EXPECT_THAT(add({folder() + "/four", "unknown", 0, false}).said,
              AllOf(HasSubstr("--replaces"), HasSubstr("no node is called unknown")));
  EXPECT_THAT(add({nodes_[0], first, 0, false}).said, HasSubstr("cannot replace itself"));
  EXPECT_THAT(add({"four", "", 0, false}).said, HasSubstr("neither a folder nor an invitation"));
  EXPECT_THAT(remove({first, 4, false}).said, HasSubstr("charter")) << "a quorum of 4 of 2 nodes";
  EXPECT_EQ(listed_nodes().size(), 3U);
}

TEST_F(Membership, TakesAnIdOnlyAsFarAsItIsOneNodes) {
  const Outcome changed = change([](format::Charter& next) {
    for (const std::uint8_t last : std::array<std::uint8_t, 2>{1, 2}) {
      format::CharterNode node = next.nodes[0];
      node.id = NodeId{{0xab, 0xcd, last}};
      node.name = fmt::format("far-{}", last);
      node.address.endpoint = fmt::format("dir:/nowhere/{}", last);
      node.address.server_key[0] ^= last;
      next.nodes.push_back(node);
    }
    next.write_quorum = 2;
  });
  ASSERT_EQ(changed.code, kDone) << changed.said;
  EXPECT_THAT(remove({"abcd", 0, false}).said, HasSubstr("more than one node is called abcd"));
  const Outcome removed = remove({"abcd01", 0, true});
  EXPECT_EQ(removed.code, kDone) << removed.said;
  EXPECT_EQ(listed_nodes().size(), 4U);
}

TEST_F(Membership, ChangesNothingForANodeThatCannotBeReached) {
  const Outcome added = add({invitation_to("nonsense"), "", 0, false});
  EXPECT_EQ(added.code, kFailed);
  EXPECT_THAT(added.said, HasSubstr("nothing was changed: nowhere at nonsense cannot be reached"));
  InitOptions options;
  options.kdf_cost = "low";
  options.nodes = {folder() + "/new", invitation_to("nonsense")};
  const std::string owner = std::exchange(repository_, folder() + "/new.credential");
  const Outcome made = run([&](Session& session) { return init(session, options); });
  EXPECT_THAT(made.said, HasSubstr("nothing was created: nowhere: "));
  EXPECT_FALSE(std::filesystem::exists(repository_));
  repository_ = owner;
  EXPECT_EQ(listed_nodes().size(), 3U);
}

TEST_F(Membership, NodeLeavesNothingBehindUnlessForced) {
  take_away(nodes_[1]);
  take_away(nodes_[2]);
  ASSERT_EQ(remove({"x", 0, false}).code, kFailed);
  bring_back(nodes_[1]);
  bring_back(nodes_[2]);
  NodeRemoveOptions options;
  const std::vector<std::string> all = ids();
  for (const std::string& id : {all[2], all[1]}) {
    options.node = id;
    ASSERT_EQ(remove(options).code, kDone);
  }
  options.node = all[0];
  EXPECT_THAT(remove(options).said, HasSubstr("is the only node"));
  // A new one has nothing yet.
  const std::string four = folder() + "/four";
  ASSERT_EQ(add({four, "", 0, false}).code, kDone);
  const Outcome refused = remove(options);
  EXPECT_THAT(refused.said, HasSubstr("1 of 1 snapshots are whole on no other node that answers"));
  EXPECT_THAT(add({folder() + "/five", all[0], 0, false}).said,
              HasSubstr("1 of 1 snapshots are whole on no other node that answers"));
  const auto objects =
      objects_of([](Session& session) { return repair(session, {.dry_run = true}); });
  EXPECT_EQ(object_of(objects, "node")["missing"], 1);
  options.force = true;
  const auto removed = objects_of([&](Session& session) { return remove_node(session, options); });
  EXPECT_EQ(object_of(removed, "node_removed")["nodes"], 1);
  EXPECT_THAT(run(restore_to(folder() + "/restored")).said, HasSubstr("no snapshot"));
}

// holdfast had opened the folder already, and waited for itself to leave it.
TEST_F(Membership, FolderOfANodeThatIsKnownWasInUseWhenItWasNamedAgain) {
  access_.lock_wait = Duration(0);
  const Outcome known = add({nodes_[0], "", 0, false});
  EXPECT_EQ(known.code, kDone) << known.said;
  std::filesystem::remove_all(nodes_[1] + "/repositories");
  const Outcome lost = add({nodes_[1], "", 0, false});
  EXPECT_EQ(lost.code, kDone) << lost.said;
  EXPECT_THAT(listed_nodes()[1], EndsWith(" answers"));
  EXPECT_EQ(run([](Session& session) { return repair(session, {}); }).code, kDone);
  expect_clean();
  InitOptions twice;
  twice.kdf_cost = "low";
  twice.nodes = {folder() + "/new", folder() + "/new"};
  repository_ = folder() + "/new.credential";
  EXPECT_THAT(run([&](Session& session) { return init(session, twice); }).said,
              HasSubstr("charter: "));
}

TEST_F(Membership, NodeTakesAnothersPlaceThoughItHoldsTheRepositoryAlready) {
  const std::vector<std::string> all = ids();
  const auto added = objects_of([&](Session& session) {
    return add_node(session, {nodes_[0], all[1], 0, false});
  });
  EXPECT_EQ(object_of(added, "node_added")["nodes"], 2);
  ASSERT_EQ(add({folder() + "/four", all[0], 0, true}).code, kDone);
  EXPECT_EQ(listed_nodes().size(), 2U);
  EXPECT_NE(ids()[0], all[0]);
}

TEST_F(Membership, NodeThatMovedIsReachedWhereItIsNow) {
  const std::string first = ids()[0], elsewhere = folder() + "/elsewhere";
  std::filesystem::rename(nodes_[0], elsewhere);
  const Outcome added = add({elsewhere, "", 0, false});
  EXPECT_EQ(added.code, kDone) << added.said;
  const auto lines = listed_nodes();
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_THAT(lines[0], AllOf(StartsWith(first), HasSubstr("/elsewhere"), EndsWith(" answers")));
  expect_clean();
}

TEST_F(Membership, FolderThatHoldsAnotherNodeNowDoesNotAnswerAsTheOldOne) {
  std::filesystem::remove_all(nodes_[0]);
  std::filesystem::rename(nodes_[1], nodes_[0]);
  const Outcome shown = run([](Session& session) { return status(session); });
  EXPECT_EQ(shown.code, kFailed);
  EXPECT_THAT(shown.said,
              AllOf(HasSubstr("holds another node than it did"), HasSubstr("1 of 3 nodes answer")));
}

TEST_F(Membership, QuorumStaysWhatWasAskedForAsFarAsItFits) {
  const auto quorum_after_removing = [&](std::uint32_t asked_for) {
    NodeRemoveOptions options{ids().back(), asked_for, false};
    const auto objects =
        objects_of([&](Session& session) { return remove_node(session, options); });
    return object_of(objects, "node_removed")["write_quorum"].get<int>();
  };
  ASSERT_EQ(change([](format::Charter& next) { next.write_quorum = 3; }).code, kDone);
  EXPECT_EQ(quorum_after_removing(0), 2) << "all of them, where it was all of them";
  ASSERT_EQ(add({folder() + "/four", "", 3, false}).code, kDone);
  EXPECT_EQ(quorum_after_removing(1), 1);
}

TEST_F(Membership, WrongPassphraseChangesNothing) {
  ::setenv("HOLDFAST_PASSPHRASE", "wrong", 1);
  const std::string file = folder() + "/other.credential";
  for (const Outcome& outcome :
       {add({folder() + "/four", "", 0, false}), remove({ids()[0], 0, true}),
        remove({ids()[0], 0, false}), add_agent_called("other", file),
        run([&](Session& session) { return export_key(session, file); }),
        run([](Session& session) { return list_snapshots(session, {}); })})
    EXPECT_EQ(outcome.code, kWrongPassphraseGiven) << outcome.said;
  EXPECT_FALSE(std::filesystem::exists(file));
  EXPECT_EQ(listed_nodes().size(), 3U);
}

TEST_F(Membership, AgentIsNotAddedWhereTooFewNodesTakeIt) {
  take_away(nodes_[1]);
  take_away(nodes_[2]);
  const std::string file = folder() + "/other.credential";
  const Outcome added = add_agent_called("other", file);
  EXPECT_EQ(added.code, kFailed);
  EXPECT_THAT(added.said, HasSubstr("1 of 3 nodes took the change and 2 must"));
  EXPECT_FALSE(std::filesystem::exists(file)) << "it could never be used";
}

TEST_F(Membership, AgentsNameIsOneThatCanBeShown) {
  for (const std::string& name : {std::string(), std::string(65, 'a'), std::string("\xff"),
                                  std::string("a\nb"), std::string("a/b")})
    EXPECT_THAT(add_agent_called(name, folder() + "/file").said,
                HasSubstr("an agent's name has 1 to 64 printable bytes and no '/'"));
  EXPECT_EQ(add_agent_called(std::string(64, 'a'), folder() + "/long").code, kDone);
}

// Its credential lies where the command was called, if nothing else was said.
TEST_F(Membership, NameOfARevokedAgentMayBeGivenAgain) {
  std::filesystem::current_path(folder());
  ASSERT_EQ(add_agent_called("other").code, kDone);
  ASSERT_TRUE(std::filesystem::exists("other.credential"));
  EXPECT_THAT(add_agent_called("other", folder() + "/again").said,
              HasSubstr("there is an agent other already"));
  ASSERT_EQ(change([](format::Charter& next) { next.agents.back().revoked = true; }).code, kDone);
  const auto agents = objects_of([](Session& session) { return list_agents(session); });
  ASSERT_EQ(agents.size(), 2U);
  EXPECT_EQ(agents[0]["revoked"], false);
  EXPECT_EQ(agents[1]["revoked"], true);
  EXPECT_THAT(run([](Session& session) { return list_agents(session); }).printed,
              AllOf(HasSubstr(" active\n"), HasSubstr(" revoked\n")));
  const std::string owner = std::exchange(repository_, folder() + "/other.credential");
  const Outcome refused = run(backup_it());
  EXPECT_EQ(refused.code, kFailed);
  EXPECT_THAT(refused.said, HasSubstr("was revoked; `holdfast agent add` makes a new one"));
  repository_ = owner;
  EXPECT_EQ(add_agent_called("other", folder() + "/again").code, kDone);
  ASSERT_EQ(change([](format::Charter& next) { next.agents.pop_back(); }).code, kDone);
  repository_ = folder() + "/again";
  EXPECT_THAT(run(backup_it()).said, HasSubstr("is not in the repository's charter"));
}

TEST_F(Membership, ExportedKeySavesAndRestoresWithThePassphrase) {
  const Outcome exported = run([](Session& session) { return export_key(session, ""); });
  ASSERT_EQ(exported.code, kDone);
  PosixFileSystem files;
  repository_ = folder() + "/recovery.credential";
  ASSERT_TRUE(write_file_atomically(files, repository_, as_bytes(exported.printed)));
  EXPECT_EQ(run(backup_it()).code, kDone);
  EXPECT_EQ(run(restore_to(folder() + "/restored")).code, kDone);
  std::filesystem::permissions(repository_, std::filesystem::perms::others_read,
                               std::filesystem::perm_options::add);
  EXPECT_THAT(run(backup_it()).said, HasSubstr("can be read by others, and holds keys; chmod 600"));
}

TEST_F(Membership, StatusOfAnAgentNamesTheNodeThatIsBehindWithTheCharter) {
  take_away(nodes_[2]);
  const std::string file = folder() + "/other.credential";
  ASSERT_EQ(add_agent_called("other", file).code, kDone);
  bring_back(nodes_[2]);
  repository_ = file;
  EXPECT_THAT(run([](Session& session) { return status(session); }).printed,
              HasSubstr("  has charter version 1 of 2\n"));
}

// No command of any kind says or does anything else.
TEST_F(Membership, WithoutAnyNodeEveryCommandSaysWhy) {
  for (const std::string& node : nodes_) take_away(node);
  const std::string file = folder() + "/file";
  for (const Command& command :
       std::vector<Command>{backup_it(), restore_to(folder() + "/restored"), verify_all(),
                            [](Session& session) { return list_snapshots(session, {}); },
                            [](Session& session) {
                              return list_entries(session, {"latest", {}, false});
                            },
                            [](Session& session) { return status(session); },
                            [](Session& session) { return repair(session, {}); },
                            [](Session& session) { return list_nodes(session); },
                            [](Session& session) { return list_agents(session); },
                            [&](Session& session) {
                              return add_node(session, {file, "", 0, false});
                            },
                            [](Session& session) {
                              return remove_node(session, {"x", 0, true});
                            },
                            [&](Session& session) {
                              return add_agent(session, {"other", file});
                            },
                            [&](Session& session) { return export_key(session, file); }}) {
    const Outcome outcome = run(command);
    EXPECT_EQ(outcome.code, kFailed);
    EXPECT_THAT(outcome.said, AllOf(HasSubstr("no node can be reached: "), HasSubstr("/two")));
    EXPECT_FALSE(std::filesystem::exists(file));
  }
}

// A node that was set back, as from an old image.
TEST_F(Membership, NodesThatWentBackBehindAKnownCharterAreSaidToHave) {
  for (const std::string& node : nodes_)
    std::filesystem::copy(node, node + ".old", std::filesystem::copy_options::recursive);
  ASSERT_EQ(add_agent_called("other", folder() + "/other.credential").code, kDone);
  for (const std::string& node : nodes_) {
    std::filesystem::remove_all(node);
    std::filesystem::rename(node + ".old", node);
  }
  EXPECT_THAT(run([](Session& session) { return list_nodes(session); }).said,
              HasSubstr("the nodes that answer have version 1 of the charter, and version 2 was "
                        "seen here before"));
}

}  // namespace
}  // namespace holdfast::cli
