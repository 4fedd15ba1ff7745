#include "cli/parent_catalog.h"

#include <algorithm>

#include "agent/catalog_fetch.h"
#include "agent/snapshot_list.h"

namespace holdfast::cli {
namespace {

using agent::Snapshot;
using agent::SnapshotList;

const Snapshot* newest_of(const SnapshotList& list, const AgentId& agent, const std::string& host,
                          const std::vector<std::string>& paths) {
  const auto found =
      std::find_if(list.snapshots.rbegin(), list.snapshots.rend(), [&](const Snapshot& snapshot) {
        return snapshot.detail && snapshot.manifest.manifest.agent == agent &&
               snapshot.detail->host == host && snapshot.detail->paths == paths;
      });
  return found == list.snapshots.rend() ? nullptr : &*found;
}

}  // namespace

bool fetch_parent_catalog(Workplace& work, RepositoryAccess& access,
                          std::shared_ptr<const agent::ReaderKeys> keys, const AgentId& agent,
                          const std::string& host, const std::vector<std::string>& paths,
                          const std::string& path) {
  const auto charter = access.charter();
  if (!charter) return false;
  agent::SnapshotListing listing(access.links(), (*charter)->charter, &keys->private_key, work.loop,
                                 work.pool);
  const auto list = work.await<std::shared_ptr<SnapshotList>>([&](const auto& done) {
    listing.start(
        [done](SnapshotList found) { done(std::make_shared<SnapshotList>(std::move(found))); });
  });
  const Snapshot* const parent = newest_of(*list, agent, host, paths);
  bool fetched = false;
  if (parent != nullptr) {
    agent::ObjectFetcher fetcher(access.links(), std::move(keys), work.loop, work.clock, work.pool,
                                 access.fetch_policy());
    agent::CatalogFetch fetch(fetcher, work.files, work.loop, work.pool);
    const std::string unfinished = path + ".fetched";
    fetched = work.await<bool>([&](const auto& done) {
      fetch.start(parent->manifest.manifest.root, parent->manifest.bytes, unfinished,
                  {.below = "", .whole = true},
                  [done](const auto& result) { done(result.has_value()); });
    });
    work.drain();
    fetched = fetched && work.files.rename(unfinished, path).has_value();
    if (!fetched) static_cast<void>(work.files.remove(unfinished));
  }
  return fetched;
}

}  // namespace holdfast::cli
