// What an agent meets whose node lies: a repository with a snapshot that was really made, on one
// node that an input turns into a liar and, if the input says so, on an honest one beside it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/format/field_scan.h"
#include "tests/fuzz/fuzzed_node.h"
#include "tests/simulation/agent_runs.h"
#include "tests/simulation/sim_loop.h"
#include "tests/testing/test_repository.h"

namespace holdfast::fuzz {

// The same in every run.
struct FuzzedSnapshot {
  FuzzedSnapshot();

  testing::TestRepository keys{5};  // of the repository, and of its one agent, who may everything
  format::Charter charter;          // names kLiar and kHonest
  std::unique_ptr<agent::WriterKeys> writer;
  std::shared_ptr<const agent::ReaderKeys> reader;
  testing::MemorySource source;  // as it was backed up
  Bytes catalog;                 // the agent's copy
  format::SignedManifest manifest;
  std::map<ObjectId, Bytes> objects;  // payloads of all that the snapshot consists of
  NodeFiles files;                    // of a node that has it
};
const FuzzedSnapshot& fuzzed_snapshot();

constexpr const char* kLiar = "liar";
constexpr const char* kHonest = "honest";

// What the liar may do with an answer, less one the number of a field in its script.
enum LieKind : Byte {
  kTruth,
  kSilence,
  kBytes,          // these bytes as the head
  kMoreFields,     // fields of a reply, merged into the true one
  kOtherFields,    // fields of a reply, in the place of the true ones
  kOtherBody,      // these bytes as the frame
  kAlteredFrame,   // bits flipped under a good checksum and signature
  kSealedFrame,    // a header and a plaintext of its own under a good seal
  kEarlierAnswer,  // what it said to another request
  kLate,
  kTwice,
  kRestart,         // another incarnation from now on
  kSignedManifest,  // one more in a list, of these fields, signed with the agent's key
  kLies
};

// Two nodes and the wires to them, and what the agent's process is made of.
class AgentAmongLiars {
 public:
  // `script` says what the liar makes of its answers; see agent_target.cpp. Behind its end it says
  // nothing any more.
  AgentAmongLiars(ByteView script, bool is_beside_honest);
  // One node that does not lie, over the files that there are so far.
  explicit AgentAmongLiars(const FuzzedSnapshot& unfinished);

  testing::RunPorts ports() { return {loop_, loop_, loop_, random_, disk_}; }
  std::unique_ptr<Dialer> dialer();
  const format::Charter& charter() const { return charter_; }
  void set_write_quorum(std::uint32_t nodes) { charter_.write_quorum = nodes; }
  simulation::SimFileSystem& disk() { return disk_; }
  // The agent has its copy of the snapshot's catalog.
  void remember_snapshot();

  // Aborts unless the run comes to its end, and soon.
  void finish(testing::Run& run);
  // By what the honest node says.
  bool honest_node_lists(const ManifestId& id);
  NodeFiles files_of_liar() { return liar_.files(); }

  // So far: bytes of what the liar sent, and whether it used the agent's own key for a manifest.
  std::size_t lied_bytes() const { return lied_bytes_; }
  bool has_forged_manifest() const { return has_forged_manifest_; }

 private:
  class Wire;
  class Wires;
  struct Lie {
    Byte how;
    ByteView bytes;
  };
  struct Answer {
    Message message;
    Duration after;
  };
  std::vector<FuzzedNode::Reply> truth(FuzzedNode& node, const Message& message);
  std::vector<Answer> answers_of_liar(const Message& message);
  std::optional<Lie> next_lie();
  void tell(const Lie& lie, FuzzedNode::Reply& reply);

  testing::SimLoop loop_;
  testing::SeededRandom random_{6};
  simulation::SimFileSystem disk_;
  format::Charter charter_;
  format::FieldScan script_{ByteView{}};
  bool always_true_ = false;
  FuzzedNode liar_;
  std::unique_ptr<FuzzedNode> honest_;
  std::vector<FuzzedNode::Reply> told_;  // what the liar answered so far
  std::uint64_t other_incarnation_ = 0;  // 0: its own
  std::size_t lied_bytes_ = 0;
  bool has_forged_manifest_ = false;
};

}  // namespace holdfast::fuzz
