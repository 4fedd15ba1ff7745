// Brings one node whole for a snapshot that the others have, from the local catalog and the source:
// asks it about list objects, then about what the missing ones refer to, reads again just the files
// of which it lacks something, and sends children before parents. Ends when the root is there.
//
// Loop thread only.
#pragma once

#include <functional>
#include <memory>
#include <unordered_set>
#include <vector>

#include "agent/catalog_file.h"
#include "agent/content_pipeline.h"

namespace holdfast::agent {

class CatchUp {
 public:
  struct Figures {
    std::uint64_t files_read = 0, bytes_read = 0, bytes_sent = 0;
  };
  // kChanged: files that it lacks are not any more what the snapshot says; the node stays behind.
  using Done = std::function<void(Status, Figures)>;

  // `feed` is active; all references outlive it. `done` is called once, from the loop.
  CatchUp(EventLoop& loop, Executor& executor, SourceTree& source, const WriterKeys& keys,
          const format::RunKeys& run, format::FrameCounter& counter,
          format::ObjectIdentifier& identifier, CatalogFileReader& catalog, NodeFeed& feed,
          Done done);
  ~CatchUp();
  void start();
  // Told by who owns the feed.
  void feed_changed();

 private:
  void read_batch();
  void ask_about(std::vector<ListObject> missing);
  void heal(std::vector<ListObject> missing, std::unordered_set<ObjectId> absent);
  void settle_batch();
  void advance();
  void end(Status status);

  EventLoop& loop_;
  format::ObjectIdentifier& identifier_;
  CatalogFileReader& catalog_;
  NodeFeed& feed_;
  Done done_;
  ContentPipeline pipeline_;
  Figures figures_;
  std::vector<ListObject> batch_;  // missing list objects whose files are being read
  std::size_t files_due_ = 0;
  std::uint64_t files_changed_ = 0;
  bool in_batch_ = false, read_all_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace holdfast::agent
