#include "tests/unit/agent/made_snapshot.h"

namespace holdfast::testing {

using agent::CatalogBuilder;
using agent::CatalogEntry;
using agent::Entry;
using agent::ListObject;

CatalogEntry& MadeSnapshot::make(const std::string& path, std::uint32_t mode) {
  CatalogEntry& entry = entries_[path];
  entry = {};
  entry.entry.path = path;
  entry.entry.mode = mode;
  entry.entry.mtime = {clock_++, 5};
  entry.entry.inode = next_inode_++;
  entry.entry.device = 1;
  return entry;
}

Entry& MadeSnapshot::folder(const std::string& path) { return make(path, 0040755).entry; }

Entry& MadeSnapshot::symlink(const std::string& path, const std::string& target) {
  Entry& entry = make(path, 0120777).entry;
  entry.target = target;
  return entry;
}

Entry& MadeSnapshot::file(const std::string& path, const std::vector<MadeObject>& chunks) {
  CatalogEntry& entry = make(path, 0100644);
  for (const MadeObject& chunk : chunks) {
    entry.content.refs.push_back(chunk.id);
    if (chunks.size() > 1)
      entry.content.lengths.push_back(static_cast<std::uint32_t>(chunk.payload.size()));
    entry.entry.size += chunk.payload.size();
  }
  return entry.entry;
}

Entry& MadeSnapshot::huge_file(const std::string& path, const std::vector<MadeObject>& chunks,
                               std::size_t chunks_per_list) {
  Entry& entry = make(path, 0100644).entry;
  Huge huge{{}, {}, chunks_per_list};
  for (const MadeObject& chunk : chunks) {
    huge.ids.push_back(chunk.id);
    huge.lengths.push_back(static_cast<std::uint32_t>(chunk.payload.size()));
    entry.size += chunk.payload.size();
  }
  huge_[path] = std::move(huge);
  return entry;
}

void MadeSnapshot::put(CatalogEntry entry) {
  const std::string path = entry.entry.path;
  entries_[path] = std::move(entry);
}

std::vector<CatalogEntry> MadeSnapshot::entries() const {
  std::vector<CatalogEntry> all;
  for (const auto& [path, entry] : entries_) all.push_back(entry);
  return all;
}

ObjectId MadeSnapshot::finish(std::vector<std::unique_ptr<ScriptedNode>>& nodes,
                              std::size_t lists_per_frame) {
  format::ObjectIdentifier identifier(repository_.group_key);
  CatalogBuilder builder(identifier,
                         [&](ListObject&& object) { lists_.push_back(std::move(object)); });
  for (auto& [path, entry] : entries_) {
    if (const auto huge = huge_.find(path); huge != huge_.end()) {
      entry.content.lists = true;
      const auto& [ids, lengths, per_list] = huge->second;
      for (std::size_t at = 0; at < ids.size(); at += per_list) {
        const std::size_t count = std::min(per_list, ids.size() - at);
        entry.content.refs.push_back(builder.add_chunk_list(std::span(ids).subspan(at, count),
                                                            std::span(lengths).subspan(at, count)));
      }
    }
    builder.add(entry);
  }
  const ObjectId root = builder.finish().id;
  auto sealer = repository_.sealer(1);
  format::FrameContent content(format::FrameRole::kMetadata);
  for (std::size_t at = 0; at < lists_.size(); ++at) {
    content.add(lists_[at].id, lists_[at].refs, lists_[at].payload);
    if ((at + 1) % lists_per_frame != 0 && at + 1 != lists_.size()) continue;
    const SharedBytes frame = sealer.seal(content);
    for (auto& node : nodes) node->put_frame(frame);
  }
  return root;
}

format::SignedManifest make_manifest(TestRepository& repository, const crypto::SigningKey& agent,
                                     const ObjectId& root, std::uint64_t sequence,
                                     std::optional<ManifestId> previous, UnixTime claimed,
                                     const format::SnapshotDetail& detail) {
  format::Manifest manifest;
  manifest.repository = repository.id;
  manifest.agent = format::agent_id(agent.verify_key());
  manifest.sequence = sequence;
  manifest.previous = previous;
  manifest.charter_version = 1;
  manifest.root = root;
  manifest.claimed_time = claimed;
  const format::RunKeys run =
      format::begin_run(repository.random, repository.id, repository.public_key);
  return format::sign_manifest(manifest, detail, run, agent);
}

}  // namespace holdfast::testing
