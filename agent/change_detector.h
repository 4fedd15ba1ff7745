// The merge of a scan with the snapshot before: which entries are as they were and need not be
// opened. An entry counts as unchanged when type, size, mtime, ctime, inode and device are the
// same, and it was not modified at or after the moment the earlier backup began (a change within
// the same tick of the file system's clock would not show).
#pragma once

#include <vector>

#include "agent/catalog_file.h"
#include "agent/entry_stream.h"
#include "common/ports/clock.h"

namespace holdfast::agent {

struct PlannedEntry {
  enum class Kind { kNew, kChanged, kUnchanged };
  CatalogEntry entry;  // with its content where unchanged
  Kind kind = Kind::kNew;
  std::vector<ObjectId> earlier_refs;  // where changed: what the file held before
};

class ChangeDetector {
 public:
  // `previous` may be null. `began` is when the earlier backup began.
  ChangeDetector(EntryStream& scan, CatalogFileReader* previous, UnixTime began);
  // The next entries; none behind the last. On an executor's thread, one call at a time. A previous
  // catalog that turns out damaged is not used any further.
  Result<std::vector<PlannedEntry>> next();

 private:
  CatalogEntry* earlier(const std::string& path);
  bool unchanged(const Entry& now, const Entry& then) const;
  EntryStream& scan_;
  std::optional<CatalogEntryReader> previous_;
  CatalogEntry* current_ = nullptr;
  Timestamp began_;
};

}  // namespace holdfast::agent
