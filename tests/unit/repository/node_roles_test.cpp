// Who may ask for what: every kind of request from every kind of key, against one table.
#include <functional>
#include <set>

#include "tests/unit/repository/node_fixture.h"

namespace holdfast::repository {
namespace {

using Request = wire::RequestProto;

class NodeRoles : public NodeTest {
 protected:
  struct Kind {
    std::string name;
    std::function<void(Request&)> fill;
    // Of "owner", "writer"...: those for whom it is let through. Everybody else is refused.
    std::string allowed;
  };
  // Requests that fail for other reasons than roles would be no evidence, so what is let through is
  // recognised by any code but these.
  static bool refused(const wire::ReplyProto& reply) {
    const std::string code = outcome_of(reply);
    return code == "permission_denied" || code == "no_repository";
  }
  std::vector<std::pair<std::string, Peer>> askers() {
    CurveKey stranger{}, invited{}, invited_here{};
    random.fill(stranger);
    random.fill(invited);
    random.fill(invited_here);
    invitations.issued[invited] = {};
    invitations.issued[invited_here] = {repository.id()};
    return {{"embedder", embedder},
            {"owner", connect(repository.owner)},
            {"writer", connect(repository.writer)},
            {"reader", connect(repository.reader)},
            {"admin", connect(repository.admin)},
            {"powerless", connect(repository.powerless)},
            {"revoked", connect(repository.revoked)},
            {"stranger", connect(stranger)},
            {"invited", connect(invited)},
            {"invited-here", connect(invited_here)}};
  }
  std::vector<Kind> kinds() {
    const std::string enrolled = " embedder owner writer reader admin powerless ";
    const std::string id(32, 'x');
    const std::string record = to_string(repository.first_charter().record);
    return {
        {"hello", [](Request& r) { r.mutable_hello()->set_protocol(1); },
         enrolled + "invited invited-here "},
        {"ping", [](Request& r) { r.mutable_ping(); }, enrolled},
        {"status", [](Request& r) { r.mutable_status(); }, enrolled},
        {"get_charter", [](Request& r) { r.mutable_get_charter(); }, enrolled + "invited-here "},
        {"present", [](Request& r) { r.mutable_present(); }, " embedder owner writer "},
        {"put_frame", [](Request& r) { r.mutable_put_frame(); }, " embedder owner writer "},
        {"prepare", [=](Request& r) { r.mutable_prepare()->set_root(id); },
         " embedder owner writer "},
        {"commit", [](Request& r) { r.mutable_commit(); }, " embedder owner writer "},
        {"head", [](Request& r) { r.mutable_head(); }, " embedder owner writer "},
        {"list_manifests", [](Request& r) { r.mutable_list_manifests(); },
         " embedder owner writer reader "},
        {"locate", [=](Request& r) { r.mutable_locate()->set_ids(id); }, " embedder owner reader "},
        {"get_frame", [=](Request& r) { r.mutable_get_frame()->set_id(id); },
         " embedder owner reader "},
        {"verify", [](Request& r) { r.mutable_verify()->set_fraction(1); },
         " embedder owner reader "},
        {"report_damage", [=](Request& r) { r.mutable_report_damage()->set_id(id); },
         " embedder owner reader "},
        {"put_charter", [=](Request& r) { r.mutable_put_charter()->set_record(record); },
         " embedder owner admin invited invited-here "},
        {"unknown request", [](Request&) {}, enrolled},
    };
  }
};

TEST_F(NodeRoles, EveryRequestIsLetThroughForExactlyTheRolesOfTheTable) {
  create_repository();
  const auto all = askers();
  for (const Kind& kind : kinds())
    for (const auto& [name, peer] : all) {
      Request proto = request();
      kind.fill(proto);
      const wire::ReplyProto reply = ask(peer, proto);
      const bool allowed = kind.allowed.find(" " + name + " ") != std::string::npos;
      EXPECT_EQ(!refused(reply), allowed) << kind.name << " from " << name << ": "
                                          << outcome_of(reply) << " " << reply.error().message();
    }
}

TEST_F(NodeRoles, TheTableCoversEveryKindOfRequest) {
  std::set<Request::WhatCase> covered;
  for (const Kind& kind : kinds()) {
    Request proto;
    kind.fill(proto);
    covered.insert(proto.what_case());
  }
  for (int what = Request::kHello; what <= Request::kPrepare; ++what)
    EXPECT_TRUE(covered.contains(static_cast<Request::WhatCase>(what))) << what;
}

TEST_F(NodeRoles, ARoleThatWasTakenAwayIsGoneWithTheNextMessageOfTheSameConnection) {
  create_repository();
  const Peer writer = connect(repository.writer);
  Request ping = request();
  ping.mutable_ping();
  EXPECT_EQ(outcome_of(ask(writer, ping)), "ok");
  const auto first = repository.first_charter();
  repository.writer.revoked = true;
  ASSERT_EQ(outcome_of(ask(embedder, charter_request(repository.charter(2, first.digest)))), "ok");
  EXPECT_EQ(outcome_of(ask(writer, ping)), "permission_denied");
  EXPECT_FALSE(node->admits(repository.writer.curve));
}

TEST_F(NodeRoles, TheAllZeroKeyIsNobodyOnANodeThatIsNotEmbedded) {
  repository.powerless.curve = CurveKey{};  // not even if a charter enrols it
  create_repository();
  options.embedded = false;
  restart();
  for (const Kind& kind : kinds()) {
    Request proto = request();
    kind.fill(proto);
    EXPECT_TRUE(refused(ask(connect(CurveKey{}), proto))) << kind.name;
  }
  EXPECT_FALSE(node->admits(CurveKey{}));
}

TEST_F(NodeRoles, ConnectionsAreAdmittedForUnrevokedAgentsAndInvitedKeysOnly) {
  CurveKey stranger{}, invited{};
  random.fill(stranger);
  random.fill(invited);
  EXPECT_FALSE(node->admits(repository.owner.curve));
  create_repository();
  invitations.issued[invited] = {};
  EXPECT_TRUE(node->admits(repository.owner.curve));
  EXPECT_TRUE(node->admits(repository.powerless.curve));
  EXPECT_TRUE(node->admits(invited));
  EXPECT_FALSE(node->admits(repository.revoked.curve));
  EXPECT_FALSE(node->admits(stranger));
  EXPECT_FALSE(node->admits(CurveKey{}));
}

TEST_F(NodeRoles, AnAgentOfOneRepositoryIsAStrangerToAnother) {
  create_repository();
  EnrolledRepository other(random);
  Request put = request();
  put.set_repository(other.id().str());
  put.mutable_put_charter()->set_record(to_string(other.first_charter().record));
  ASSERT_EQ(outcome_of(ask(embedder, put)), "ok");
  Request ping = request();
  ping.set_repository(other.id().str());
  ping.mutable_ping();
  EXPECT_EQ(outcome_of(ask(connect(repository.owner), ping)), "permission_denied");
  EXPECT_EQ(outcome_of(ask(connect(other.owner), ping)), "ok");
}

TEST_F(NodeRoles, ARepositoryThatIsNotHereIsSaidToBeSo) {
  Request ping = request();
  ping.mutable_status();
  EXPECT_EQ(outcome_of(ask(embedder, ping)), "no_repository");
  EXPECT_EQ(outcome_of(ask(connect(repository.owner), ping)), "no_repository");
}

TEST_F(NodeRoles, NobodyIsAdmittedByInvitationsThatCannotBeRead) {
  create_repository();
  CurveKey invited{};
  invited[0] = 7;
  invitations.issued[invited] = {};
  EXPECT_TRUE(node->admits(invited));
  invitations.fail_to_find = true;
  EXPECT_FALSE(node->admits(invited));
  EXPECT_FALSE(log.errors.empty());
  EXPECT_TRUE(node->admits(repository.writer.curve)) << "who is enrolled needs none";
}

}  // namespace
}  // namespace holdfast::repository
