#include "cli/repository_access.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "common/format/frame.h"
#include "common/format/object.h"

namespace holdfast::cli {
namespace {

constexpr std::size_t kMaxCredential = 1 << 20;
constexpr std::uint32_t kTrustGroup = 0;  // of the owner

wire::RequestProto get_charter() {
  wire::RequestProto request;
  request.mutable_get_charter();
  return request;
}

}  // namespace

Result<std::unique_ptr<RepositoryAccess>> RepositoryAccess::open(Workplace& work, Output& output,
                                                                 const AccessOptions& options) {
  if (options.repository.empty())
    return Error(Code::kNoRepository,
                 "no repository given: -r or HOLDFAST_REPOSITORY names a directory or a credential "
                 "file");
  const std::string path =
      std::filesystem::absolute(options.repository).lexically_normal().string();
  struct stat stat {};
  if (::stat(path.c_str(), &stat) != 0) {
    if (errno == ENOENT || errno == ENOTDIR)
      return Error(Code::kNoRepository,
                   fmt::format("there is no repository at {}; `holdfast init -r {}` creates one",
                               path, options.repository));
    return error_from_errno(errno, path);
  }
  std::unique_ptr<RepositoryAccess> access(new RepositoryAccess(work, output, options));
  if (S_ISDIR(stat.st_mode)) {
    HOLDFAST_TRY(access->open_directory(path));
  } else {
    if ((stat.st_mode & 077) != 0)
      output.warning(fmt::format("{} can be read by others, and holds keys; chmod 600 {}", path,
                                 options.repository));
    HOLDFAST_TRY_OR(access->open_credential(path), path);
  }
  HOLDFAST_ASSIGN(access->local_, LocalState::open(work.files, access->id_));
  return access;
}

Status RepositoryAccess::open_directory(const std::string& path) {
  auto folder = repository::DataFolder::open(work_.files, path);
  if (!folder && folder.error().code() == Code::kNoRepository)
    return Error(
        Code::kNoRepository,
        fmt::format("there is no repository in {}; `holdfast init -r {}` creates one where "
                    "nothing else is",
                    path, options_.repository));
  if (!folder) return std::move(folder).error();
  HOLDFAST_ASSIGN(const auto ids, folder->shelf().list());
  if (ids.empty())
    return Error(Code::kNoRepository, fmt::format("the node in {} holds no repository", path));
  if (ids.size() > 1)
    return Error(
        Code::kInvalidArgument,
        fmt::format("the node in {} holds {} repositories; name one by its credential file", path,
                    ids.size()));
  id_ = ids.front();
  HOLDFAST_ASSIGN(const format::CharterNode node, connections_.embed(std::move(*folder)));
  connections_.connect(node, id_, {});
  return {};
}

Status RepositoryAccess::open_credential(const std::string& path) {
  HOLDFAST_ASSIGN(const Buffer text, read_file(work_.files, path, kMaxCredential));
  HOLDFAST_ASSIGN(credential_, format::parse_credential(as_text(text)));
  id_ = credential_->repository;
  connect_to(credential_->nodes);
  return {};
}

Result<const format::SignedCharter*> RepositoryAccess::charter() {
  if (charter_) return &*charter_;
  auto known = local_->known_charter();
  // Of the nodes that the credential names none may be left; or of these, if it is the newer one.
  if (credential_ && known && *known) connect_to((*known)->charter.nodes);
  connections_.settle(kGrace);
  may_keep_ = known || known.error().code() == Code::kCorrupt;
  if (known)
    charter_ = std::move(*known);
  else
    output_.warning(
        fmt::format("{}; whether nodes go back behind it goes unnoticed", known.error().message()));
  const std::uint64_t seen = charter_ ? charter_->charter.version : 0;
  bool answered = false;
  std::uint64_t newest = 0;
  std::string refusals;
  for (agent::NodeLink* link : links()) {
    if (link->state() != agent::NodeLink::State::kReady) continue;
    auto reply = ask(work_, *link, get_charter());
    auto parsed = reply ? format::parse_charter(as_bytes(reply->proto.get_charter().record()), id_)
                        : Result<format::SignedCharter>(reply.error());
    if (!parsed) {
      refusals += fmt::format("; {}: {}", link->name(), parsed.error().message());
      continue;
    }
    answered = true;
    newest = std::max(newest, parsed->charter.version);
    // The same version again may bring the vault that the local copy was not given.
    if (!charter_ || parsed->charter.version >= charter_->charter.version)
      charter_ = std::move(*parsed);
  }
  if (!answered) {
    charter_.reset();
    return Error(Code::kUnavailable,
                 fmt::format("no node can be reached: {}{}", connections_.reasons(), refusals));
  }
  if (newest < seen)
    output_.warning(fmt::format(
        "the nodes that answer have version {} of the charter, and version {} was seen here before",
        newest, seen));
  if (newest > seen) keep(*charter_);
  hand_on(*charter_);
  if (credential_) {
    connect_to(charter_->charter.nodes);
    leave_all_but(charter_->charter.nodes);
  }
  return &*charter_;
}

// The nodes have it: a local copy that fails is no reason to call undone what was done.
void RepositoryAccess::keep(const format::SignedCharter& charter) {
  if (!may_keep_) return;
  if (auto kept = local_->keep_charter(charter); !kept)
    output_.warning(fmt::format("local copy of the charter: {}", kept.error().message()));
}

namespace {

bool is_reached_by(const agent::NodeLink& link, const format::CharterNode& node) {
  return link.node().id == node.id && link.node().address == node.address;
}

}  // namespace

// Nodes come and move after the credential was written.
void RepositoryAccess::connect_to(const std::vector<format::CharterNode>& nodes) {
  const CurveKeyPair keys = curve_key_pair(credential_->curve_secret);
  for (const format::CharterNode& node : nodes) {
    const auto linked = links();
    if (std::ranges::none_of(linked, [&](auto* link) { return is_reached_by(*link, node); }))
      connections_.connect(node, id_, keys);
  }
}

// And go: connections are to those of the charter, where it says that they are.
void RepositoryAccess::leave_all_but(const std::vector<format::CharterNode>& nodes) {
  for (agent::NodeLink* const link : links())
    if (std::ranges::none_of(nodes, [&](const auto& node) { return is_reached_by(*link, node); }))
      connections_.disconnect(*link);
}

// A node that was away when the charter changed takes it now, if we may bring it. What it says
// does not matter: the next command tries again.
void RepositoryAccess::hand_on(const format::SignedCharter& charter) {
  if (!may(format::kAdmin, "")) return;
  for (agent::NodeLink* link : links()) {
    if (link->state() != agent::NodeLink::State::kReady ||
        link->hello().charter_version() >= charter.charter.version)
      continue;
    wire::RequestProto request;
    request.mutable_put_charter()->set_record(to_string(charter.record));
    static_cast<void>(ask(work_, *link, std::move(request)));
  }
}

Status RepositoryAccess::may(std::uint32_t role, std::string_view what) const {
  if (!credential_ || (credential_->roles & role) != 0) return {};
  return Error(Code::kPermissionDenied,
               fmt::format("the credential of agent {} may not {}: use the owner's",
                           printable(credential_->name), what));
}

Result<const format::VaultSecrets*> RepositoryAccess::secrets() {
  if (secrets_) return &*secrets_;
  HOLDFAST_TRY(may(format::kRead, "read what is stored"));
  HOLDFAST_ASSIGN(const format::SignedCharter* signed_charter, charter());
  HOLDFAST_ASSIGN(const Bytes vault, format::vault_of(signed_charter->record));
  if (vault.empty())
    return Error(Code::kPermissionDenied, "the nodes do not give this agent the repository's keys");
  HOLDFAST_ASSIGN(std::string passphrase, obtain_passphrase(work_, options_.passphrase));
  auto opened = work_.elsewhere([&] { return format::open_vault(vault, passphrase); });
  crypto::wipe({reinterpret_cast<Byte*>(passphrase.data()), passphrase.size()});
  if (!*opened) return std::move(*opened).error();
  secrets_ = std::move(**opened);
  return &*secrets_;
}

Result<agent::WriterKeys> RepositoryAccess::writer_keys() {
  HOLDFAST_TRY(may(format::kAppend, "add snapshots"));
  HOLDFAST_ASSIGN(const format::SignedCharter* signed_charter, charter());
  const format::Charter& charter = signed_charter->charter;
  const bool own = credential_ && credential_->writer;
  const format::VaultSecrets* vault = nullptr;
  if (!own) {
    HOLDFAST_ASSIGN(vault, secrets());
  }
  const auto& seed = own ? credential_->writer->signing_seed : vault->owner_seed;
  crypto::SigningKey signing_key(seed.clone());
  const AgentId agent = format::agent_id(signing_key.verify_key());
  const format::CharterAgent* known = charter.agent(agent);
  if (known == nullptr || known->revoked)
    return Error(
        Code::kPermissionDenied,
        fmt::format("agent {} {}", agent.short_hex(),
                    known == nullptr ? "is not in the repository's charter"
                                     : "was revoked; `holdfast agent add` makes a new one"));
  HOLDFAST_ASSIGN(
      content::Chunker chunker,
      content::Chunker::create(own ? credential_->writer->chunking_key : vault->chunking_key,
                               charter.chunking));
  return agent::WriterKeys{id_,
                           charter.encryption_key,
                           std::move(signing_key),
                           own ? credential_->writer->id_key.clone()
                               : format::group_id_key(vault->id_key, known->trust_group),
                           chunker,
                           charter.compression_level};
}

Result<std::shared_ptr<const agent::ReaderKeys>> RepositoryAccess::reader_keys() {
  HOLDFAST_ASSIGN(const format::VaultSecrets* vault, secrets());
  return std::make_shared<const agent::ReaderKeys>(agent::ReaderKeys{
      id_, vault->encryption_key.clone(), format::group_id_key(vault->id_key, kTrustGroup)});
}

Result<format::SignedCharter> RepositoryAccess::next_charter(
    const std::function<void(format::Charter&)>& change) {
  HOLDFAST_TRY(may(format::kAdmin, "change the repository's charter"));
  HOLDFAST_ASSIGN(const format::SignedCharter* current, charter());
  HOLDFAST_ASSIGN(const format::VaultSecrets* vault_secrets, secrets());
  format::Charter next = current->charter;
  ++next.version;
  next.previous = current->digest;
  next.created = work_.clock.wall();
  change(next);
  HOLDFAST_ASSIGN(const Bytes vault, format::vault_of(current->record));
  return format::parse_charter(
      format::sign_charter(std::move(next), vault, vault_secrets->admin_seed).record, id_);
}

Status RepositoryAccess::replace_charter(const format::SignedCharter& next,
                                         agent::NodeLink* joining) {
  connections_.settle(std::chrono::seconds(6));  // here a node that is slow to connect matters
  std::uint32_t taken = 0;
  std::string refusals;
  const auto give = [&](agent::NodeLink& link) {
    wire::RequestProto request;
    request.mutable_put_charter()->set_record(to_string(next.record));
    const auto reply = ask(work_, link, std::move(request));
    const bool counts = std::ranges::any_of(
        next.charter.nodes, [&](const auto& node) { return node.id == link.node().id; });
    if (reply && counts) ++taken;
    if (!reply && counts)
      refusals += fmt::format("{}{}: {}", refusals.empty() ? "" : "; ", link.name(),
                              reply.error().message());
  };
  for (agent::NodeLink* link : links())
    if (link != joining) give(*link);
  // What only a new node has taken could never be taken by the others.
  if (joining != nullptr && taken + 1 >= next.charter.write_quorum) give(*joining);
  if (taken < next.charter.write_quorum)
    return Error(Code::kUnavailable,
                 fmt::format("{} of {} nodes took the change and {} must: {}", taken,
                             next.charter.nodes.size(), next.charter.write_quorum, refusals));
  if (!refusals.empty()) output_.warning("not on every node yet: " + refusals);
  charter_ = next;
  keep(next);
  return {};
}

agent::FetchPolicy RepositoryAccess::fetch_policy() const {
  agent::FetchPolicy policy;
  policy.bytes_per_s = options_.download_kib_s * 1024;
  return policy;
}

Status RepositoryAccess::close() { return connections_.stop(); }

}  // namespace holdfast::cli
