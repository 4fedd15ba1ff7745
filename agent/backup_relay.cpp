// The last step of a backup: snapshots of this agent that a node missed while it was away, and that
// it could now restore since their content is there, are committed to it in their order.
#include <algorithm>
#include <map>

#include "agent/backup_node_state.h"

namespace holdfast::agent {
namespace {

// More pages than any repository has: a node that never ends is cut off.
constexpr std::size_t kMostPages = 100'000;

using Listed = std::map<ManifestId, format::SignedManifest>;

// The manifests of one agent that a node lists, page after page. What the agent did not sign is
// left out: a node that makes manifests up would fill the memory with them.
struct Listing {
  NodeLink& link;
  crypto::VerifyKey author;
  std::function<void(Result<Listed>)> done;
  Listed found;
  std::size_t pages = 0;

  // What to go on behind; empty if there is nothing.
  std::string take(const wire::ListManifestsReply& page) {
    std::string last;
    for (const auto& entry : page.manifests()) {
      auto manifest = format::parse_manifest(as_bytes(entry.manifest()));
      if (!manifest) continue;
      last = manifest->id.str();
      if (manifest->manifest.agent == format::agent_id(author) &&
          format::verify_manifest(*manifest, author))
        found.insert_or_assign(manifest->id, std::move(*manifest));
    }
    return page.more() && ++pages < kMostPages ? last : std::string();
  }
};

void list_behind(std::string after, std::shared_ptr<Listing> listing) {
  wire::RequestProto request;
  request.mutable_list_manifests()->set_after(after);
  NodeLink& link = listing->link;
  link.call(std::move(request), {},
            [after, listing = std::move(listing)](Result<NodeLink::Reply> reply) mutable {
              if (!reply) return listing->done(std::move(reply).error());
              std::string last = listing->take(reply->proto.list_manifests());
              if (last.empty() || last == after) return listing->done(std::move(listing->found));
              list_behind(std::move(last), std::move(listing));
            });
}

}  // namespace

void BackupSession::relay_missed() {
  const bool needed = std::any_of(nodes_.begin(), nodes_.end(), [](const auto& node) {
    return node->behind && node->step == NodeState::Step::kCommitted;
  });
  if (!needed) return;
  struct Relay {
    std::map<std::size_t, Listed> lists;  // by place in nodes_
    std::size_t open = 0;
  };
  auto relay = std::make_shared<Relay>();
  const auto commit_missed = [this, alive = alive_, relay] {
    std::map<std::uint64_t, const format::SignedManifest*> all;  // by sequence
    for (const auto& [i, list] : relay->lists)
      for (const auto& [id, manifest] : list)
        all.try_emplace(manifest.manifest.sequence, &manifest);
    for (const auto& [i, list] : relay->lists) {
      const auto& node = nodes_[i];
      if (!node->behind) continue;
      for (const auto& [sequence, manifest] : all) {
        if (list.contains(manifest->id)) continue;
        ++open_calls_;
        wire::RequestProto request;
        request.mutable_commit()->set_manifest(to_string(manifest->bytes));
        // A refusal is no failure: what it lacks of that snapshot is not in the source any more.
        node->link.call(std::move(request), {}, [this, alive](Result<NodeLink::Reply> reply) {
          if (!*alive || phase_ == Phase::kEnded) return;
          report_.relayed += reply.has_value();
          --open_calls_;
          advance();
        });
      }
    }
  };
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const auto& node = nodes_[i];
    if (node->link.state() != NodeLink::State::kReady) continue;
    ++relay->open;
    ++open_calls_;
    const auto listed = [this, alive = alive_, relay, i, commit_missed](Result<Listed> list) {
      if (!*alive || phase_ == Phase::kEnded) return;
      --open_calls_;
      if (list) relay->lists[i] = std::move(*list);
      if (--relay->open == 0) commit_missed();
      advance();
    };
    list_behind({}, std::make_shared<Listing>(
                        Listing{node->link, keys_.signing_key.verify_key(), listed, {}, 0}));
  }
}

}  // namespace holdfast::agent
