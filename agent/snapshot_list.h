// The snapshots of a repository as all nodes together list them, and how one is picked.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/node_link.h"
#include "common/crypto/secret.h"
#include "common/format/charter.h"
#include "common/format/manifest.h"

namespace holdfast::agent {

struct SnapshotCopy {
  std::size_t node = 0;  // which link
  UnixTime received;
  bool complete = false;  // all below the root is there
};

struct Snapshot {
  format::SignedManifest manifest;
  std::optional<format::SnapshotDetail> detail;  // where the private key is at hand and it opened
  std::vector<SnapshotCopy> copies;              // in order of nodes, at least one
  const ManifestId& id() const { return manifest.id; }
  UnixTime claimed_time() const { return manifest.manifest.claimed_time; }
  UnixTime received() const;  // by the earliest node
  const SnapshotCopy* copy_on(std::size_t node) const;
};

// What somebody should look at, though everything that was asked for may be there.
struct SnapshotWarning {
  enum class Kind {
    kForged,      // a node lists a manifest that does not verify; it is not in the list
    kUnreadable,  // a detail that does not open, or of a newer version
    kFork,        // one agent, one sequence number, two snapshots; or a chain that does not link
    kWithheld,    // a node does not list what another lists and it should have by its own head
    kRollback,    // no node that answers lists what was seen here before
  };
  Kind kind;
  std::string message;
};

struct SnapshotList {
  struct Unreachable {
    std::size_t node;
    Error reason;
  };
  // By the earliest receipt, but each agent's in the order in which it made them; the newest last.
  std::vector<Snapshot> snapshots;
  std::vector<std::string> nodes;  // names, one a link
  std::vector<Unreachable> unreachable;
  std::vector<SnapshotWarning> warnings;
  bool is_reachable(std::size_t node) const;
};

// Asks all links for their manifests, page by page, and unites what they say. Nothing of it is
// believed that a signature does not cover, but the receipt times and completeness. Loop thread
// only; one listing per object.
class SnapshotListing {
 public:
  using Done = std::function<void(SnapshotList)>;

  // `private_key` null: without details. All outlive the listing; keys are copied.
  SnapshotListing(std::vector<NodeLink*> links, format::Charter charter,
                  const crypto::SecretKey* private_key, EventLoop& loop, Executor& executor);
  ~SnapshotListing() { *alive_ = false; }
  SnapshotListing(const SnapshotListing&) = delete;
  SnapshotListing& operator=(const SnapshotListing&) = delete;

  // `done` comes from the loop, once each node gave its last page or was found unreachable, and may
  // destroy the listing.
  void start(Done done);

 private:
  struct Page {
    std::size_t node;
    wire::ListManifestsReply reply;
  };
  class Reading;
  void ask(std::size_t node, const std::string& after);
  void take_page(std::size_t node, Result<NodeLink::Reply> reply);
  void read_pages();

  std::vector<NodeLink*> links_;
  EventLoop& loop_;
  Executor& executor_;
  Done done_;
  std::size_t open_nodes_ = 0;
  std::vector<std::size_t> pages_read_;  // per node
  std::vector<Page> pages_;
  std::shared_ptr<Reading> reading_;  // with the executor while it reads
  bool busy_ = false;
  std::vector<SnapshotList::Unreachable> unreachable_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace holdfast::agent
