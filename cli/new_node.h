// A node that a repository is brought to: by its invitation, or a folder on this machine.
#pragma once

#include <set>
#include <string>

#include "cli/commands.h"

namespace holdfast::cli {

// What a charter says of the node, and the keys that let us bring a charter there.
struct NewNode {
  format::CharterNode node;
  CurveKeyPair keys;
};

// `text` as --node of `init` takes it. kInvalidArgument if it is neither; a folder is made and
// embedded.
Result<NewNode> new_node(Session& session, NodeConnections& connections, const std::string& text);
// The folder becomes a node unless it is one, and is embedded.
Result<NewNode> embed_new_node(Session& session, NodeConnections& connections,
                               const std::string& folder);
// `name`, or with a number behind it if it is taken; taken from then on. People tell nodes apart
// by their names.
std::string name_apart(const std::string& name, std::set<std::string>& taken);

std::string absolute_path(const std::string& path);

}  // namespace holdfast::cli
