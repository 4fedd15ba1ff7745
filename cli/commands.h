// The commands of `holdfast`, one function each. They print their results and return the process's
// exit code, or the error that the caller prints.
#pragma once

#include <string>
#include <vector>

#include "cli/backup_source.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "cli/repository_access.h"
#include "cli/workplace.h"

namespace holdfast::cli {

// What every command gets.
struct Session {
  Workplace& work;
  Output& output;
  AccessOptions access;
};

struct InitOptions {
  std::vector<std::string> nodes;   // invites or folders; none: the repository is a folder
  std::uint32_t write_quorum = 0;   // 0: the default
  std::string kdf_cost = "normal";  // or low, high
};
Result<int> init(Session& session, const InitOptions& options);

struct BackupOptions {
  SourceOptions source;
  std::vector<std::string> tags;
  std::string host;  // empty: this machine's name
  bool dry_run = false;
};
Result<int> backup(Session& session, const BackupOptions& options);

// Which snapshots: by --host, --tag, --path.
struct FilterOptions {
  std::vector<std::string> hosts, tags, paths;
};
Result<int> list_snapshots(Session& session, const FilterOptions& filter);

struct ListOptions {
  std::string snapshot;  // SNAPSHOT or SNAPSHOT:PATH
  FilterOptions filter;
  bool long_form = false;
};
Result<int> list_entries(Session& session, const ListOptions& options);

struct RestoreCommandOptions {
  std::string snapshot;  // SNAPSHOT or SNAPSHOT:PATH; with `at` empty or :PATH
  std::string at;
  FilterOptions filter;
  std::string target, overwrite = "always";
  std::vector<std::string> includes, excludes;
  bool remove_others = false, dry_run = false, verify = false;
};
Result<int> restore(Session& session, const RestoreCommandOptions& options);

struct VerifyCommandOptions {
  bool read_data = false;
  std::string subset;
};
Result<int> verify(Session& session, const VerifyCommandOptions& options);

Result<int> status(Session& session);

struct RepairCommandOptions {
  bool dry_run = false;
};
Result<int> repair(Session& session, const RepairCommandOptions& options);

struct NodeAddOptions {
  std::string invite;              // or a folder
  std::string replaces;            // name or id of a node that leaves; empty: none does
  std::uint32_t write_quorum = 0;  // 0: as before, or what suits the number where that was so
  bool force = false;              // though it leaves snapshots behind that no other node has
};
Result<int> add_node(Session& session, const NodeAddOptions& options);
struct NodeRemoveOptions {
  std::string node;  // name or id
  std::uint32_t write_quorum = 0;
  bool force = false;
};
Result<int> remove_node(Session& session, const NodeRemoveOptions& options);
Result<int> list_nodes(Session& session);

struct AgentAddOptions {
  std::string name, file;
};
Result<int> add_agent(Session& session, const AgentAddOptions& options);
Result<int> list_agents(Session& session);

Result<int> export_key(Session& session, const std::string& file);

}  // namespace holdfast::cli
