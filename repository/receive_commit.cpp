// Prepare, Commit, Head and ListManifests: which snapshots there are. A commit is answered only
// once its manifest, and with it everything appended before, is durable.
#include <fmt/format.h>

#include <algorithm>

#include "common/base/planted_bug.h"
#include "repository/hosted_repository.h"

namespace holdfast::repository {
namespace {

// A page of manifests: what fits well into a message's head.
constexpr std::size_t kMaxPageBytes = std::size_t{4} << 20;
constexpr std::size_t kMaxPageEntries = 4'096;
static_assert(kMaxPageBytes + format::kMaxManifestSize + kMaxPageEntries * 32 < wire::kMaxHeadSize);

void fail_naming(const Answer& answer, const Error& error, const ObjectId& root) {
  const bool missing = error.code() == Code::kMissingObjects;
  answer.fail(error, std::span(&root, missing ? 1 : 0));
}

}  // namespace

Status HostedRepository::require_present(const ObjectId& root) {
  HOLDFAST_ASSIGN(const std::vector<bool> present, store().present(std::span(&root, 1)));
  if (present.front() || HOLDFAST_PLANTED("commit without the root")) return {};
  return Error(Code::kMissingObjects, fmt::format("the root {} is not present", root.short_hex()));
}

void HostedRepository::receive_prepare(const wire::PrepareRequest& request, const Answer& answer) {
  const auto root = ObjectId::from(as_bytes(request.root()));
  if (!root) return answer.fail(Error(Code::kProtocol, "prepare: an object's id has 32 bytes"));
  if (auto present = require_present(*root); !present)
    return fail_naming(answer, present.error(), *root);
  wire::ReplyProto reply;
  reply.mutable_prepare();
  if (store().unsynced_bytes() == 0) return answer.succeed(std::move(reply));
  answer_when_durable(answer, std::move(reply));
}

Result<format::SignedManifest> HostedRepository::accept_manifest(
    const Asker& asker, const wire::CommitRequest& request) const {
  HOLDFAST_ASSIGN(format::SignedManifest manifest,
                  format::parse_manifest(as_bytes(request.manifest())));
  if (manifest.manifest.repository != id_)
    return Error(Code::kForged, "manifest: it was made for another repository");
  HOLDFAST_ASSIGN_OR(const format::CharterAgent* author,
                     membership_->author(manifest.manifest.agent), "manifest");
  if (!asker.may_bring_from(author->id))
    return Error(Code::kPermissionDenied,
                 fmt::format("manifest: who may only append commits its own snapshots, not those "
                             "of agent {}",
                             author->id.short_hex()));
  if (!HOLDFAST_PLANTED("believe a manifest without its signature"))
    HOLDFAST_TRY(format::verify_manifest(manifest, author->verify_key));
  if (!request.copied()) {
    HOLDFAST_TRY(snapshots_.check_order(manifest));
  } else if (!asker.has(format::kRead)) {
    return Error(Code::kPermissionDenied, "manifest: only who may read copies what another has");
  }
  return manifest;
}

void HostedRepository::receive_commit(const Asker& asker, const wire::CommitRequest& request,
                                      const Answer& answer) {
  const auto manifest = accept_manifest(asker, request);
  if (!manifest) return answer.fail(manifest.error());
  const ObjectId& root = manifest->manifest.root;
  if (auto present = require_present(root); !present)
    return fail_naming(answer, present.error(), root);

  wire::ReplyProto reply;
  const auto place = snapshots_.find(manifest->id);
  reply.mutable_commit()->set_already(place.has_value());
  // The manifest may be durable for long while what it needs was lost and came again just now.
  if (place && snapshots_.is_durable(*place) &&
      (store().unsynced_bytes() == 0 || HOLDFAST_PLANTED("forget what a known manifest needs")))
    return answer.succeed(std::move(reply));
  if (!place) {
    try_to_write_again();
    const UnixTime received = ports_.clock.wall();
    const Status appended = store().append_manifest(manifest->id, root, received, manifest->bytes);
    if (!appended) {
      watch_read_only();
      return fail_naming(answer, appended.error(), root);
    }
    snapshots_.append(*manifest, received);
  }
  if (HOLDFAST_PLANTED("acknowledge a commit before its sync")) return answer.succeed(reply);
  answer_when_durable(answer, std::move(reply));
}

void HostedRepository::receive_head(const Asker& asker, const wire::HeadRequest& request,
                                    const Answer& answer) {
  std::optional<AgentId> agent;
  if (!request.agent().empty()) {
    agent = AgentId::from(as_bytes(request.agent()));
    if (!agent) return answer.fail(Error(Code::kProtocol, "head: an agent's id has 32 bytes"));
  } else if (asker.agent != nullptr) {
    agent = asker.agent->id;
  } else {
    return answer.fail(Error(Code::kInvalidArgument,
                             "head: the process that embeds the node names the agent it means"));
  }
  if (!asker.may_bring_from(*agent))
    return answer.fail(
        Error(Code::kPermissionDenied, "head: who may only append asks for its own"));
  wire::ReplyProto reply;
  wire::HeadReply& head = *reply.mutable_head();
  if (const Snapshot* newest = snapshots_.head(*agent)) {
    const auto present = roots_present(std::span(newest, 1));
    if (!present) return answer.fail(present.error());
    head.set_sequence(newest->sequence);
    head.set_manifest_id(newest->id.str());
    head.set_root(newest->root.str());
    head.set_complete(present->front());
    if (const auto record = store().manifest(newest->id))
      head.set_manifest(to_string(record->signed_bytes));
  }
  answer.succeed(std::move(reply));
}

void HostedRepository::receive_list_manifests(const Asker& asker,
                                              const wire::ListManifestsRequest& request,
                                              const Answer& answer) {
  const std::span<const Snapshot> all = snapshots_.durable();
  std::size_t at = 0;
  if (!request.after().empty()) {
    const auto id = ManifestId::from(as_bytes(request.after()));
    const auto place = id ? snapshots_.find(*id) : std::nullopt;
    if (!place || !snapshots_.is_durable(*place))
      return answer.fail(
          Error(Code::kNotFound, "list: the manifest to go on behind is not here; begin anew"));
    at = *place + 1;
  }
  wire::ReplyProto reply;
  wire::ListManifestsReply& page = *reply.mutable_list_manifests();
  std::size_t bytes = 0;
  for (; at < all.size(); ++at) {
    if (!asker.may_bring_from(all[at].agent) &&
        !HOLDFAST_PLANTED("list the snapshots of others to who may only append"))
      continue;
    if (bytes >= kMaxPageBytes ||
        static_cast<std::size_t>(page.manifests_size()) >= kMaxPageEntries) {
      page.set_more(true);
      break;
    }
    auto record = store().manifest(all[at].id);
    if (!record) continue;  // none is forgotten while a node runs
    bytes += record->signed_bytes.size();
    wire::ManifestEntryProto& entry = *page.add_manifests();
    entry.set_manifest(to_string(record->signed_bytes));
    entry.set_received_ns(record->received.nanoseconds);
    entry.set_complete(record->complete);
  }
  answer.succeed(std::move(reply));
}

}  // namespace holdfast::repository
