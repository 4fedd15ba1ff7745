// What a backup knows of one node beside its feed. Private to the backup session.
#pragma once

#include <fmt/format.h>

#include <functional>

#include "agent/backup_session.h"

namespace holdfast::agent {

struct BackupSession::NodeState {
  enum class Step { kStreaming, kPreparing, kPrepared, kCommitting, kCommitted };

  NodeState(NodeLink& link_to, const Clock& clock, std::function<void()> changed)
      : link(link_to), feed(link_to, clock, std::move(changed)) {}

  NodeLink& link;
  NodeFeed feed;
  Step step = Step::kStreaming;
  std::uint64_t head_sequence = 0;
  std::optional<ManifestId> head_id;
  bool head_complete = false;
  bool holds_parent = false;
  bool behind = false;  // may lack earlier snapshots
  bool catching_up = false, caught_up = false;
  bool hopeless = false;  // cannot be caught up in this run
  unsigned attempts = 0;  // at catching up
  bool took_part = false;
  bool parent_brought = false;  // or tried to

  // It took part and is down now, without having refused: waiting for it may help.
  bool may_return() const {
    return took_part && step == Step::kStreaming && !hopeless && attempts < 3 &&
           link.state() != NodeLink::State::kReady;
  }
  Error why() const {
    if (feed.state() == NodeFeed::State::kWaiting)
      return link.state() == NodeLink::State::kDown
                 ? link.down_reason()
                 : Error(Code::kUnavailable, fmt::format("node {} does not answer", link.name()));
    return feed.reason();
  }
  std::string describe() const {
    if (step == Step::kCommitted) return "committed";
    if (catching_up) return "catching up";
    switch (feed.state()) {
      case NodeFeed::State::kActive:
        return "active";
      case NodeFeed::State::kLagging:
        return "behind: " + feed.reason().message();
      case NodeFeed::State::kFailed:
        return "failed: " + feed.reason().message();
      case NodeFeed::State::kWaiting:
        break;
    }
    return link.state() == NodeLink::State::kDown ? "failed: " + link.down_reason().message()
                                                  : "connecting";
  }
};

}  // namespace holdfast::agent
