// Manifests and charters: few, small, asked for often, so all of them are in memory. Each was read
// from its record when the store was opened; one whose record cannot be read is not here.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "common/base/digest.h"
#include "common/base/result.h"
#include "common/ports/clock.h"
#include "repository/store/object_index.h"
#include "repository/store/segment_format.h"

namespace holdfast::repository {

// The payload of a manifest's record.
Bytes encode_manifest_record(UnixTime received, ByteView signed_bytes);
// The version that a serialized CharterRecordProto claims. kCorrupt.
Result<std::uint64_t> charter_version(ByteView record);

class SignedRecords {
 public:
  struct HeldManifest {
    ManifestId id;
    ObjectId root;
    UnixTime received;
    Bytes signed_bytes;
    Location location;
    std::optional<Location> before;  // it was moved
  };

  // The payload of a record; kCorrupt if it is malformed. What is here already stays as it is.
  Status add(RecordType type, ByteView payload, const Location& location);
  bool has_charter(std::uint64_t version, ByteView record) const;

  // In the order of their records.
  const std::vector<HeldManifest>& manifests() const { return manifests_; }
  const HeldManifest* manifest(const ManifestId& id) const;  // null if it is not here
  // The records of all charters, by version, the newest first.
  std::vector<const Bytes*> charters() const;

  // Those whose record begins within the range, to be written again, and where that was done.
  struct Held {
    RecordType type;
    Bytes payload;
    Location location;
  };
  std::vector<Held> within(const SegmentRange& range) const;
  void move(const Location& from, const Location& to);

  // Forgets those whose record begins at or behind `end`; one that was moved there is where it was.
  void drop_from(const Checkpoint& end);
  void clear();

 private:
  struct HeldCharter {
    std::uint64_t version;
    Bytes record;
    Location location;
    std::optional<Location> before;
  };
  std::vector<HeldManifest> manifests_;
  std::map<ManifestId, std::size_t> places_;  // in manifests_
  std::vector<HeldCharter> charters_;
};

}  // namespace holdfast::repository
