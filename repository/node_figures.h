// What a node knows of itself in numbers, for who watches it: counted while it works, put together
// when somebody asks.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/digest.h"
#include "common/base/histogram.h"
#include "common/base/result.h"
#include "common/ports/clock.h"
#include "repository/store/store.h"

namespace holdfast::repository {

// Since the node was started; by its loop thread alone, so that counting costs an addition.
struct RequestCounters {
  // More than any field of RequestProto's `what` has as its number.
  static constexpr std::size_t kTypes = 32;
  static constexpr std::size_t kReasons = static_cast<std::size_t>(Code::kInterrupted) + 1;

  std::array<std::uint64_t, kTypes> received{};   // by RequestProto::what_case(); 0: unknown
  std::array<std::uint64_t, kReasons> refused{};  // by Code
  std::uint64_t malformed = 0;                    // that could not even be answered

  void refuse(Code reason) { ++refused[static_cast<std::size_t>(reason)]; }
};

struct FrameCounters {
  std::uint64_t frames = 0, bytes = 0;
  void add(std::uint64_t size) { ++frames, bytes += size; }
};

struct RepositoryCounters {
  FrameCounters received;    // accepted from agents; of whose objects none may have been new
  FrameCounters sent;        // to who reads
  std::uint64_t damage = 0;  // times that something was found to be damaged
};

// An agent that may add snapshots.
struct AgentFigures {
  AgentId id;
  std::string name;
  std::uint64_t newest_sequence = 0;  // of what is durable here; 0: nothing
  UnixTime newest_claimed;            // when that run began, by the agent's clock
  UnixTime newest_received;           // by the node's
};

struct RepositoryFigures {
  RepositoryId id;
  std::uint64_t charter_version = 0;
  StoreStatistics store;
  std::uint64_t snapshots = 0;
  std::optional<std::uint64_t> complete_snapshots;  // unless the index cannot be read
  std::vector<AgentFigures> agents;
  RepositoryCounters counters;
  Histogram sync_seconds{{}};
  std::uint64_t failed_syncs = 0;
  // When the last verification ended that read every byte, unless that lies ahead of the clock.
  std::optional<UnixTime> verified_at;
};

struct NodeFigures {
  NodeId id;
  std::string program;
  std::vector<RepositoryFigures> repositories;
  std::vector<RepositoryId> unopened;  // on the disk, and not to be opened
  RequestCounters requests;
};

}  // namespace holdfast::repository
