// What tests of lists of snapshots share: a charter, the snapshots of its agent, and the list that
// the nodes give of them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/snapshot_list.h"
#include "tests/unit/agent/made_snapshot.h"

namespace holdfast::testing {

class SnapshotListFixture : public ReaderFixture {
 protected:
  using Kind = agent::SnapshotWarning::Kind;

  SnapshotListFixture() {
    admin_ = crypto::SecretKey::generate(repository_.random);
    charter_.admin_key = crypto::SigningKey(admin_.clone()).verify_key();
    repository_.id = charter_.repository();
    add_agent("laptop", repository_.agent);
  }
  void add_agent(const std::string& name, const crypto::SigningKey& key) {
    format::CharterAgent agent;
    agent.id = format::agent_id(key.verify_key());
    agent.name = name;
    agent.verify_key = key.verify_key();
    charter_.agents.push_back(agent);
  }
  // The next snapshot of the laptop, `hour` hours after the epoch.
  format::SignedManifest next(std::int64_t hour, const format::SnapshotDetail& detail = {}) {
    auto manifest = make_manifest(repository_, repository_.agent, repository_.random_id(),
                                  ++sequence_, last_, {hour * kHour}, detail);
    last_ = manifest.id;
    return manifest;
  }
  void put(std::size_t node, const format::SignedManifest& manifest, std::int64_t hour,
           bool complete = true) {
    nodes_[node]->put_manifest(manifest.bytes, {hour * kHour}, complete);
  }
  agent::SnapshotList list(bool with_key = true) {
    std::vector<agent::NodeLink*> links;
    for (auto& link : links_) links.push_back(link.get());
    agent::SnapshotListing listing(links, charter_, with_key ? &repository_.private_key : nullptr,
                                   loop_, loop_);
    std::optional<agent::SnapshotList> result;
    listing.start([&](agent::SnapshotList listed) { result = std::move(listed); });
    EXPECT_TRUE(loop_.run_until([&] { return result.has_value(); }));
    return std::move(*result);
  }
  static std::vector<Kind> kinds(const std::vector<agent::SnapshotWarning>& warnings) {
    std::vector<Kind> all;
    for (const auto& warning : warnings) all.push_back(warning.kind);
    return all;
  }

  static constexpr std::int64_t kHour = 3'600'000'000'000;
  crypto::SecretKey admin_;
  format::Charter charter_;
  std::uint64_t sequence_ = 0;
  std::optional<ManifestId> last_;
};

}  // namespace holdfast::testing
