// How one snapshot is picked from a list: by a prefix of its id, "latest", "latest~N" or a time, of
// those that a filter lets through.
#pragma once

#include <string_view>

#include "agent/snapshot_list.h"

namespace holdfast::agent {

// As restic's flags: a snapshot passes if it has one of the hosts, all tags of one of the groups,
// and all of the paths. What is empty asks nothing. A snapshot whose detail did not open passes
// only where nothing is asked.
struct SnapshotFilter {
  std::vector<std::string> hosts = {};
  std::vector<std::vector<std::string>> tags = {};
  std::vector<std::string> paths = {};  // absolute
  bool passes(const Snapshot& snapshot) const;
};

// "latest" is the last of the list among those that pass; "latest~1" the one before. An id prefix
// is hexadecimal and looks at all snapshots, whatever the filter. kInvalidArgument for what is
// neither and for a prefix that fits several (they are named), kNotFound.
Result<const Snapshot*> select_snapshot(const SnapshotList& list, std::string_view selector,
                                        const SnapshotFilter& filter = {});
// The newest by claimed time at or before `time`; of one time, the higher sequence number.
// kNotFound with the oldest there is.
Result<const Snapshot*> select_at(const SnapshotList& list, UnixTime time,
                                  const SnapshotFilter& filter = {});

}  // namespace holdfast::agent
