// `holdfast init`: keys are drawn, the first charter is signed and given to every node. The
// credential is written first: if it could not be written afterwards, nodes would hold a repository
// that nobody can open.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "cli/commands.h"
#include "cli/credential_file.h"
#include "cli/new_node.h"
#include "common/format/frame.h"
#include "common/format/object.h"

namespace holdfast::cli {
namespace {

// About 10 ms: for tests, and for passphrases with 128 random bits, which need no stretching.
constexpr crypto::ScryptCost kLowCost{1 << 11, 8, 1};
constexpr crypto::ScryptCost kHighCost{1 << 19, 8, 1};

crypto::ScryptCost cost_named(std::string_view name) {
  if (name == "low") return kLowCost;
  return name == "high" ? kHighCost : crypto::ScryptCost{};
}

struct NewRepository {
  format::VaultSecrets secrets;
  format::SignedCharter charter;
  RepositoryId id;
  CurveKeyPair owner;
};

Result<NewRepository> found(Session& session, const InitOptions& options,
                            const std::vector<NewNode>& founders, const std::string& passphrase) {
  NewRepository made;
  made.owner = generate_curve_key_pair();
  made.secrets = format::VaultSecrets::generate(session.work.random, made.owner.secret_key.clone());
  auto vault = session.work.elsewhere([&] {
    return format::seal_vault(made.secrets, passphrase, session.work.random,
                              cost_named(options.kdf_cost));
  });
  if (!*vault) return std::move(*vault).error();

  format::Charter charter;
  charter.created = session.work.clock.wall();
  charter.encryption_key = crypto::public_key(made.secrets.encryption_key);
  charter.write_quorum = options.write_quorum != 0 ? options.write_quorum
                                                   : format::default_write_quorum(founders.size());
  for (const NewNode& founder : founders) charter.nodes.push_back(founder.node);
  const auto owner_key = crypto::SigningKey(made.secrets.owner_seed.clone()).verify_key();
  charter.agents.push_back({format::agent_id(owner_key), "owner", owner_key, made.owner.public_key,
                            format::kAppend | format::kRead | format::kAdmin, 0, false});
  made.charter = format::sign_charter(std::move(charter), **vault, made.secrets.admin_seed);
  made.id = format::repository_id(crypto::SigningKey(made.secrets.admin_seed.clone()).verify_key());
  HOLDFAST_ASSIGN(made.charter, format::parse_charter(made.charter.record, made.id));
  return made;
}

format::Credential owner_credential(const NewRepository& made) {
  format::Credential credential;
  credential.name = "owner";
  credential.repository = made.id;
  credential.nodes = made.charter.charter.nodes;
  credential.encryption_key = made.charter.charter.encryption_key;
  credential.curve_secret = made.owner.secret_key.clone();
  credential.roles = format::kAppend | format::kRead | format::kAdmin;
  credential.writer.emplace(format::Credential::Writer{made.secrets.owner_seed.clone(),
                                                       format::group_id_key(made.secrets.id_key, 0),
                                                       made.secrets.chunking_key.clone()});
  return credential;
}

// All must take it: a repository that begins with fewer copies than asked for is a trap.
Status bring_to_nodes(Session& session, NodeConnections& connections,
                      const std::vector<NewNode>& founders, const NewRepository& made) {
  for (const NewNode& founder : founders) connections.connect(founder.node, made.id, founder.keys);
  connections.settle(std::chrono::seconds(6));
  const auto links = connections.links();
  const bool all_ready = std::ranges::all_of(
      links, [](auto* link) { return link->state() == agent::NodeLink::State::kReady; });
  if (!all_ready)
    return Error(Code::kUnavailable, fmt::format("nothing was created: {}", connections.reasons()));
  std::string refusals;
  for (agent::NodeLink* link : links) {
    wire::RequestProto request;
    request.mutable_put_charter()->set_record(to_string(made.charter.record));
    const auto reply = ask(session.work, *link, std::move(request));
    if (!reply) refusals += fmt::format("; {}: {}", link->name(), reply.error().message());
  }
  if (refusals.empty()) return {};
  return Error(Code::kUnavailable,
               fmt::format("the repository was not created, since not all nodes took it{}; nothing "
                           "is usable yet: begin again with new invitations",
                           refusals));
}

}  // namespace

Result<int> init(Session& session, const InitOptions& options) {
  FileSystem& files = session.work.files;
  if (session.access.repository.empty())
    return Error(Code::kInvalidArgument,
                 "init: -r says which folder becomes the repository or, with --node, which file "
                 "the credential is written to");
  const std::string path = absolute_path(session.access.repository);
  HOLDFAST_ASSIGN(const bool exists, files.exists(path));
  if (exists) {
    const auto entries = files.list(path);
    if (!options.nodes.empty() || !entries)
      return Error(Code::kAlreadyExists, fmt::format("init: {} exists already", path));
    if (!entries->empty())
      return Error(Code::kAlreadyExists, fmt::format("init: {} is not empty", path));
  }
  HOLDFAST_ASSIGN(std::string passphrase,
                  obtain_passphrase(session.work, session.access.passphrase, true));

  EmbeddedLog log(session.output);
  NodeConnections connections(session.work, log, session.output, session.access.lock_wait);
  std::vector<NewNode> founders;
  for (const std::string& text :
       options.nodes.empty() ? std::vector<std::string>{path} : options.nodes) {
    HOLDFAST_ASSIGN_OR(NewNode founder,
                       options.nodes.empty() ? embed_new_node(session, connections, text)
                                             : new_node(session, connections, text),
                       "init");
    founders.push_back(std::move(founder));
  }
  std::set<std::string> names;
  for (NewNode& founder : founders) founder.node.name = name_apart(founder.node.name, names);
  HOLDFAST_ASSIGN_OR(const NewRepository made, found(session, options, founders, passphrase),
                     "init");
  crypto::wipe({reinterpret_cast<Byte*>(passphrase.data()), passphrase.size()});
  if (!options.nodes.empty())
    HOLDFAST_TRY_OR(write_credential(files, path, owner_credential(made)), "init");
  if (auto brought = bring_to_nodes(session, connections, founders, made); !brought) {
    if (!options.nodes.empty()) static_cast<void>(files.remove(path));
    return std::move(brought).error().with_context("init");
  }
  HOLDFAST_TRY_OR(connections.stop(), "init");

  session.output.line(fmt::format("created repository {} at {}", made.id.short_hex(), path));
  if (!options.nodes.empty())
    session.output.line(fmt::format(
        "on {} nodes, {} of which must take a snapshot; {} holds the keys to add to it and, with "
        "the passphrase, to read it: keep a copy of it elsewhere (holdfast key export)",
        founders.size(), made.charter.charter.write_quorum, path));
  session.output.line("Without the passphrase nothing can be restored.");
  Json summary{{"message_type", "initialized"},
               {"id", made.id.hex()},
               {"write_quorum", made.charter.charter.write_quorum}};
  put_bytes(summary, "repository", path);
  session.output.object(summary);
  return kDone;
}

}  // namespace holdfast::cli
