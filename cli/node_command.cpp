// `holdfast node`: which nodes hold the repository. A node that joins gets the charter by its
// invitation and has no snapshots at first; `holdfast repair` copies them.
#include <fmt/format.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/new_node.h"
#include "cli/snapshot_access.h"
#include "common/base/text.h"

namespace holdfast::cli {
namespace {

using agent::NodeLink;
using format::Charter;
using format::CharterNode;

constexpr std::size_t kShortestId = 4;
constexpr Duration kJoinPatience = std::chrono::seconds(6);

Result<CharterNode> node_named(const Charter& charter, const std::string& text) {
  std::vector<const CharterNode*> found;
  std::string names;
  for (const CharterNode& node : charter.nodes) {
    if (node.name == text) return node;
    if (text.size() >= kShortestId && node.id.hex().starts_with(text)) found.push_back(&node);
    names += (names.empty() ? "" : ", ") + printable(node.name);
  }
  if (found.size() == 1) return *found.front();
  return Error(found.empty() ? Code::kNotFound : Code::kInvalidArgument,
               fmt::format("{} node is called {}; the nodes are {}",
                           found.empty() ? "no" : "more than one", printable(text), names));
}

// A quorum that was the default stays the default.
std::uint32_t quorum_after(const Charter& before, std::size_t count, std::uint32_t asked_for) {
  if (asked_for != 0) return asked_for;
  if (before.write_quorum == format::default_write_quorum(before.nodes.size()))
    return format::default_write_quorum(count);
  return std::min(before.write_quorum, static_cast<std::uint32_t>(count));
}

NodeLink* link_to(const RepositoryAccess& access, const NodeId& node) {
  const auto links = access.links();
  const auto found =
      std::ranges::find_if(links, [&](auto* link) { return link->node().id == node; });
  return found == links.end() ? nullptr : *found;
}

// That every snapshot which can be seen is whole on some node that stays.
Status require_others_hold_all(Session& session, RepositoryAccess& access,
                               const CharterNode& leaving) {
  HOLDFAST_ASSIGN(const auto keys, access.reader_keys());
  HOLDFAST_ASSIGN(const agent::SnapshotList list, list_and_warn(session, access, *keys));
  const auto links = access.links();
  std::size_t left_behind = 0;
  for (const agent::Snapshot& snapshot : list.snapshots)
    left_behind += std::ranges::none_of(snapshot.copies, [&](const agent::SnapshotCopy& copy) {
      return copy.complete && links[copy.node]->node().id != leaving.id;
    });
  if (left_behind == 0) return {};
  return Error(Code::kConflict,
               fmt::format("{} of {} snapshots are whole on no other node that answers; `holdfast "
                           "repair` copies them, --force goes on all the same",
                           left_behind, list.snapshots.size()));
}

Status require_credential(const Session& session, const RepositoryAccess& access) {
  HOLDFAST_TRY(access.may(format::kAdmin, "change which nodes there are"));
  if (!access.is_directory()) return {};
  return Error(Code::kInvalidArgument,
               fmt::format("{} is a directory, which is one node; `holdfast key export -r {} -o "
                           "FILE` writes a credential, and -r FILE reaches all nodes",
                           session.access.repository, session.access.repository));
}

// A link to the node that joins, by its invitation.
Result<NodeLink*> reach(RepositoryAccess& access, const NewNode& joining) {
  if (NodeLink* const before = link_to(access, joining.node.id))
    access.connections().disconnect(*before);
  NodeLink& link = access.connections().connect(joining.node, access.id(), joining.keys);
  access.connections().settle(kJoinPatience);
  if (link.state() == NodeLink::State::kReady) return &link;
  return Error(Code::kUnavailable,
               fmt::format("nothing was changed: {} at {} cannot be reached: {}",
                           printable(joining.node.name), printable(joining.node.address.endpoint),
                           link.state() == NodeLink::State::kDown ? link.down_reason().message()
                                                                  : "it does not answer"));
}

void say_changed(Session& session, const char* type, const CharterNode& node,
                 const format::SignedCharter& charter) {
  session.output.object(Json{{"message_type", type},
                             {"name", node.name},
                             {"id", node.id.hex()},
                             {"endpoint", node.address.endpoint},
                             {"charter_version", charter.charter.version},
                             {"nodes", charter.charter.nodes.size()},
                             {"write_quorum", charter.charter.write_quorum}});
}

// What the charter says once `joining` is there, in the place of `leaving` if that is given. Its
// name is set apart from the others'.
void put_in(Charter& next, CharterNode& joining, const std::optional<CharterNode>& leaving) {
  const auto in_place_of = [&](const CharterNode& node) {
    return node.id == joining.id || (leaving && node.id == leaving->id);
  };
  std::set<std::string> names;
  for (const CharterNode& node : next.nodes)
    if (!in_place_of(node)) names.insert(node.name);
  joining.name = name_apart(joining.name, names);
  const auto place = std::ranges::find_if(next.nodes, in_place_of);
  const auto index = place - next.nodes.begin();
  std::erase_if(next.nodes, in_place_of);
  next.nodes.insert(next.nodes.begin() + std::min<std::ptrdiff_t>(index, std::ssize(next.nodes)),
                    joining);
}

// The node is in the charter as it is: it has lost what it had.
Status bring_back(Session& session, NodeLink& link, const format::SignedCharter& charter) {
  wire::RequestProto request;
  request.mutable_put_charter()->set_record(to_string(charter.record));
  const auto reply = ask(session.work, link, std::move(request));
  return reply ? Status() : Status(reply.error());
}

}  // namespace

Result<int> add_node(Session& session, const NodeAddOptions& options) {
  HOLDFAST_ASSIGN(auto access,
                  RepositoryAccess::open(session.work, session.output, session.access));
  HOLDFAST_TRY_OR(require_credential(session, *access), "node add");
  HOLDFAST_ASSIGN(const format::SignedCharter* current, access->charter());
  std::optional<CharterNode> leaving;
  if (!options.replaces.empty()) {
    HOLDFAST_ASSIGN_OR(leaving, node_named(current->charter, options.replaces), "--replaces");
  }
  HOLDFAST_ASSIGN_OR(NewNode joining, new_node(session, access->connections(), options.invite),
                     "node add");
  if (leaving && leaving->id == joining.node.id)
    return Error(Code::kInvalidArgument,
                 fmt::format("{} cannot replace itself; without --replaces the repository is "
                             "brought back to it",
                             printable(leaving->name)));
  if (leaving && !options.force)
    HOLDFAST_TRY_OR(require_others_hold_all(session, *access, *leaving),
                    fmt::format("without {}", printable(leaving->name)));
  const bool known = std::ranges::any_of(current->charter.nodes, [&](const CharterNode& node) {
    return node.id == joining.node.id && node.address == joining.node.address;
  });
  // Before the passphrase's work, and before anything is changed.
  HOLDFAST_ASSIGN_OR(NodeLink* const link, reach(*access, joining), "node add");
  format::SignedCharter charter = *current;
  if (known && !leaving) {
    HOLDFAST_TRY_OR(bring_back(session, *link, charter), "node add");
  } else {
    HOLDFAST_ASSIGN_OR(charter, access->next_charter([&](Charter& next) {
      put_in(next, joining.node, leaving);
      next.write_quorum = quorum_after(current->charter, next.nodes.size(), options.write_quorum);
    }),
                       "node add");
    HOLDFAST_TRY_OR(access->replace_charter(charter, link), "node add");
  }
  HOLDFAST_TRY(access->close());
  session.output.line(
      fmt::format("{} holds the repository now{}; of {} nodes {} must take a snapshot. It has no "
                  "snapshots yet: "
                  "`holdfast repair` copies those that the others have",
                  printable(joining.node.name),
                  leaving ? fmt::format(", and {} does not", printable(leaving->name)) : "",
                  charter.charter.nodes.size(), charter.charter.write_quorum));
  say_changed(session, "node_added", joining.node, charter);
  return kDone;
}

Result<int> remove_node(Session& session, const NodeRemoveOptions& options) {
  HOLDFAST_ASSIGN(auto access,
                  RepositoryAccess::open(session.work, session.output, session.access));
  HOLDFAST_TRY_OR(require_credential(session, *access), "node remove");
  HOLDFAST_ASSIGN(const format::SignedCharter* current, access->charter());
  HOLDFAST_ASSIGN_OR(const CharterNode leaving, node_named(current->charter, options.node),
                     "node remove");
  if (current->charter.nodes.size() == 1)
    return Error(Code::kInvalidArgument,
                 fmt::format("node remove: {} is the only node", printable(leaving.name)));
  if (!options.force)
    HOLDFAST_TRY_OR(require_others_hold_all(session, *access, leaving),
                    fmt::format("without {}", printable(leaving.name)));
  HOLDFAST_ASSIGN_OR(const format::SignedCharter charter, access->next_charter([&](Charter& next) {
    std::erase_if(next.nodes, [&](const auto& node) { return node.id == leaving.id; });
    next.write_quorum = quorum_after(current->charter, next.nodes.size(), options.write_quorum);
  }),
                     "node remove");
  HOLDFAST_TRY_OR(access->replace_charter(charter), "node remove");
  HOLDFAST_TRY(access->close());
  session.output.line(fmt::format(
      "{} does not hold the repository any more; of {} nodes {} must take a snapshot. "
      "What it stores stays there",
      printable(leaving.name), charter.charter.nodes.size(), charter.charter.write_quorum));
  say_changed(session, "node_removed", leaving, charter);
  return kDone;
}

Result<int> list_nodes(Session& session) {
  HOLDFAST_ASSIGN(auto access,
                  RepositoryAccess::open(session.work, session.output, session.access));
  HOLDFAST_ASSIGN(const format::SignedCharter* charter, access->charter());
  access->settle();
  session.output.line(fmt::format("{:<8}  {:<24} {:<32} {}", "ID", "NAME", "ADDRESS", "STATE"));
  for (const CharterNode& node : charter->charter.nodes) {
    const NodeLink* const link = link_to(*access, node.id);
    const bool ready = link != nullptr && link->state() == NodeLink::State::kReady;
    session.output.line(fmt::format("{:<8}  {:<24} {:<32} {}", node.id.short_hex(),
                                    printable(node.name), printable(node.address.endpoint),
                                    ready ? "answers" : "does not answer"));
    session.output.object(Json{{"message_type", "node"},
                               {"id", node.id.hex()},
                               {"name", node.name},
                               {"endpoint", node.address.endpoint},
                               {"reachable", ready}});
  }
  return kDone;
}

}  // namespace holdfast::cli
