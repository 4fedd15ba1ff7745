// The folder that holds everything a node is:
//
//   node.toml       its name, where it listens, what it is called from outside, where it is watched
//   node.key        its CURVE secret in hex, mode 0600; from it come its id and its server key
//   endpoint        where it really listens, once it has: for port 0, and for invitations
//   probe           written and synced every so often, to see whether the disk answers
//   lock, process   held by the process that uses the repositories, and that process's number
//   invites/        one file for each invitation, named after its public key
//   repositories/   see repository/folder_shelf.h
//
// The same folder serves an agent that embeds the node and `holdfast-node serve`, one at a time.
#pragma once

#include <memory>
#include <string>

#include "common/format/credential.h"
#include "common/ports/file_system.h"
#include "common/ports/random.h"
#include "common/posix/curve_key_pair.h"
#include "repository/folder_shelf.h"

namespace holdfast::repository {

struct NodeConfiguration {
  std::string name;       // for people; not empty
  std::string listen;     // "tcp://ADDRESS:PORT"; empty for a node that is only embedded
  std::string advertise;  // "tcp://HOST:PORT", where others reach it; empty: at `listen`
  // Where /metrics and /healthz are served: see local_address.h; empty: nowhere.
  std::string metrics = {};
  friend bool operator==(const NodeConfiguration&, const NodeConfiguration&) = default;
};

// SHA-256 of "holdfast v1 node" and the node's CURVE public key.
NodeId node_id(const CurveKey& server_key);

// Any thread, one at a time. `files` outlives it.
class DataFolder {
 public:
  // Makes the folder (and those above it), a key and the configuration. A folder that was only
  // embedded before is given an address and keeps its key. kAlreadyExists if it is a node with an
  // address already, kInvalidArgument for a configuration that cannot work or a folder that holds
  // something else.
  static Status create(FileSystem& files, const std::string& path,
                       const NodeConfiguration& configuration);
  // kNoRepository if there is no node in it, kCorrupt if key or configuration cannot be read. The
  // key is read from `key_path` instead of the folder, if that is not empty.
  static Result<DataFolder> open(FileSystem& files, const std::string& path,
                                 const std::string& key_path = {});

  const std::string& path() const { return path_; }
  const NodeConfiguration& configuration() const { return configuration_; }
  const CurveKeyPair& keys() const { return keys_; }
  NodeId id() const { return node_id(keys_.public_key); }
  std::string invites_path() const { return path_ + "/invites"; }
  FileSystem& files() const { return files_; }
  // The repositories, with their indexes in RocksDB. May outlive this.
  FolderShelf shelf(StoreLimits limits = {}) const;

  // For as long as the repositories are used. kConflict, saying which process has it, if known.
  Result<std::unique_ptr<FileLock>> lock();

  Status write_endpoint(const std::string& endpoint);
  // Where others reach the node. kInvalidArgument with what to do if that cannot be told.
  Result<std::string> public_endpoint() const;

 private:
  DataFolder(FileSystem& files, std::string path, NodeConfiguration configuration,
             CurveKeyPair keys);

  FileSystem& files_;
  std::string path_;
  NodeConfiguration configuration_;
  CurveKeyPair keys_;
};

}  // namespace holdfast::repository
