// Snapshots sealed once, to be put into as many stores as a test makes: sealing and signing cost
// far more than what a store does with the result.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "common/format/manifest.h"
#include "tests/testing/test_repository.h"

namespace holdfast::testing {

class SealedSnapshots {
 public:
  struct Frame {
    Bytes bytes;
    format::ParsedFrame parsed;  // points into `bytes`
  };
  struct Snapshot {
    Frame chunks, others;  // data
    Frame low, root;       // lists: `low` of the chunks; `root` of `low`, of another list in the
                           // same frame, and through that of the others
    format::SignedManifest manifest;
    const ObjectId& root_id() const { return manifest.manifest.root; }
    std::vector<const Frame*> frames() const { return {&chunks, &others, &low, &root}; }
  };

  // `count` snapshots of one agent, `chunk_size` bytes a chunk.
  SealedSnapshots(std::uint64_t seed, std::size_t count, std::size_t chunk_size);

  const std::vector<Snapshot>& all() const { return all_; }
  // Records of charter versions 1, 2, ...
  const std::vector<Bytes>& charters() const { return charters_; }
  // Every object of every snapshot with its refs.
  const std::map<ObjectId, std::vector<ObjectId>>& refs() const { return refs_; }
  // Whether these are the bytes of a sealed frame that holds the object.
  bool holds(ByteView frame, const ObjectId& id) const;

 private:
  Frame seal(format::FrameRole role, const std::vector<PlainObject>& objects);

  TestRepository repository_;
  std::vector<Snapshot> all_;
  std::vector<Bytes> charters_;
  std::map<ObjectId, std::vector<ObjectId>> refs_;
  std::map<ObjectId, std::vector<Bytes>> frames_of_;
};

}  // namespace holdfast::testing
