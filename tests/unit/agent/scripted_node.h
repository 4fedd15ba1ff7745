// A node that an agent under test talks to: it has the frames and manifests that a test gives it,
// and fails in the ways that the test asks for. On a SimLoop.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/ports/transport.h"
#include "common/wire/message.h"
#include "tests/simulation/sim_loop.h"

namespace holdfast::testing {

class ScriptedNode {
 public:
  ScriptedNode(SimLoop& loop, std::string name) : loop_(loop), name_(std::move(name)) {}

  // Knows no object any more.
  void lose_frames() { frames_.clear(); }
  bool has(const ObjectId& id) const { return frames_.contains(id); }
  // Its objects are found in this frame; one that is in several, in the last.
  void put_frame(const SharedBytes& frame);
  // No object of this frame is here any more.
  void remove_frame_of(const ObjectId& id);
  // What it hands out for this object's frame is this instead.
  void replace_frame_of(const ObjectId& id, Bytes instead);
  void put_manifest(ByteView signed_bytes, UnixTime received, bool complete = true);
  void clear_manifests() { manifests_.clear(); }

  // Faults.
  Duration latency = std::chrono::microseconds(200);
  double bytes_per_second = 0;    // one reply after the other; 0: no limit
  bool silent = false;            // takes everything and answers nothing
  std::set<std::string> ignores;  // kinds of requests that are not answered: "get_frame"
  std::size_t frames_before_silence = SIZE_MAX;
  bool forgets_what_is_damaged = true;   // a report makes the frame absent
  bool frames_beyond_its_count = false;  // in what it says about places
  std::size_t manifests_per_page = 100;
  std::set<ObjectId> withheld;  // get_frame of these is not answered
  // Last, of every reply: what it says instead.
  std::function<void(const wire::RequestProto&, wire::ReplyProto&)> alter;
  std::map<std::uint64_t, wire::VerifyReply> verify_steps;  // by step; the last one repeats

  // What it was asked.
  std::size_t frames_served = 0, locates = 0, ids_located = 0;
  std::size_t bytes_served = 0;
  std::vector<ObjectId> reported;  // as damaged
  std::vector<wire::VerifyRequest> verifications;
  std::vector<Bytes> committed;  // manifests

  const std::string& name() const { return name_; }
  void receive(const Message& message, const std::function<void(Message)>& reply);

 private:
  struct Frame {
    std::size_t place;  // in disk order
    SharedBytes bytes;
    std::vector<ObjectId> ids;
  };
  using FramePtr = std::shared_ptr<Frame>;
  struct Listed {
    Bytes bytes;
    UnixTime received;
    bool complete;
  };
  // `body`: the request's, and then the reply's.
  wire::ReplyProto answer(const wire::RequestProto& request, SharedBytes& body);
  void take_frame(const SharedBytes& frame, wire::ReplyProto& reply);
  void locate(const wire::LocateRequest& request, wire::LocateReply& reply);
  void list(const wire::ListManifestsRequest& request, wire::ListManifestsReply& reply);

  SimLoop& loop_;
  std::string name_;
  std::map<ObjectId, FramePtr> frames_;
  std::size_t next_place_ = 0;
  std::vector<Listed> manifests_;
  std::uint64_t verify_step_ = 0;
  Instant free_at_{};
};

// The way to scripted nodes, by name.
class ScriptedDialer final : public Dialer {
 public:
  void add(ScriptedNode& node) { nodes_[node.name()] = &node; }
  Result<std::unique_ptr<Channel>> dial(const NodeAddress& address, Receive receive) override;

 private:
  std::map<std::string, ScriptedNode*> nodes_;
};

}  // namespace holdfast::testing
