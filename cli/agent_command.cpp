// `holdfast agent` and `holdfast key`: who may use the repository, and the credentials for it.
#include <fmt/format.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/credential_file.h"
#include "common/base/text.h"
#include "common/format/frame.h"
#include "common/format/object.h"

namespace holdfast::cli {
namespace {

constexpr std::size_t kMaxName = 64;

Status check_name(const std::string& name, const format::Charter& charter) {
  if (name.empty() || name.size() > kMaxName || !is_utf8(name) || printable(name) != name ||
      name.find('/') != std::string::npos)
    return Error(Code::kInvalidArgument,
                 fmt::format("an agent's name has 1 to {} printable bytes and no '/'", kMaxName));
  const bool taken = std::ranges::any_of(charter.agents, [&](const format::CharterAgent& agent) {
    return agent.name == name && !agent.revoked;
  });
  if (taken) return Error(Code::kAlreadyExists, fmt::format("there is an agent {} already", name));
  return {};
}

std::string role_text(std::uint32_t roles) {
  std::string text;
  const auto add = [&](std::uint32_t role, std::string_view word) {
    if ((roles & role) != 0) text += (text.empty() ? "" : ",") + std::string(word);
  };
  add(format::kAppend, "append");
  add(format::kRead, "read");
  add(format::kAdmin, "admin");
  return text;
}

format::Credential base_credential(const RepositoryAccess& access, const format::Charter& charter,
                                   std::string name) {
  format::Credential credential;
  credential.name = std::move(name);
  credential.repository = access.id();
  credential.nodes = charter.nodes;
  credential.encryption_key = charter.encryption_key;
  return credential;
}

}  // namespace

Result<int> add_agent(Session& session, const AgentAddOptions& options) {
  Workplace& work = session.work;
  HOLDFAST_ASSIGN(auto access, RepositoryAccess::open(work, session.output, session.access));
  HOLDFAST_ASSIGN(const format::SignedCharter* current, access->charter());
  HOLDFAST_TRY(check_name(options.name, current->charter));
  HOLDFAST_ASSIGN(const format::VaultSecrets* secrets, access->secrets());

  const crypto::SigningKey signing_key = crypto::SigningKey::generate(work.random);
  const CurveKeyPair curve = generate_curve_key_pair();
  const AgentId id = format::agent_id(signing_key.verify_key());
  HOLDFAST_ASSIGN(const format::SignedCharter signed_next,
                  access->next_charter([&](format::Charter& next) {
                    next.agents.push_back({id, options.name, signing_key.verify_key(),
                                           curve.public_key, format::kAppend, 0, false});
                  }));

  format::Credential credential = base_credential(*access, signed_next.charter, options.name);
  credential.curve_secret = curve.secret_key.clone();
  credential.roles = format::kAppend;
  credential.writer.emplace(format::Credential::Writer{signing_key.seed().clone(),
                                                       format::group_id_key(secrets->id_key, 0),
                                                       secrets->chunking_key.clone()});
  const std::string file = options.file.empty() ? options.name + ".credential" : options.file;
  HOLDFAST_TRY(write_credential(work.files, file, credential));
  if (auto replaced = access->replace_charter(signed_next); !replaced) {
    static_cast<void>(work.files.remove(file));
    return std::move(replaced).error().with_context("agent add");
  }
  HOLDFAST_TRY(access->close());
  session.output.line(
      fmt::format("agent {} ({}) may add snapshots and read nothing; its credential is in {}",
                  options.name, id.short_hex(), file));
  Json object{{"message_type", "agent_added"}, {"name", options.name}, {"id", id.hex()}};
  put_bytes(object, "credential", file);
  session.output.object(object);
  return kDone;
}

Result<int> list_agents(Session& session) {
  HOLDFAST_ASSIGN(auto access,
                  RepositoryAccess::open(session.work, session.output, session.access));
  HOLDFAST_ASSIGN(const format::SignedCharter* charter, access->charter());
  session.output.line(fmt::format("{:<8}  {:<24} {:<18} {}", "ID", "NAME", "MAY", "STATE"));
  for (const format::CharterAgent& agent : charter->charter.agents) {
    session.output.line(fmt::format("{:<8}  {:<24} {:<18} {}", agent.id.short_hex(),
                                    printable(agent.name), role_text(agent.roles),
                                    agent.revoked ? "revoked" : "active"));
    session.output.object(Json{{"message_type", "agent"},
                               {"id", agent.id.hex()},
                               {"name", agent.name},
                               {"roles", role_text(agent.roles)},
                               {"revoked", agent.revoked}});
  }
  return kDone;
}

Result<int> export_key(Session& session, const std::string& file) {
  HOLDFAST_ASSIGN(auto access,
                  RepositoryAccess::open(session.work, session.output, session.access));
  HOLDFAST_ASSIGN(const format::SignedCharter* charter, access->charter());
  HOLDFAST_ASSIGN(const format::VaultSecrets* secrets, access->secrets());
  format::Credential credential = base_credential(*access, charter->charter, "recovery");
  credential.curve_secret = secrets->owner_curve_key.clone();
  credential.roles = format::kAppend | format::kRead | format::kAdmin;
  if (file.empty()) {
    session.output.text(format::encode_credential(credential));
    return kDone;
  }
  HOLDFAST_TRY(write_credential(session.work.files, file, credential));
  session.output.note(fmt::format(
      "{} and the passphrase are what a bare machine needs to restore; keep them apart", file));
  return kDone;
}

}  // namespace holdfast::cli
