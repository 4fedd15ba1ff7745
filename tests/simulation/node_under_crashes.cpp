#include "tests/simulation/node_under_crashes.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/simulation/index_on_disk.h"

namespace holdfast::testing {
namespace {

using repository::FolderInvitations;
using repository::FolderShelf;
using repository::IndexOnDisk;
using repository::Node;
using repository::TestObject;

constexpr const char* kRepositories = "/node/repositories";
constexpr const char* kInvites = "/node/invites";
constexpr repository::StoreLimits kLimits{1500, 512, 0};

}  // namespace

Conversation::Conversation(std::uint64_t seed) : random(seed), repository(random) {
  random.fill(invitation);
  first = repository.first_charter();
  second = repository.charter(2, first.digest);
  const format::SignedManifest* previous = nullptr;
  for (Snapshot& snapshot : snapshots) {
    const TestObject chunk = repository.data(to_string(seeded_bytes(random.uint64(), 300)));
    const TestObject root = repository.list({chunk.id}, "root over " + chunk.id.hex());
    snapshot.objects = {chunk.id, root.id};
    snapshot.frames = {repository.frame(repository.writer, {chunk}),
                       repository.frame(repository.writer, {root})};
    snapshot.manifest = repository.manifest(repository.writer, root.id, previous);
    previous = &snapshot.manifest;
  }
}

NodeUnderCrashes::NodeUnderCrashes(const Conversation& said)
    : said_(said), repository_(said.repository) {
  id_ = NodeId{crypto::sha256(as_bytes("node")).bytes};
  const std::string invitation = std::string(kInvites) + "/" + hex_encode(said.invitation);
  const bool made = make_directories(disk(), kInvites) &&
                    write_file_atomically(disk(), invitation, as_bytes("expires 9000000000\n"));
  holdfast::check(made, "a file on an empty disk");
}

NodeUnderCrashes::~NodeUnderCrashes() { NodeUnderCrashes::end_process(); }

void NodeUnderCrashes::work() {
  recover();
  put_charter(invited(), said_.first);
  back_up(said_.snapshots[0]);
  put_charter(owner(), said_.second);
  back_up(said_.snapshots[1]);
}

void NodeUnderCrashes::end_process() {
  serves_ = false;
  node_.reset();
  shelf_.reset();
  invitations_.reset();
  loop_.reset();
  responder_ = {};
}

void NodeUnderCrashes::recover() {
  end_process();
  loop_ = std::make_unique<SimLoop>();
  invitations_ = std::make_unique<FolderInvitations>(disk(), *loop_, kInvites);
  shelf_ = std::make_unique<FolderShelf>(
      disk(), kRepositories, id_,
      [this](const std::string& path) -> Result<std::unique_ptr<repository::ObjectIndex>> {
        HOLDFAST_ASSIGN(auto index, IndexOnDisk::open(disk(), path));
        return std::unique_ptr<repository::ObjectIndex>(std::move(index));
      },
      kLimits);
  repository::NodeOptions options;
  options.id = id_;
  node_ = std::make_unique<Node>(
      options, repository::NodePorts{*loop_, *loop_, *loop_, random_, responder_, *shelf_,
                                     *invitations_, log_});
  log_.errors.clear();
  Status started = node_->start();
  // A later record that outlived an earlier one looks like damage, and may be.
  for (const std::string& line : log_.errors)
    if (line.find("damaged records skipped") == std::string::npos) started = Error(Code::kIo, line);
  if (excused() && !started) return;  // a node that says so, and is started again
  expect(started, "start");
  serves_ = started.has_value();
  loop_->run_for(std::chrono::milliseconds(1));
}

void NodeUnderCrashes::settle() {
  if (!serves_) return recover();
  loop_->run_for(std::chrono::seconds(20));  // the node itself tries to write again
}

std::optional<wire::ReplyProto> NodeUnderCrashes::ask(const Peer& peer, const Fill& fill,
                                                      SharedBytes body) {
  if (!serves_ || disk().stopped()) return std::nullopt;
  wire::RequestProto request;
  request.set_id(++last_request_);
  request.set_repository(repository_.id().str());
  fill(request);
  node_->on_message(peer, wire::encode(request, std::move(body)));
  const auto answered = [&] { return responder_.replies.contains(last_request_); };
  loop_->run_until(answered, std::chrono::seconds(1));
  EXPECT_TRUE(answered() || disk().stopped()) << "no answer";
  if (!answered()) return std::nullopt;
  return responder_.replies.at(last_request_).proto;
}

bool NodeUnderCrashes::acknowledges(const char* what,
                                    const std::optional<wire::ReplyProto>& reply) {
  if (!reply) {
    EXPECT_TRUE(excused()) << what << ": no answer";
    return false;
  }
  if (!reply->has_error()) return true;
  expect(wire::error_of(*reply), what);
  return false;
}

void NodeUnderCrashes::put_charter(const Peer& peer, const format::SignedCharter& charter) {
  const auto reply = ask(peer, [&](auto& request) {
    request.mutable_put_charter()->set_record(to_string(charter.record));
  });
  if (acknowledges("put a charter", reply)) charter_ = std::max(charter_, charter.charter.version);
}

void NodeUnderCrashes::back_up(const Conversation::Snapshot& snapshot) {
  for (const SharedBytes& frame : snapshot.frames) {
    const auto reply = ask(
        writer(), [](auto& request) { request.mutable_put_frame(); }, frame);
    if (!acknowledges("put a frame", reply)) return;
  }
  const auto reply = ask(writer(), [&](auto& request) {
    request.mutable_commit()->set_manifest(to_string(snapshot.manifest.bytes));
  });
  if (acknowledges("commit", reply)) committed_.insert(snapshot.manifest.id);
}

// ------------------------------------------------------------------ what must hold

std::uint64_t NodeUnderCrashes::charter_version() {
  const auto reply = ask(owner(), [](auto& request) { request.mutable_get_charter(); });
  if (!reply || reply->has_error()) return 0;
  const auto parsed =
      format::parse_charter(as_bytes(reply->get_charter().record()), repository_.id());
  EXPECT_TRUE(parsed);
  return parsed ? parsed->charter.version : 0;
}

bool NodeUnderCrashes::lists(const Conversation::Snapshot& snapshot) {
  const auto reply = ask(owner(), [](auto& request) { request.mutable_list_manifests(); });
  if (!reply) return false;
  for (const auto& entry : reply->list_manifests().manifests()) {
    // One whose frames a crash took is listed as what it is until they come again.
    if (entry.manifest() == to_string(snapshot.manifest.bytes) && entry.complete()) return true;
  }
  return false;
}

bool NodeUnderCrashes::holds(const ObjectId& id) {
  const auto reply = ask(owner(), [&](auto& request) {
    request.mutable_present()->set_ids(wire::join_ids(std::span(&id, 1)));
  });
  if (!reply || reply->has_error()) return false;
  const auto bits = wire::decode_bitmap(reply->present().bitmap(), 1);
  return bits && bits->front();
}

void NodeUnderCrashes::check() {
  ASSERT_TRUE(serves_);
  const std::uint64_t version = charter_version();
  EXPECT_GE(version, charter_) << "an acknowledged charter is lost";
  EXPECT_LE(version, said_.second.charter.version);
  // A repository, and an invitation that is good for another one, must not be there together.
  const auto invitation = invitations_->find(said_.invitation);
  ASSERT_TRUE(invitation && *invitation);
  if (const auto repositories = shelf_->list(); repositories && !repositories->empty()) {
    EXPECT_EQ((*invitation)->used_for, repository_.id());
  }
  for (const auto& snapshot : said_.snapshots) check(snapshot);
}

void NodeUnderCrashes::check(const Conversation::Snapshot& snapshot) {
  const bool listed = lists(snapshot);
  EXPECT_TRUE(listed || !committed_.contains(snapshot.manifest.id))
      << "an acknowledged commit is lost";
  if (!listed) return;
  for (std::size_t i = 0; i < snapshot.objects.size(); ++i) {
    const auto reply = ask(owner(), [&](auto& request) {
      request.mutable_get_frame()->set_id(snapshot.objects[i].str());
    });
    if (!acknowledges("get a frame", reply)) return;
    EXPECT_TRUE(std::ranges::equal(responder_.replies.at(last_request_).body.view(),
                                   snapshot.frames[i].view()));
  }
}

std::uint64_t NodeUnderCrashes::observed() {
  std::uint64_t hash = charter_version();
  for (const auto& snapshot : said_.snapshots)
    hash = hash * 4 + (lists(snapshot) ? 2 : 0) + (holds(snapshot.objects[1]) ? 1 : 0);
  return hash;
}

// Whoever was cut off begins again, and nothing is in the way.
void NodeUnderCrashes::go_on() {
  const std::uint64_t version = charter_version();
  if (version < 2) put_charter(version == 0 ? invited() : owner(), said_.first);
  for (const auto& snapshot : said_.snapshots) back_up(snapshot);
  put_charter(owner(), said_.second);
  EXPECT_EQ(committed_.size(), said_.snapshots.size());
  EXPECT_EQ(charter_, 2U);
}

}  // namespace holdfast::testing
