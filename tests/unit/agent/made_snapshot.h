// A snapshot that a test puts together entry by entry, and its list objects in frames on nodes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/catalog_builder.h"
#include "common/format/manifest.h"
#include "tests/unit/agent/reader_fixture.h"

namespace holdfast::testing {

class MadeSnapshot {
 public:
  explicit MadeSnapshot(TestRepository& repository) : repository_(repository) {}

  agent::Entry& folder(const std::string& path);
  agent::Entry& symlink(const std::string& path, const std::string& target);
  // A regular file of these chunks, whose objects are on nodes already.
  agent::Entry& file(const std::string& path, const std::vector<MadeObject>& chunks);
  // The same by lists of so many chunks each.
  agent::Entry& huge_file(const std::string& path, const std::vector<MadeObject>& chunks,
                          std::size_t chunks_per_list);
  // As it is, good or not.
  void put(agent::CatalogEntry entry);

  // Builds the catalog and puts its objects on `nodes`, some in each frame.
  ObjectId finish(std::vector<std::unique_ptr<ScriptedNode>>& nodes,
                  std::size_t lists_per_frame = 8);

  const std::vector<agent::ListObject>& lists() const { return lists_; }  // as emitted
  std::vector<agent::CatalogEntry> entries() const;

 private:
  struct ByPath {
    bool operator()(const std::string& a, const std::string& b) const {
      return agent::compare_paths(a, b) < 0;
    }
  };
  struct Huge {
    std::vector<ObjectId> ids;
    std::vector<std::uint32_t> lengths;
    std::size_t chunks_per_list;
  };
  agent::CatalogEntry& make(const std::string& path, std::uint32_t mode);

  TestRepository& repository_;
  std::map<std::string, agent::CatalogEntry, ByPath> entries_;
  std::map<std::string, Huge> huge_;
  std::vector<agent::ListObject> lists_;
  std::int64_t clock_ = 1'600'000'000;
  std::uint64_t next_inode_ = 100;
};

// Signed by `agent`, with its detail, following `previous` if there is one.
format::SignedManifest make_manifest(TestRepository& repository, const crypto::SigningKey& agent,
                                     const ObjectId& root, std::uint64_t sequence,
                                     std::optional<ManifestId> previous, UnixTime claimed,
                                     const format::SnapshotDetail& detail = {});

}  // namespace holdfast::testing
