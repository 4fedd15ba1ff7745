// What tests of restores share: a snapshot in the making, its catalog in a local file, and a target
// in memory.
#pragma once

#include <gmock/gmock.h>

#include <set>
#include <string>
#include <vector>

#include "agent/catalog_fetch.h"
#include "agent/restore_session.h"
#include "tests/unit/agent/made_snapshot.h"
#include "tests/unit/agent/memory_target.h"

namespace holdfast::testing {

class RestoreFixture : public ReaderFixture {
 protected:
  MadeObject chunk(std::size_t size) {
    const ObjectId id = add_random_chunk(size);
    return {id, chunks_.at(id)};
  }
  MadeObject chunk(std::string_view text) {
    const ObjectId id = add_chunk(as_bytes(text));
    return {id, to_bytes(text)};
  }
  // Puts the snapshot on the nodes and its catalog into a file.
  void finish() {
    end_frame();
    root_ = made_.finish(nodes_);
    if (links_.empty() || links_[0]->state() != agent::NodeLink::State::kReady) connect();
    if (!fetcher_) make_fetcher();
    agent::CatalogFetch fetch(*fetcher_, files_, loop_, loop_);
    bool done = false;
    fetch.start(root_, {}, path_, {}, [&](auto fetched) {
      EXPECT_TRUE(fetched) << fetched.error().message();
      done = true;
    });
    ASSERT_TRUE(loop_.run_until([&] { return done; }));
  }
  Result<agent::RestoreResult> try_restore(agent::RestoreOptions options = {},
                                           agent::WindowLimits limits = {}) {
    agent::RestoreSession session(*fetcher_, files_, target_, &target_, keys_, loop_, loop_);
    std::optional<Result<agent::RestoreResult>> result;
    session.start(
        path_, std::move(options),
        [&](auto restored) {
          EXPECT_FALSE(result) << "done twice";
          result = std::move(restored);
        },
        limits);
    EXPECT_TRUE(loop_.run_until([&] { return result.has_value(); })) << "it never ends";
    const agent::RestoreProgress progress = session.progress();
    if (result->has_value()) {
      EXPECT_TRUE(progress.all_found);
      EXPECT_EQ(progress.files_done, progress.files_found);
      EXPECT_EQ(progress.bytes_done, progress.bytes_found);
    }
    loop_.run_for(std::chrono::seconds(1));
    EXPECT_THAT(target_.broken_rules, ::testing::IsEmpty());
    EXPECT_EQ(target_.open_writers, 0u);
    return std::move(*result);
  }
  agent::RestoreResult restore(agent::RestoreOptions options = {},
                               agent::WindowLimits limits = {}) {
    auto result = try_restore(std::move(options), limits);
    EXPECT_TRUE(result) << result.error().message();
    return result ? std::move(*result) : agent::RestoreResult();
  }
  Bytes content(const std::string& path) const {
    const auto* node = target_.find(path);
    EXPECT_NE(node, nullptr) << path;
    return node == nullptr ? Bytes() : node->content;
  }
  static Bytes joined(const std::vector<MadeObject>& chunks) {
    Bytes bytes;
    for (const MadeObject& chunk : chunks) append(bytes, chunk.payload);
    return bytes;
  }
  static agent::PathFilter filter(const std::vector<std::string>& patterns) {
    return *agent::PathFilter::parse(patterns);
  }
  // Everything of the snapshot is in the target, below `prefix` cut off, and nothing else is.
  void expect_all(const std::string& prefix = "") {
    std::set<std::string> paths;
    for (const agent::CatalogEntry& entry : made_.entries()) {
      if (!entry.entry.path.starts_with(prefix) || entry.entry.path.size() == prefix.size())
        continue;
      const std::string path = entry.entry.path.substr(prefix.size());
      paths.insert(path);
      const auto* node = target_.find(path);
      ASSERT_NE(node, nullptr) << path;
      EXPECT_EQ(node->entry, entry.entry) << path;
      EXPECT_TRUE(node->finished) << path;
    }
    EXPECT_EQ(target_.paths(), std::vector<std::string>(paths.begin(), paths.end()));
  }

  PosixFileSystem files_;
  TemporaryFolder folder_;
  std::string path_ = folder_.path() + "/catalog";
  MadeSnapshot made_{repository_};
  MemoryTarget target_;
  ObjectId root_;
};

}  // namespace holdfast::testing
