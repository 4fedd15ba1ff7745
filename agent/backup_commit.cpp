// The end of a backup: prepare, catch up, commit. See backup_session.h for the order of events.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "agent/backup_node_state.h"
#include "agent/backup_session.h"
#include "common/base/planted_bug.h"

namespace holdfast::agent {
namespace {

constexpr unsigned kMostRebases = 5;

}  // namespace

std::size_t BackupSession::prepared_or_committed() const {
  return static_cast<std::size_t>(std::count_if(nodes_.begin(), nodes_.end(), [](const auto& node) {
    return node->step == NodeState::Step::kPrepared || node->step == NodeState::Step::kCommitting ||
           node->step == NodeState::Step::kCommitted;
  }));
}

// A number that is believed unsigned is one that a node can make up: behind the last there is no
// other, and behind one without a manifest nothing is in order.
std::optional<BackupSession::Head> BackupSession::proven_head(const wire::HeadReply& reply) const {
  const auto manifest = format::parse_manifest(as_bytes(reply.manifest()));
  const crypto::VerifyKey own = keys_.signing_key.verify_key();
  if (!manifest || manifest->manifest.repository != keys_.repository ||
      manifest->manifest.agent != format::agent_id(own) || !format::verify_manifest(*manifest, own))
    return std::nullopt;
  return Head{manifest->manifest.sequence, manifest->id};
}

void BackupSession::sign(std::uint64_t sequence, std::optional<ManifestId> previous) {
  format::Manifest manifest;
  manifest.repository = keys_.repository;
  manifest.agent = format::agent_id(keys_.signing_key.verify_key());
  manifest.sequence = sequence;
  manifest.previous = previous;
  manifest.charter_version = request_.charter_version;
  manifest.root = *root_;
  manifest.claimed_time = began_;
  if (!manifest_) {
    detail_.host = request_.host;
    detail_.user = request_.user;
    detail_.program = "holdfast 0.1.0";
    detail_.paths = request_.paths;
    detail_.tags = request_.tags;
    detail_.ended = clock_.wall();
    detail_.unreadable = report_.problem_count;
    detail_.bytes_added = pipeline_->figures().bytes_added;
    detail_.bytes_stored = pipeline_->figures().bytes_stored;
    manifest_ = format::sign_manifest(std::move(manifest), detail_, run_, keys_.signing_key);
  } else {
    manifest.envelope = manifest_->manifest.envelope;
    manifest.sealed_detail = manifest_->manifest.sealed_detail;
    manifest_ = format::sign_again(std::move(manifest), keys_.signing_key);
  }
}

void BackupSession::conclude() {
  // The streams of the main pass end each for itself: none waits for a slower one.
  if (pipeline_->waits_for_feeds() && !manifest_) {
    std::uint64_t sequence = 0;
    std::optional<ManifestId> head;
    for (const auto& node : nodes_)
      if (node->head_sequence > sequence) {
        sequence = node->head_sequence;
        head = node->head_id;
      }
    if (parent_manifest_ && parent_manifest_->manifest.sequence > sequence &&
        parent_manifest_->manifest.agent == format::agent_id(keys_.signing_key.verify_key())) {
      sequence = parent_manifest_->manifest.sequence;
      head = parent_manifest_->id;
    }
    sign(sequence + 1, head);
    if (auto status = catalog_writer_->finish(*root_, manifest_->bytes); !status)
      return end(std::move(status).error().with_context("local catalog"));
    catalog_writer_.reset();
    auto catalog = CatalogFileReader::open(files_, request_.catalog_path + ".new");
    if (!catalog) return end(std::move(catalog).error().with_context("local catalog"));
    own_catalog_ = std::move(*catalog);
  }
  if (!manifest_) return pipeline_->flush();
  prepare_ready();
  commit_prepared();
  if (open_calls_ != 0) return;
  const bool main_pass_open = std::any_of(nodes_.begin(), nodes_.end(), [](const auto& node) {
    return node->feed.active() && node->step == NodeState::Step::kStreaming && !node->catching_up;
  });
  if (main_pass_open) return;
  catch_up_next();
  if (catch_up_) return;

  // Whoever is missing may be about to come back.
  const bool all = std::all_of(nodes_.begin(), nodes_.end(), [](const auto& node) {
    return node->step == NodeState::Step::kCommitted;
  });
  const std::size_t prepared = prepared_or_committed();
  const Duration patience =
      prepared >= request_.write_quorum ? request_.rejoin : 10 * request_.rejoin;
  const bool may_return = std::any_of(nodes_.begin(), nodes_.end(),
                                      [](const auto& node) { return node->may_return(); });
  if (!all && may_return && clock_.now() - finishing_since_ < patience)
    return;  // watch_stall() comes again
  if (prepared + HOLDFAST_PLANTED("call a backup done on W-1 nodes") < request_.write_quorum)
    return end(quorum_error());
  bring_parent();
  if (catch_up_) return;
  if (!relayed_) {
    relayed_ = true;
    relay_missed();
    if (open_calls_ != 0) return;
  }

  if (auto renamed = files_.rename(request_.catalog_path + ".new", request_.catalog_path); !renamed)
    note({request_.catalog_path, std::move(renamed).error()});
  report_.manifest = manifest_;
  report_.detail = detail_;
  report_.bytes.read = pipeline_->figures().bytes_read;
  for (const auto& node : nodes_) {
    const bool committed = node->step == NodeState::Step::kCommitted;
    report_.committed += committed;
    report_.nodes.push_back({node->feed.name(), committed, node->caught_up,
                             committed ? std::nullopt : std::optional<Error>(node->why()),
                             node->feed.sent_bytes()});
  }
  end(std::move(report_));
}

void BackupSession::prepare_ready() {
  for (const auto& node : nodes_)
    if (node->step == NodeState::Step::kStreaming && !node->catching_up && node->feed.active() &&
        node->feed.drained())
      prepare(*node);
}

void BackupSession::prepare(NodeState& node) {
  if (HOLDFAST_PLANTED("do not ask whether a node is prepared")) {
    node.step = NodeState::Step::kPrepared;
    return;
  }
  node.step = NodeState::Step::kPreparing;
  ++open_calls_;
  wire::RequestProto request;
  request.mutable_prepare()->set_root(root_->str());
  node.link.call(std::move(request), {},
                 [this, alive = alive_, &node](Result<NodeLink::Reply> reply) {
                   if (!*alive || phase_ == Phase::kEnded) return;
                   --open_calls_;
                   if (reply) {
                     node.step = NodeState::Step::kPrepared;
                   } else {
                     node.step = NodeState::Step::kStreaming;
                     if (reply.error().code() == Code::kMissingObjects)
                       node.feed.lag(std::move(reply).error().with_context(node.feed.name()));
                     else
                       node.feed.fail(std::move(reply).error().with_context(node.feed.name()));
                   }
                   advance();
                 });
}

void BackupSession::catch_up_next() {
  if (catch_up_ || HOLDFAST_PLANTED("leave a node behind")) return;
  for (const auto& node : nodes_) {
    if (node->step != NodeState::Step::kStreaming || node->attempts >= 3 || node->hopeless)
      continue;
    if (node->link.state() != NodeLink::State::kReady) continue;
    if (node->feed.state() == NodeFeed::State::kFailed && node->attempts > 0) continue;
    ++node->attempts;
    node->catching_up = true;
    node->behind = true;
    node->feed.activate();
    catching_up_ = node.get();
    catch_up_ = std::make_unique<CatchUp>(
        loop_, executor_, source_, keys_, run_, counter_, identifier_, *own_catalog_, node->feed,
        [this, state = node.get()](Status status, CatchUp::Figures) {
          catch_up_.reset();
          catching_up_ = nullptr;
          state->catching_up = false;
          if (status) {
            state->caught_up = true;
            prepare(*state);
          } else {
            state->hopeless = status.error().code() == Code::kChanged;
            if (state->feed.active()) state->feed.lag(std::move(status).error());
          }
          advance();
        });
    catch_up_->start();
    return;
  }
}

// The snapshot before differs from this one by what changed since; its list objects are in the
// local catalog, and most of what they refer to is on the node by now.
void BackupSession::bring_parent() {
  if (!parent_manifest_) return;
  for (const auto& node : nodes_) {
    if (!node->behind || node->parent_brought || node->step != NodeState::Step::kCommitted ||
        !node->feed.active())
      continue;
    node->parent_brought = true;
    auto catalog = CatalogFileReader::open(files_, request_.catalog_path);
    if (!catalog) return;
    missed_catalog_ = std::move(*catalog);
    catch_up_ = std::make_unique<CatchUp>(loop_, executor_, source_, keys_, run_, counter_,
                                          identifier_, *missed_catalog_, node->feed,
                                          [this](const Status&, CatchUp::Figures) {
                                            // What the source no longer has stays missing there.
                                            catch_up_.reset();
                                            advance();
                                          });
    catch_up_->start();
    return;
  }
}

void BackupSession::commit_prepared() {
  if (prepared_or_committed() + HOLDFAST_PLANTED("commit when W-1 are prepared") <
      request_.write_quorum)
    return;
  for (const auto& node : nodes_)
    if (node->step == NodeState::Step::kPrepared) commit(*node);
}

void BackupSession::commit(NodeState& node) {
  node.step = NodeState::Step::kCommitting;
  ++open_calls_;
  wire::RequestProto request;
  request.mutable_commit()->set_manifest(to_string(manifest_->bytes));
  node.link.call(
      std::move(request), {},
      [this, alive = alive_, &node, id = manifest_->id](Result<NodeLink::Reply> reply) {
        if (!*alive || phase_ == Phase::kEnded) return;
        --open_calls_;
        if (id != manifest_->id) {
          node.step =
              NodeState::Step::kPrepared;  // signed again meanwhile: this node, too, is asked again
        } else if (reply || HOLDFAST_PLANTED("take a refused commit for an acknowledged one")) {
          node.step = NodeState::Step::kCommitted;
        } else if (reply.error().code() == Code::kConflict && rebases_ < kMostRebases) {
          node.step = NodeState::Step::kPrepared;
          rebase();
        } else {
          node.step = NodeState::Step::kStreaming;
          if (reply.error().code() == Code::kMissingObjects)
            node.feed.lag(std::move(reply).error().with_context(node.feed.name()));
          else
            node.feed.fail(std::move(reply).error().with_context(node.feed.name()));
        }
        advance();
      });
}

// Another run of the same agent was first on some node: this snapshot takes the place behind the
// newest that any node has.
void BackupSession::rebase() {
  ++rebases_;
  auto newest = std::make_shared<std::pair<std::uint64_t, std::optional<ManifestId>>>(
      manifest_->manifest.sequence - 1, manifest_->manifest.previous);
  auto open = std::make_shared<std::size_t>(0);
  for (const auto& node : nodes_) {
    if (!node->feed.active()) continue;
    ++*open;
    ++open_calls_;
    wire::RequestProto head;
    head.mutable_head()->set_agent(format::agent_id(keys_.signing_key.verify_key()).str());
    node->link.call(
        std::move(head), {}, [this, alive = alive_, newest, open](Result<NodeLink::Reply> reply) {
          if (!*alive || phase_ == Phase::kEnded) return;
          --open_calls_;
          const auto theirs = reply ? proven_head(reply->proto.head()) : std::optional<Head>();
          if (theirs && theirs->sequence > newest->first) *newest = {theirs->sequence, theirs->id};
          if (--*open == 0) {
            sign(newest->first + 1, newest->second);
            for (const auto& other : nodes_)
              if (other->step == NodeState::Step::kCommitted)
                other->step = NodeState::Step::kPrepared;
            advance();
          }
        });
  }
}

}  // namespace holdfast::agent
