// An open repository, as -r names it: a directory, which is a node embedded here, or a credential
// file and the nodes that it names.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/object_fetcher.h"
#include "agent/repository_keys.h"
#include "cli/local_state.h"
#include "cli/node_connections.h"
#include "cli/passphrase_source.h"
#include "common/format/charter.h"
#include "common/format/credential.h"

namespace holdfast::cli {

constexpr std::uint64_t kMostKibPerSecond = std::uint64_t{1} << 32;

struct AccessOptions {
  std::string repository;  // -r
  PassphraseOptions passphrase;
  Duration lock_wait = std::chrono::seconds(60);
  std::uint64_t upload_kib_s = 0, download_kib_s = 0;  // over all nodes; 0: no limit
};

// Loop thread only; blocking calls run the loop.
class RepositoryAccess {
 public:
  // Begins to connect. kNoRepository with what to do, kInvalidArgument for a file that is no
  // credential, kConflict if a directory stays in use.
  static Result<std::unique_ptr<RepositoryAccess>> open(Workplace& work, Output& output,
                                                        const AccessOptions& options);

  const RepositoryId& id() const { return id_; }
  bool is_directory() const { return !credential_; }
  std::vector<agent::NodeLink*> links() const { return connections_.links(); }
  NodeConnections& connections() { return connections_; }
  LocalState& local() { return *local_; }
  // Waits a moment for the links that still connect.
  void settle() { connections_.settle(kGrace); }

  // The newest charter that any node, or this machine's memory, has; nodes with the one before get
  // it. kUnavailable if no node answers.
  Result<const format::SignedCharter*> charter();
  // What adding snapshots takes; asks for the passphrase only where the credential does not say.
  Result<agent::WriterKeys> writer_keys();
  // kPermissionDenied for a credential that may only add.
  Result<std::shared_ptr<const agent::ReaderKeys>> reader_keys();
  // Whether reader_keys() costs nothing more than was paid already.
  bool has_secrets() const { return secrets_.has_value(); }
  // What the vault holds. kWrongPassphrase, kPermissionDenied.
  Result<const format::VaultSecrets*> secrets();
  // The newest charter with this change, as its next version, signed and found to be one. On no
  // node yet. Asks for the passphrase.
  Result<format::SignedCharter> next_charter(const std::function<void(format::Charter&)>& change);
  // Gives the next charter to all nodes, to `joining`, which may be null, after the others. Fails,
  // with each node's reason, if fewer of its nodes than the write quorum take it; the others get it
  // later.
  Status replace_charter(const format::SignedCharter& next, agent::NodeLink* joining = nullptr);
  // kPermissionDenied unless the credential has this role.
  Status may(std::uint32_t role, std::string_view what) const;
  // How objects are fetched here, within the limit of the options.
  agent::FetchPolicy fetch_policy() const;
  Status close();

 private:
  static constexpr Duration kGrace = std::chrono::milliseconds(500);

  RepositoryAccess(Workplace& work, Output& output, const AccessOptions& options)
      : work_(work),
        output_(output),
        options_(options),
        log_(output),
        connections_(work, log_, output, options.lock_wait) {}
  Status open_directory(const std::string& path);
  Status open_credential(const std::string& path);
  void connect_to(const std::vector<format::CharterNode>& nodes);
  void leave_all_but(const std::vector<format::CharterNode>& nodes);
  void keep(const format::SignedCharter& charter);
  void hand_on(const format::SignedCharter& charter);

  Workplace& work_;
  Output& output_;
  const AccessOptions options_;
  EmbeddedLog log_;
  NodeConnections connections_;
  RepositoryId id_;
  std::optional<LocalState> local_;
  std::optional<format::Credential> credential_;
  std::optional<format::SignedCharter> charter_;
  bool may_keep_ = true;  // the local copy is not one that could not be read
  std::optional<format::VaultSecrets> secrets_;
};

}  // namespace holdfast::cli
