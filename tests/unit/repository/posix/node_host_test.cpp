// The whole node, as a client on the network and as the embedding process meets it.
#include "repository/posix/node_host.h"

#include <gtest/gtest.h>

#include <atomic>

#include "common/posix/posix_file_system.h"
#include "common/posix/system_random.h"
#include "common/posix/zmq_dialer.h"
#include "repository/posix/folder_invitations.h"
#include "tests/testing/seed.h"
#include "tests/testing/seeded_random.h"
#include "tests/unit/common/posix/loop_thread.h"
#include "tests/unit/common/posix/temporary_folder.h"
#include "tests/unit/repository/enrolled_repository.h"

namespace holdfast::repository {
namespace {

class QuietLog final : public EventLog {
 public:
  void note(const Event&) override {}
};

// Asks over one channel, and asks again while there is no answer, as an agent does.
class Client {
 public:
  Client(LoopThread& thread, Dialer& dialer, const NodeAddress& address, const RepositoryId& id)
      : thread_(thread), repository_(id) {
    thread_.run([&] {
      auto dialled = dialer.dial(address, [this](Message message) {
        auto reply = wire::decode_reply(message.head);
        check(reply.has_value(), "the node sent what is no reply");
        replies_.change(
            [&](auto& all) { all.insert_or_assign(reply->id(), std::pair(*reply, message.body)); });
      });
      check(dialled.has_value(), "the address is refused");
      channel_ = *std::move(dialled);
    });
  }
  ~Client() {
    thread_.run([&] { channel_.reset(); });
  }
  // An empty reply if there is none.
  std::pair<wire::ReplyProto, SharedBytes> ask(wire::RequestProto request, SharedBytes body = {},
                                               int attempts = 30) {
    request.set_id(++last_id_);
    request.set_repository(repository_.str());
    for (int i = 0; i < attempts; ++i) {
      thread_.run([&] { channel_->send(wire::encode(request, body)); });
      if (replies_.wait([&](const auto& all) { return all.contains(last_id_); },
                        std::chrono::seconds(1)))
        return replies_.get().at(last_id_);
    }
    return {};
  }
  std::string outcome(wire::RequestProto request, SharedBytes body = {}) {
    const auto [reply, ignored] = ask(std::move(request), std::move(body));
    if (reply.id() == 0) return "no answer";
    return reply.has_error() ? reply.error().code() + ": " + reply.error().message() : "ok";
  }

 private:
  LoopThread& thread_;
  const RepositoryId repository_;
  std::unique_ptr<Channel> channel_;
  Watched<std::map<std::uint64_t, std::pair<wire::ReplyProto, SharedBytes>>> replies_;
  std::uint64_t last_id_ = 0;
};

class NodeHostTest : public ::testing::Test {
 protected:
  NodeHostTest() {
    repository.owner.curve = owner_keys.public_key;
    make_folder("tcp://127.0.0.1:0");
  }
  void make_folder(const std::string& listen) {
    check(DataFolder::create(files, path, {"node", listen, ""}).has_value(), "no folder");
  }
  DataFolder folder() {
    auto opened = DataFolder::open(files, path);
    check(opened.has_value(), "no folder");
    return *std::move(opened);
  }
  std::unique_ptr<NodeHost> serve() {
    auto host = NodeHost::serve(folder(), log);
    check(host.has_value(), host ? "" : host.error().message().c_str());
    return *std::move(host);
  }
  NodeAddress address(const NodeHost& host) {
    return {host.endpoint(), folder().keys().public_key};
  }
  static wire::RequestProto put_charter(const format::SignedCharter& charter) {
    wire::RequestProto request;
    request.mutable_put_charter()->set_record(to_string(charter.record));
    return request;
  }
  static wire::RequestProto put_frame() {
    wire::RequestProto request;
    request.mutable_put_frame();
    return request;
  }
  // A frame of data, one with a list over it, and the manifest of that.
  format::SignedManifest back_up(Client& client) {
    const TestObject leaf = repository.data(std::string(100'000, 'x'));
    const TestObject root = repository.list({leaf.id}, "root");
    frame = repository.frame(repository.owner, {leaf});
    leaf_id = leaf.id;
    EXPECT_EQ(client.outcome(put_frame(), frame), "ok");
    EXPECT_EQ(client.outcome(put_frame(), repository.frame(repository.owner, {root})), "ok");
    const auto manifest = repository.manifest(repository.owner, root.id);
    wire::RequestProto commit;
    commit.mutable_commit()->set_manifest(to_string(manifest.bytes));
    EXPECT_EQ(client.outcome(commit), "ok");
    return manifest;
  }
  void expect_backup(Client& client, const format::SignedManifest& manifest) {
    wire::RequestProto list, get;
    list.mutable_list_manifests();
    const auto listed = client.ask(list).first.list_manifests();
    ASSERT_EQ(listed.manifests_size(), 1);
    EXPECT_EQ(listed.manifests(0).manifest(), to_string(manifest.bytes));
    EXPECT_TRUE(listed.manifests(0).complete());
    get.mutable_get_frame()->set_id(leaf_id.str());
    EXPECT_EQ(as_text(client.ask(get).second.view()), as_text(frame.view()));
  }

  PosixFileSystem files;
  TemporaryFolder root_folder;
  const std::string path = root_folder.path() + "/node";
  QuietLog log;
  testing::SeededRandom seeded{testing::seed()};
  EnrolledRepository repository{seeded};
  const CurveKeyPair owner_keys = generate_curve_key_pair();
  SharedBytes frame;
  ObjectId leaf_id;
  SystemRandom random;
  SystemClock clock;
  ZmqContext context;
  LoopThread thread;
};

TEST_F(NodeHostTest, AnInvitedClientCreatesARepositoryWhoseBackupOutlivesTheServer) {
  auto host = serve();
  FolderInvitations invitations(files, clock, folder().invites_path());
  const auto invite = invitations.issue({host->id(), "node", address(*host)});
  ASSERT_TRUE(invite.has_value());
  ZmqDialer guests(context, thread.loop(), random,
                   *curve_key_pair_from_secret(invite->curve_secret.view()));
  ZmqDialer owners(context, thread.loop(), random, owner_keys.clone());
  {
    Client guest(thread, guests, address(*host), repository.id());
    ASSERT_EQ(guest.outcome(put_charter(repository.first_charter())), "ok");
  }
  std::optional<format::SignedManifest> manifest;
  {
    Client owner(thread, owners, address(*host), repository.id());
    manifest = back_up(owner);
    expect_backup(owner, *manifest);
  }
  EXPECT_TRUE(host->stop().has_value());
  host = serve();
  Client owner(thread, owners, address(*host), repository.id());
  expect_backup(owner, *manifest);
}

TEST_F(NodeHostTest, ItsFiguresAreThoseOfTheWholeProcess) {
  const auto host = serve();
  // The disk is probed from the start; its answer comes from another thread.
  std::shared_ptr<const HostFigures> figures;
  do {
    const auto answer = host->figures(std::chrono::minutes(1));
    ASSERT_TRUE(answer.has_value()) << answer.error().message();
    figures = *answer;
  } while (!figures->disk);
  EXPECT_EQ(figures->name, "node");
  EXPECT_EQ(figures->node.id, host->id());
  EXPECT_TRUE(figures->listening);
  EXPECT_GT(figures->disk->total, 0U);
  EXPECT_TRUE(health(*figures).has_value());
}

TEST_F(NodeHostTest, ADiskThatDoesNotAnswerInTimeIsUnwellAndGivesNoSignOfLife) {
  std::atomic<int> alive = 0;
  Watched<std::vector<std::string>> told;
  HostOptions options;
  options.alive = [&] { ++alive; };
  options.status = [&](const std::string& line) {
    told.change([&](auto& lines) { lines.push_back(line); });
  };
  options.probe = {std::chrono::milliseconds(1), Duration{0}};  // no disk is that fast
  auto host = NodeHost::serve(folder(), log, std::move(options));
  ASSERT_TRUE(host.has_value());
  ASSERT_TRUE(told.wait([](const auto& lines) { return lines.size() >= 2; }));
  EXPECT_TRUE(told.get().front().starts_with("Serves ")) << told.get().front();
  EXPECT_TRUE(told.get().back().starts_with("The disk is unwell")) << told.get().back();
  EXPECT_EQ(alive, 0);
  const auto figures = (*host)->figures(std::chrono::minutes(1));
  ASSERT_TRUE(figures.has_value());
  EXPECT_FALSE(health(**figures).has_value());
}

TEST_F(NodeHostTest, ADiskThatAnswersIsASignOfLife) {
  Watched<std::vector<Instant>> alive;
  HostOptions options;
  options.alive = [&] { alive.change([&](auto& times) { times.push_back(clock.now()); }); };
  options.probe = {std::chrono::milliseconds(1), std::chrono::minutes(1)};
  auto host = NodeHost::serve(folder(), log, std::move(options));
  ASSERT_TRUE(host.has_value());
  EXPECT_TRUE(alive.wait([](const auto& times) { return times.size() >= 3; }));
}

TEST_F(NodeHostTest, AKeyThatIsNeitherEnrolledNorInvitedIsNotLetIn) {
  const auto host = serve();
  ZmqDialer strangers(context, thread.loop(), random, generate_curve_key_pair());
  Client stranger(thread, strangers, address(*host), repository.id());
  wire::RequestProto hello;
  hello.mutable_hello()->set_protocol(1);
  EXPECT_EQ(stranger.ask(hello, {}, 1).first.id(), 0U);
}

TEST_F(NodeHostTest, TheSameFolderIsEmbeddedAndThenServed) {
  std::optional<format::SignedManifest> manifest;
  {
    InProcessNetwork network;
    auto host = NodeHost::embed(folder(), network, log);
    ASSERT_TRUE(host.has_value()) << host.error().message();
    EXPECT_EQ((*host)->endpoint(), "dir:" + path);
    InProcessDialer dialer(network, thread.loop());
    Client owner(thread, dialer, {(*host)->endpoint(), {}}, repository.id());
    ASSERT_EQ(owner.outcome(put_charter(repository.first_charter())), "ok");
    manifest = back_up(owner);
    expect_backup(owner, *manifest);
  }
  const auto host = serve();
  ZmqDialer owners(context, thread.loop(), random, owner_keys.clone());
  Client owner(thread, owners, address(*host), repository.id());
  expect_backup(owner, *manifest);
}

TEST_F(NodeHostTest, AFolderInUseIsRefusedOrWaitedFor) {
  InProcessNetwork network;
  auto first = NodeHost::embed(folder(), network, log);
  ASSERT_TRUE(first.has_value());
  const auto served = NodeHost::serve(folder(), log);
  ASSERT_FALSE(served.has_value());
  EXPECT_EQ(served.error().code(), Code::kConflict);

  LockPatience none;
  none.timeout = std::chrono::hours(1);
  none.wait = [](const Error&) { return false; };
  const auto gave_up = NodeHost::embed(folder(), network, log, none);
  ASSERT_FALSE(gave_up.has_value());
  EXPECT_EQ(gave_up.error().code(), Code::kConflict);

  LockPatience patient = none;
  std::string told;
  patient.wait = [&](const Error& error) {
    told = error.message();
    first->reset();
    return true;
  };
  EXPECT_TRUE(NodeHost::embed(folder(), network, log, patient).has_value());
  EXPECT_NE(told.find(path), std::string::npos);
}

TEST_F(NodeHostTest, WhereItListensNeedNotBeWrittenDown) {
  ASSERT_TRUE(files.make_directory(path + "/endpoint"));  // so that no file can be put there
  EXPECT_TRUE(serve()->endpoint().starts_with("tcp://127.0.0.1:"));
}

TEST_F(NodeHostTest, RepositoriesThatCannotBeListedKeepItFromStarting) {
  ASSERT_TRUE(write_file_atomically(files, path + "/repositories", as_bytes("no folder")));
  const auto refused = NodeHost::serve(folder(), log);
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message().find("/repositories"), std::string::npos);
}

TEST_F(NodeHostTest, AnAddressThatIsTakenIsAConflict) {
  const auto first = serve();
  const std::string second = root_folder.path() + "/second";
  ASSERT_TRUE(DataFolder::create(files, second, {"second", first->endpoint(), ""}));
  const auto refused = NodeHost::serve(*DataFolder::open(files, second), log);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), Code::kConflict);
}

TEST_F(NodeHostTest, AFolderWithoutAnAddressIsNotServed) {
  const std::string embedded = root_folder.path() + "/embedded";
  ASSERT_TRUE(DataFolder::create(files, embedded, {"embedded", "", ""}));
  const auto refused = NodeHost::serve(*DataFolder::open(files, embedded), log);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace holdfast::repository
