// The last step of a backup: snapshots of this agent that a node missed while it was away, and that
// it could now restore since their content is there, are committed to it in their order.
#include <algorithm>
#include <map>

#include "agent/backup_node_state.h"

namespace holdfast::agent {
namespace {

// All manifests that a node lists, page after page.
void list_all(NodeLink& link, std::string after, std::map<ManifestId, std::string> found,
              std::function<void(Result<std::map<ManifestId, std::string>>)> done) {
  wire::RequestProto request;
  request.mutable_list_manifests()->set_after(std::move(after));
  link.call(std::move(request), {},
            [&link, found = std::move(found),
             done = std::move(done)](Result<NodeLink::Reply> reply) mutable {
              if (!reply) return done(std::move(reply).error());
              const wire::ListManifestsReply& page = reply->proto.list_manifests();
              std::string last;
              for (const auto& entry : page.manifests()) {
                auto manifest = format::parse_manifest(as_bytes(entry.manifest()));
                if (!manifest) continue;
                last = manifest->id.str();
                found[manifest->id] = entry.manifest();
              }
              if (!page.more() || last.empty()) return done(std::move(found));
              list_all(link, std::move(last), std::move(found), std::move(done));
            });
}

}  // namespace

void BackupSession::relay_missed() {
  const bool needed = std::any_of(nodes_.begin(), nodes_.end(), [](const auto& node) {
    return node->behind && node->step == NodeState::Step::kCommitted;
  });
  if (!needed) return;
  struct Relay {
    std::map<std::size_t, std::map<ManifestId, std::string>> lists;  // by place in nodes_
    std::size_t open = 0;
  };
  auto relay = std::make_shared<Relay>();
  const auto commit_missed = [this, alive = alive_, relay] {
    std::map<std::uint64_t, std::pair<format::SignedManifest, std::string>> all;  // by sequence
    for (const auto& [i, list] : relay->lists)
      for (const auto& [id, bytes] : list) {
        auto manifest = format::parse_manifest(as_bytes(bytes));
        if (manifest &&
            manifest->manifest.agent == format::agent_id(keys_.signing_key.verify_key()))
          all.try_emplace(manifest->manifest.sequence, std::pair(std::move(*manifest), bytes));
      }
    for (const auto& [i, list] : relay->lists) {
      const auto& node = nodes_[i];
      if (!node->behind) continue;
      for (const auto& [sequence, entry] : all) {
        if (list.contains(entry.first.id)) continue;
        ++open_calls_;
        wire::RequestProto request;
        request.mutable_commit()->set_manifest(entry.second);
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
    list_all(node->link, {}, {}, [this, alive = alive_, relay, i, commit_missed](auto list) {
      if (!*alive || phase_ == Phase::kEnded) return;
      --open_calls_;
      if (list) relay->lists[i] = std::move(*list);
      if (--relay->open == 0) commit_missed();
      advance();
    });
  }
}

}  // namespace holdfast::agent
