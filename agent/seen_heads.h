// The newest snapshot of each agent that was ever seen here, in a small local file: what nodes that
// were rolled back, or all agree to withhold something, are caught by.
//
// file := "holdfast heads 1\n" ( agent in hex ' ' sequence number ' ' manifest in hex '\n' )*
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/snapshot_list.h"
#include "common/ports/file_system.h"

namespace holdfast::agent {

class SeenHeads {
 public:
  struct Head {
    std::uint64_t sequence = 0;
    ManifestId id;
    friend bool operator==(const Head&, const Head&) = default;
  };

  // Blocking. A file that is not there is one without heads; kCorrupt for one that is damaged,
  // after which the caller may go on without, at the price of one unnoticed rollback.
  static Result<SeenHeads> load(FileSystem& files, const std::string& path);
  Status save(FileSystem& files, const std::string& path) const;

  // kRollback where no node that answered lists what was seen here, nor anything later of that
  // agent; kFork where another snapshot has its place. What single nodes do not list is among the
  // warnings of the list itself.
  std::vector<SnapshotWarning> compare(const SnapshotList& list) const;
  // Takes over the newest of the list; a head never goes back. True if anything changed.
  bool advance(const SnapshotList& list);
  // A snapshot that was removed on purpose is not missed.
  void forget(const ManifestId& id);

  const std::map<AgentId, Head>& heads() const { return heads_; }

 private:
  std::map<AgentId, Head> heads_;
};

// What is done with every list that came: it is compared with the heads in this file, which then go
// on to the list's: durable, unless a warning says that it is not. A file that could not be read,
// but may be good, is not written over. Blocking. In words, all that somebody should know.
std::vector<std::string> compare_with_seen(FileSystem& files, const std::string& path,
                                           const SnapshotList& list);

}  // namespace holdfast::agent
