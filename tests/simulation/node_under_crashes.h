// A node whose machine stops, or whose disk fails, at any moment, against what it answered: brought
// a repository by invitation, given frames, commits and another charter. Behind every recovery what
// was acknowledged is there, and an invitation is not good for a second repository.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <set>

#include "repository/folder_shelf.h"
#include "repository/node.h"
#include "repository/posix/folder_invitations.h"
#include "tests/simulation/crash_points.h"
#include "tests/simulation/sim_loop.h"
#include "tests/unit/repository/enrolled_repository.h"
#include "tests/unit/repository/node_ports.h"

namespace holdfast::testing {

// All that agents say to the node, signed once.
struct Conversation {
  explicit Conversation(std::uint64_t seed);
  struct Snapshot {
    std::array<ObjectId, 2> objects;
    std::array<SharedBytes, 2> frames;
    format::SignedManifest manifest;
  };
  SeededRandom random;
  repository::EnrolledRepository repository;
  CurveKey invitation{};
  format::SignedCharter first, second;
  std::array<Snapshot, 3> snapshots;  // the last is for going on
};

class NodeUnderCrashes final : public simulation::CrashSubject {
 public:
  explicit NodeUnderCrashes(const Conversation& said);
  ~NodeUnderCrashes() override;

  void work() override;
  void end_process() override;
  void recover() override;
  void check() override;
  std::uint64_t observed() override;
  std::uint64_t promised() const override { return charter_ * 100 + committed_.size(); }
  void go_on() override;
  void settle() override;

 private:
  using Fill = std::function<void(wire::RequestProto&)>;
  Peer owner() const { return {1, repository_.owner.curve}; }
  Peer writer() const { return {2, repository_.writer.curve}; }
  Peer invited() const { return {3, said_.invitation}; }

  // Nothing if the machine stopped before it could answer.
  std::optional<wire::ReplyProto> ask(const Peer& peer, const Fill& fill, SharedBytes body = {});
  // Whether it was acknowledged; expects that.
  bool acknowledges(const char* what, const std::optional<wire::ReplyProto>& reply);
  void put_charter(const Peer& peer, const format::SignedCharter& charter);
  void back_up(const Conversation::Snapshot& snapshot);
  std::uint64_t charter_version();
  bool lists(const Conversation::Snapshot& snapshot);
  bool holds(const ObjectId& id);
  void check(const Conversation::Snapshot& snapshot);

  const Conversation& said_;
  const repository::EnrolledRepository& repository_;
  NodeId id_;
  SeededRandom random_{1};
  repository::RecordingLog log_;
  repository::RecordingResponder responder_;
  std::unique_ptr<SimLoop> loop_;
  std::unique_ptr<repository::FolderInvitations> invitations_;
  std::unique_ptr<repository::FolderShelf> shelf_;
  std::unique_ptr<repository::Node> node_;
  bool serves_ = false;  // it started, with all that it has
  std::uint64_t last_request_ = 0;
  std::uint64_t charter_ = 0;  // acknowledged
  std::set<ManifestId> committed_;
};

}  // namespace holdfast::testing
