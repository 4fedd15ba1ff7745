#include "agent/seen_heads.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "common/base/planted_bug.h"

namespace holdfast::agent {
namespace {

constexpr std::string_view kFirstLine = "holdfast heads 1\n";
constexpr std::size_t kMaxFile = std::size_t{64} << 20;
constexpr std::size_t kHex = 2 * ManifestId::kSize;

Error corrupt(const std::string& path) {
  return Error(Code::kCorrupt, path + ": it is no list of heads, or was damaged");
}

}  // namespace

Result<SeenHeads> SeenHeads::load(FileSystem& files, const std::string& path) {
  SeenHeads seen;
  HOLDFAST_ASSIGN(const bool there, files.exists(path));
  if (!there) return seen;
  HOLDFAST_ASSIGN(const Buffer content, read_file(files, path, kMaxFile));
  std::string_view text = as_text(content);
  if (!text.starts_with(kFirstLine)) return corrupt(path);
  text.remove_prefix(kFirstLine.size());
  while (!text.empty()) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos || end < 2 * kHex + 3) return corrupt(path);
    const std::string_view line = text.substr(0, end);
    const auto agent = AgentId::from_hex(line.substr(0, kHex));
    const auto id = ManifestId::from_hex(line.substr(line.size() - kHex));
    const std::string_view number = line.substr(kHex + 1, line.size() - 2 * kHex - 2);
    Head head;
    const auto [stop, error] =
        std::from_chars(number.data(), number.data() + number.size(), head.sequence);
    if (!agent || !id || error != std::errc() || stop != number.data() + number.size() ||
        line[kHex] != ' ' || line[line.size() - kHex - 1] != ' ')
      return corrupt(path);
    head.id = *id;
    seen.heads_[*agent] = head;
    text.remove_prefix(end + 1);
  }
  return seen;
}

Status SeenHeads::save(FileSystem& files, const std::string& path) const {
  std::string text(kFirstLine);
  for (const auto& [agent, head] : heads_)
    text += fmt::format("{} {} {}\n", agent.hex(), head.sequence, head.id.hex());
  return write_file_atomically(files, path, as_bytes(text));
}

std::vector<SnapshotWarning> SeenHeads::compare(const SnapshotList& list) const {
  using Kind = SnapshotWarning::Kind;
  std::vector<SnapshotWarning> warnings;
  if (list.unreachable.size() == list.nodes.size()) return warnings;
  for (const auto& [agent, head] : heads_) {
    const Snapshot* found = nullptr;
    const Snapshot* usurper = nullptr;
    std::uint64_t newest = 0;
    for (const Snapshot& snapshot : list.snapshots) {
      const format::Manifest& manifest = snapshot.manifest.manifest;
      if (manifest.agent != agent) continue;
      newest = std::max(newest, manifest.sequence);
      if (snapshot.id() == head.id)
        found = &snapshot;
      else if (manifest.sequence == head.sequence)
        usurper = &snapshot;
    }
    if (usurper != nullptr)
      warnings.push_back(
          {Kind::kFork,
           fmt::format("snapshot {} stands where {} was seen before (agent {}, sequence number {})",
                       usurper->id().short_hex(), head.id.short_hex(), agent.short_hex(),
                       head.sequence)});
    // Where later ones of the agent are listed, it was removed by a policy as likely as not; what
    // only some nodes list, the list itself warns of.
    if (found == nullptr && usurper == nullptr && newest < head.sequence &&
        !HOLDFAST_PLANTED("say nothing of a rollback"))
      warnings.push_back(
          {Kind::kRollback,
           fmt::format("no node that answers lists snapshot {} (agent {}, sequence number {}), "
                       "which was seen here before: it was forgotten elsewhere, or the nodes were "
                       "rolled back or withhold it",
                       head.id.short_hex(), agent.short_hex(), head.sequence)});
  }
  return warnings;
}

bool SeenHeads::advance(const SnapshotList& list) {
  bool changed = false;
  for (const Snapshot& snapshot : list.snapshots) {
    const format::Manifest& manifest = snapshot.manifest.manifest;
    Head& head = heads_[manifest.agent];
    if (manifest.sequence <= head.sequence) continue;
    head = {manifest.sequence, snapshot.id()};
    changed = true;
  }
  return changed;
}

void SeenHeads::forget(const ManifestId& id) {
  std::erase_if(heads_, [&](const auto& entry) { return entry.second.id == id; });
}

std::vector<std::string> compare_with_seen(FileSystem& files, const std::string& path,
                                           const SnapshotList& list) {
  std::vector<std::string> warnings;
  auto heads = SeenHeads::load(files, path);
  if (!heads) {
    warnings.push_back(
        fmt::format("{}; rollbacks before now go unnoticed", heads.error().message()));
    if (heads.error().code() != Code::kCorrupt) return warnings;
    heads = SeenHeads();
  }
  for (SnapshotWarning& warning : heads->compare(list))
    warnings.push_back(std::move(warning.message));
  if (heads->advance(list))
    if (auto saved = heads->save(files, path); !saved) warnings.push_back(saved.error().message());
  return warnings;
}

}  // namespace holdfast::agent
