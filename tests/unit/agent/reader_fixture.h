// What tests of reading share: a repository's keys, some scripted nodes, links to them, a fetcher,
// and snapshots that are made of paths and contents.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "agent/catalog_builder.h"
#include "agent/node_link.h"
#include "agent/object_fetcher.h"
#include "common/format/frame_sealer.h"
#include "common/posix/posix_file_system.h"
#include "tests/testing/seed.h"
#include "tests/testing/test_repository.h"
#include "tests/unit/agent/scripted_node.h"
#include "tests/unit/common/posix/temporary_folder.h"

namespace holdfast::testing {

struct MadeObject {
  ObjectId id;
  Bytes payload;
};

class ReaderFixture : public ::testing::Test {
 protected:
  ReaderFixture();

  // Nodes "a", "b", ... and a link to each.
  void make_nodes(std::size_t count);
  // Starts the links and lets them find their nodes.
  void connect();
  agent::ObjectFetcher& make_fetcher(agent::FetchPolicy policy = {});

  // Seals what was added, in a frame on all nodes.
  void end_frame();
  ObjectId add_chunk(ByteView payload);
  ObjectId add_random_chunk(std::size_t size);
  // `count` frames of `chunks` random chunks each.
  std::vector<ObjectId> add_frames(std::size_t count, std::size_t chunks, std::size_t size);

  // Fetches, waits, and returns what came and what did not.
  struct Fetched {
    std::map<ObjectId, Bytes> objects;
    std::vector<agent::ObjectFetcher::Missing> missing;
    std::size_t handed_out = 0, frames = 0;
    bool done = false;
  };
  std::shared_ptr<Fetched> begin_fetch(const std::vector<ObjectId>& ids);
  Fetched fetch(const std::vector<ObjectId>& ids);
  // That all of `ids` came, with their contents, once.
  void expect_all(const Fetched& fetched, const std::vector<ObjectId>& ids);

  TestRepository repository_{seed()};
  SimLoop loop_{seed() | 1};
  std::shared_ptr<agent::ReaderKeys> keys_;
  std::vector<std::unique_ptr<ScriptedNode>> nodes_;
  ScriptedDialer dialer_;
  std::vector<std::unique_ptr<agent::NodeLink>> links_;
  std::unique_ptr<agent::ObjectFetcher> fetcher_;
  std::map<ObjectId, Bytes> chunks_;  // all that were made
  std::vector<SharedBytes> frames_;   // data frames, in order of making

 private:
  format::FrameSealer sealer_;
  format::FrameContent content_{format::FrameRole::kData};
};

}  // namespace holdfast::testing
