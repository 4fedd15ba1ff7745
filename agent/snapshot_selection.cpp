#include "agent/snapshot_selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "common/base/text.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kMostNamed = 5;

bool contains(const std::vector<std::string>& all, const std::string& one) {
  return std::ranges::find(all, one) != all.end();
}

bool contains_all(const std::vector<std::string>& all, const std::vector<std::string>& wanted) {
  return std::ranges::all_of(wanted, [&](const std::string& one) { return contains(all, one); });
}

Result<const Snapshot*> by_prefix(const SnapshotList& list, std::string_view prefix) {
  const Snapshot* found = nullptr;
  std::string named;
  std::size_t count = 0;
  for (const Snapshot& snapshot : list.snapshots) {
    const std::string id = snapshot.id().hex();
    if (!id.starts_with(prefix)) continue;
    found = &snapshot;
    if (++count <= kMostNamed) named += (count > 1 ? ", " : "") + id.substr(0, prefix.size() + 4);
  }
  if (count > 1)
    return Error(Code::kInvalidArgument,
                 fmt::format("\"{}\" is the beginning of {} snapshots: {}{}", prefix, count, named,
                             count > kMostNamed ? ", ..." : ""));
  if (found == nullptr)
    return Error(Code::kNotFound, fmt::format("no snapshot's id begins with \"{}\"", prefix));
  return found;
}

Result<const Snapshot*> latest(const SnapshotList& list, std::uint64_t before,
                               const SnapshotFilter& filter) {
  std::uint64_t passed = 0;
  for (auto at = list.snapshots.rbegin(); at != list.snapshots.rend(); ++at)
    if (filter.passes(*at) && passed++ == before) return &*at;
  return Error(Code::kNotFound, passed == 0
                                    ? std::string("there is no snapshot that fits")
                                    : fmt::format("there are only {} snapshots that fit", passed));
}

}  // namespace

bool SnapshotFilter::passes(const Snapshot& snapshot) const {
  if (hosts.empty() && tags.empty() && paths.empty()) return true;
  if (!snapshot.detail) return false;
  const format::SnapshotDetail& detail = *snapshot.detail;
  const bool tagged = tags.empty() || std::ranges::any_of(tags, [&](const auto& group) {
                        return contains_all(detail.tags, group);
                      });
  return (hosts.empty() || contains(hosts, detail.host)) && tagged &&
         contains_all(detail.paths, paths);
}

Result<const Snapshot*> select_snapshot(const SnapshotList& list, std::string_view selector,
                                        const SnapshotFilter& filter) {
  constexpr std::string_view kLatest = "latest";
  if (selector == kLatest) return latest(list, 0, filter);
  if (selector.starts_with("latest~")) {
    std::uint64_t before = 0;
    const char* const begin = selector.data() + kLatest.size() + 1;
    const char* const end = selector.data() + selector.size();
    const auto [stop, error] = std::from_chars(begin, end, before);
    if (error == std::errc() && stop == end) return latest(list, before, filter);
  } else if (!selector.empty() && selector.size() <= 2 * ManifestId::kSize) {
    std::string prefix(selector);
    for (char& c : prefix)
      if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
    if (prefix.find_first_not_of("0123456789abcdef") == std::string::npos)
      return by_prefix(list, prefix);
  }
  return Error(Code::kInvalidArgument,
               fmt::format("\"{}\" is no snapshot: give the beginning of an id, latest or latest~N",
                           printable(selector)));
}

Result<const Snapshot*> select_at(const SnapshotList& list, UnixTime time,
                                  const SnapshotFilter& filter) {
  const Snapshot* best = nullptr;
  const auto key = [](const Snapshot& snapshot) {
    return std::pair(snapshot.claimed_time(), snapshot.manifest.manifest.sequence);
  };
  for (const Snapshot& snapshot : list.snapshots)
    if (filter.passes(snapshot) && snapshot.claimed_time() <= time &&
        (best == nullptr || key(*best) <= key(snapshot)))
      best = &snapshot;
  if (best == nullptr)
    return Error(Code::kNotFound, "there is no snapshot that fits and is as old as that");
  return best;
}

}  // namespace holdfast::agent
