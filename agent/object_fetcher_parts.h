// What an ObjectFetcher keeps of the work in hand; for its source files alone.
#pragma once

#include <algorithm>

#include "agent/object_fetcher.h"

namespace holdfast::agent {

// Keys are shared, since an opening may outlive the fetcher.
struct ObjectFetcher::Opener {
  explicit Opener(std::shared_ptr<const ReaderKeys> with)
      : keys(std::move(with)), frames(keys->repository, keys->private_key, keys->id_key) {}
  std::shared_ptr<const ReaderKeys> keys;
  format::FrameOpener frames;
};

struct ObjectFetcher::Opened {
  std::unique_ptr<Opener> opener;
  std::vector<ObjectId> handed_out;
  std::optional<Error> problem;
};

struct ObjectFetcher::Fetch {
  std::shared_ptr<const OnFrame> on_frame;
  Done done;
  std::size_t open_ids = 0;
  std::vector<Missing> missing;
};

// Ids of which it is to be learned where they lie.
struct ObjectFetcher::Batch {
  FetchPtr fetch;
  std::vector<ObjectId> ids;
  Tried tried;
  // Set: the first of the ids failed at this node with this error, and only that node is asked,
  // which of the others are in the same frame there and have failed with it.
  std::optional<std::pair<std::size_t, Error>> failed;
  std::vector<std::size_t> asked;
  Instant asked_at;
  unsigned losses = 0;
  bool closed = false;
};

// Ids that lie in one frame on the node that was asked.
struct ObjectFetcher::Group {
  FetchPtr fetch;
  std::vector<ObjectId> ids;  // not handed out yet
  Tried tried;                // true of all ids
  std::size_t locator = 0;
  std::size_t expected_bytes = 0;
  std::vector<std::size_t> asked;
  Instant asked_at;
  std::map<std::size_t, Error> failed;  // of this round
  std::deque<Received> received;
  bool opening = false, closed = false;
  unsigned losses = 0;
  std::optional<std::list<GroupPtr>::iterator> in_asked;
};

// A node that went away has not said that it lacks anything.
inline bool is_loss(const Error& error) {
  return error.code() == Code::kUnavailable || error.code() == Code::kTimedOut;
}

// So many times a node may go away over one request before it counts as an answer.
constexpr unsigned kMostLosses = 4;

inline void drop(std::vector<std::size_t>& nodes, std::size_t node) {
  nodes.erase(std::find(nodes.begin(), nodes.end(), node));
}

}  // namespace holdfast::agent
