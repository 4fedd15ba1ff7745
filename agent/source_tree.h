// The agent's view of what it backs up: entries in catalog order and their contents. The real one
// reads a file system; a simulation supplies its own.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/entry.h"
#include "common/base/bytes.h"
#include "common/base/result.h"

namespace holdfast::agent {

// What could not be read, for the snapshot's record and the exit code.
struct ScanProblem {
  std::string path;  // absolute
  Error error;
};

// An open file being read from its beginning.
class ContentReader {
 public:
  virtual ~ContentReader() = default;
  // Fills `out` unless the file ends; fewer bytes mean the end.
  virtual Result<std::size_t> read(MutableByteView out) = 0;
  // Compares with the entry as it was scanned, once the reading is done: the entry as it is now if
  // size, mtime, ctime or inode differ (the file changed while it was read), nullopt if not.
  virtual Result<std::optional<Entry>> changed_since(const Entry& scanned) = 0;
};

class SourceTree {
 public:
  virtual ~SourceTree() = default;

  // Visits all entries below (and with) the sources in catalog order, each once, with the folders
  // above the sources as entries too. `visit` returning false ends the scan. Memory is bounded by
  // the largest folder, not by the tree. Entries carry stat data only; see describe(). A problem
  // with one entry or folder goes to `problem` and the scan goes on; an error is returned only when
  // nothing sensible can follow (a source that does not exist).
  virtual Status scan(const std::function<bool(Entry&&)>& visit,
                      const std::function<void(ScanProblem&&)>& problem) = 0;

  // Fills in what stat does not give: symlink target, xattrs and ACLs, names of owner and group.
  // Done only for entries that are new or changed. Thread-safe.
  virtual Status describe(Entry& entry) = 0;

  // Opens the content of a regular file without following links anywhere below the source. kChanged
  // if it is no regular file any more or another inode. Thread-safe.
  virtual Result<std::unique_ptr<ContentReader>> open(const Entry& entry) = 0;
};

}  // namespace holdfast::agent
