// What agents do, each from its beginning to its end, as the programs do it: with links of its own
// to every node. A run never blocks: something steps the loop until done(). Destroying it earlier
// is what killing the program is.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/backup_session.h"
#include "agent/catalog_fetch.h"
#include "agent/node_repair.h"
#include "agent/restore_session.h"
#include "agent/verify_session.h"
#include "tests/simulation/memory_tree.h"
#include "tests/unit/agent/memory_target.h"

namespace holdfast::testing {

// Where a run happens. All outlive it.
using RunPorts = agent::BackupPorts;

using Files = std::map<std::string, Bytes>;  // path and content of regular files

class Run {
 public:
  Run(RunPorts ports, std::unique_ptr<Dialer> dialer) : ports_(ports), dialer_(std::move(dialer)) {}
  virtual ~Run() = default;
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  bool done() const { return done_; }
  // Bytes of frames that some link sent beyond what it may; 0 if all keep to it.
  std::size_t excess_bytes(std::size_t largest_frame) const;

  // Links on which answers may still come when whoever asked has gone.
  struct Connections {
    std::unique_ptr<Dialer> dialer;
    std::vector<std::unique_ptr<agent::NodeLink>> links;
  };
  // Takes them from a run that is destroyed next.
  Connections release_connections() { return {std::move(dialer_), std::move(links_)}; }

 protected:
  void connect(const std::vector<format::CharterNode>& nodes, const RepositoryId& repository,
               const agent::LinkPolicy& policy);
  std::vector<agent::NodeLink*> links() const;

  RunPorts ports_;
  std::unique_ptr<Dialer> dialer_;
  std::vector<std::unique_ptr<agent::NodeLink>> links_;
  bool done_ = false;
};

class BackupRun final : public Run {
 public:
  BackupRun(RunPorts ports, std::unique_ptr<Dialer> dialer, const format::Charter& charter,
            const agent::WriterKeys& writer, MemorySource& source,
            const agent::LinkPolicy& policy = {}, std::uint64_t upload_bytes_per_s = 0);
  void interrupt() { session_->interrupt(); }
  agent::BackupProgress progress() const { return session_->progress(); }
  // What the source held when it began.
  const std::shared_ptr<const Files>& contents() const { return contents_; }
  const Result<agent::BackupReport>& result() const { return *result_; }

 private:
  MemoryScan scan_;
  std::shared_ptr<const Files> contents_;
  std::optional<Result<agent::BackupReport>> result_;
  std::unique_ptr<agent::BackupSession> session_;
};

class RestoreRun final : public Run {
 public:
  RestoreRun(RunPorts ports, std::unique_ptr<Dialer> dialer,
             const std::vector<format::CharterNode>& nodes,
             std::shared_ptr<const agent::ReaderKeys> reader, format::SignedManifest snapshot,
             const agent::LinkPolicy& policy = {});
  const format::SignedManifest& snapshot() const { return snapshot_; }
  // Files that were given out as whole, also by a restore that met problems.
  const Files& files() const { return files_; }
  // Of the whole: everything that the snapshot holds came.
  const Status& outcome() const { return outcome_; }

 private:
  void take_catalog(Result<agent::FetchedCatalog> fetched);
  void take_files(Result<agent::RestoreResult> restored);

  format::SignedManifest snapshot_;
  std::shared_ptr<const agent::ReaderKeys> reader_;
  agent::ObjectFetcher fetcher_;
  agent::CatalogFetch fetch_;
  MemoryTarget target_;
  std::unique_ptr<agent::RestoreSession> restore_;
  Status outcome_;
  Files files_;
};

class ListingRun final : public Run {
 public:
  ListingRun(RunPorts ports, std::unique_ptr<Dialer> dialer, const format::Charter& charter,
             std::shared_ptr<const agent::ReaderKeys> reader, const agent::LinkPolicy& policy = {});
  const agent::SnapshotList& list() const { return list_; }

 private:
  std::shared_ptr<const agent::ReaderKeys> reader_;
  agent::SnapshotListing listing_;
  agent::SnapshotList list_;
};

class VerifyRun final : public Run {
 public:
  VerifyRun(RunPorts ports, std::unique_ptr<Dialer> dialer, const format::Charter& charter,
            std::shared_ptr<const agent::ReaderKeys> reader, bool read_data,
            const agent::LinkPolicy& policy = {});
  bool reads_data() const { return options_.read_data.has_value(); }
  const agent::VerifyResult& result() const { return result_; }

 private:
  agent::VerifyOptions options_;
  std::shared_ptr<const agent::ReaderKeys> reader_;
  agent::SnapshotListing listing_;
  agent::VerifySession session_;
  agent::VerifyResult result_;
};

// Every node that answers brought whole from the others, one after the other.
class RepairRun final : public Run {
 public:
  RepairRun(RunPorts ports, std::unique_ptr<Dialer> dialer, const format::Charter& charter,
            const agent::WriterKeys& writer, std::shared_ptr<const agent::ReaderKeys> reader,
            const agent::LinkPolicy& policy = {});
  // By node; of those that lacked something and could be reached.
  const std::map<std::size_t, agent::RepairReport>& reports() const { return reports_; }
  const agent::SnapshotList& list() const { return list_; }

 private:
  void repair_next();

  const agent::WriterKeys& writer_;
  std::shared_ptr<const agent::ReaderKeys> reader_;
  agent::SnapshotListing listing_;
  agent::SnapshotList list_;
  std::size_t next_ = 0;
  std::unique_ptr<agent::NodeRepair> repair_;
  std::map<std::size_t, agent::RepairReport> reports_;
};

// The same request to some nodes, each once.
class CallRun final : public Run {
 public:
  // Builds the request for the nth node; nullopt: it is not asked.
  using Request = std::function<std::optional<wire::RequestProto>(std::size_t node)>;
  CallRun(RunPorts ports, std::unique_ptr<Dialer> dialer,
          const std::vector<format::CharterNode>& nodes, const RepositoryId& repository,
          const Request& request, const agent::LinkPolicy& policy = {});
  // By node; of those that were asked.
  const std::map<std::size_t, Result<agent::NodeLink::Reply>>& replies() const { return replies_; }

 private:
  std::map<std::size_t, Result<agent::NodeLink::Reply>> replies_;
  std::size_t open_ = 0;
};

// Brings every node that can be reached to the newest charter, one version after the other.
class CharterRun final : public Run {
 public:
  // `charters` are all versions, from the first; only an admin's or the embedder's dialer will do.
  CharterRun(RunPorts ports, std::unique_ptr<Dialer> dialer,
             std::vector<format::SignedCharter> charters, const agent::LinkPolicy& policy = {});
  std::size_t up_to_date() const { return up_to_date_; }
  const std::optional<Error>& refusal() const { return refusal_; }

 private:
  void ask(agent::NodeLink& link);
  void put(agent::NodeLink& link, std::uint64_t version);
  void end(const std::optional<Error>& refusal);

  std::vector<format::SignedCharter> charters_;
  std::size_t open_ = 0, up_to_date_ = 0;
  std::optional<Error> refusal_;
};

}  // namespace holdfast::testing
