#include "cli/new_node.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <filesystem>

namespace holdfast::cli {
namespace {

std::string host_name() {
  std::array<char, 65> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "node";
  return name.data();
}

}  // namespace

std::string absolute_path(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

Result<NewNode> embed_new_node(Session& session, NodeConnections& connections,
                               const std::string& folder) {
  const std::string path = absolute_path(folder);
  const Status created =
      repository::DataFolder::create(session.work.files, path, {host_name(), "", ""});
  if (!created && created.error().code() != Code::kAlreadyExists) return created.error();
  HOLDFAST_ASSIGN(auto opened, repository::DataFolder::open(session.work.files, path));
  HOLDFAST_ASSIGN(format::CharterNode node, connections.embed(std::move(opened)));
  return NewNode{std::move(node), {}};
}

Result<NewNode> new_node(Session& session, NodeConnections& connections, const std::string& text) {
  auto invite = format::parse_invite(text);
  if (invite) {
    CurveKeyPair keys = curve_key_pair(invite->curve_secret);
    return NewNode{std::move(invite->node), std::move(keys)};
  }
  if (text.find('/') == std::string::npos && !std::filesystem::exists(text))
    return Error(Code::kInvalidArgument,
                 fmt::format("{}: neither a folder nor an invitation ({}); `holdfast-node invite` "
                             "prints one, ./{} would be a folder",
                             text, invite.error().message(), text));
  return embed_new_node(session, connections, text);
}

std::string name_apart(const std::string& name, std::set<std::string>& taken) {
  std::string apart = name;
  for (int number = 2; !taken.insert(apart).second; ++number)
    apart = fmt::format("{}-{}", name, number);
  return apart;
}

}  // namespace holdfast::cli
