// From files and list objects to frames at the nodes: read and cut on the executor, ask every
// active node once for what is new, gather the missing chunks to frames of about a mebibyte, seal
// each once on the executor, and send the same buffer to every node that lacks something of it.
// Memory is bounded by a budget over pieces read and frames not yet acknowledged.
//
// Loop thread only.
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "agent/file_chunking.h"
#include "agent/node_feed.h"
#include "agent/repository_keys.h"
#include "common/format/frame_sealer.h"
#include "common/ports/executor.h"

namespace holdfast::agent {

struct PipelineLimits {
  std::size_t piece_bytes = std::size_t{1} << 20;        // files read together
  std::size_t large_piece_bytes = std::size_t{4} << 20;  // of a large file at a time
  std::size_t files_per_piece = 512;
  std::size_t budget_bytes = std::size_t{32} << 20;
};

struct PipelineFigures {
  std::uint64_t bytes_read = 0;    // of files
  std::uint64_t bytes_added = 0;   // plaintext of chunks that some node lacked
  std::uint64_t bytes_stored = 0;  // sealed, counted once
  std::uint64_t frames = 0;
};

class ContentPipeline {
 public:
  struct FileOutcome {
    Entry entry;
    Content content;
    std::optional<Error> problem;
  };
  using FileDone = std::function<void(FileOutcome&&)>;
  using MakeList =
      std::function<ObjectId(std::span<const ObjectId>, std::span<const std::uint32_t>)>;

  // All references outlive the pipeline and what it has given to the executor, which goes on when
  // it is destroyed and has no effect any more. `make_list` makes a chunk list of a huge file (and
  // hands it to submit_list); `changed` is called when has_room(), idle() or the figures may have
  // changed.
  ContentPipeline(EventLoop& loop, Executor& executor, SourceTree& source, const WriterKeys& keys,
                  const format::RunKeys& run, format::FrameCounter& counter,
                  std::vector<NodeFeed*> feeds, MakeList make_list, std::function<void()> changed,
                  PipelineLimits limits = {});
  ~ContentPipeline();

  // Reads (regular files) and describes (all) an entry. `known` are chunks that every active node
  // is known to have. `done` is called once all chunks are on their way to the nodes that lacked
  // them.
  void submit(Entry entry, std::vector<ObjectId> known, FileDone done);
  // Children before parents; kept in this order on their way.
  void submit_list(ListObject list);
  // Nothing more is submitted for now: once nothing under way could add to what was gathered, it is
  // sent on although it is no full frame.
  void flush();

  bool has_room() const;
  // Nothing is being read, asked, sealed or waiting for an acknowledgement of an active node.
  bool idle() const;
  // Nothing moves but what the feeds have to acknowledge.
  bool waits_for_feeds() const;
  const PipelineFigures& figures() const { return figures_; }
  // Told by who owns the feeds: one changed its state.
  void feeds_changed();

 private:
  struct Kit;        // one worker's contexts
  struct Piece;      // chunks of one buffer that wait for their nodes
  struct Question;   // asked of all active feeds at once
  struct Item;       // a chunk or list object to be sealed
  struct MetaBatch;  // list objects on their way, in order
  struct LargeJob;   // a large file being read
  struct ReadTask {
    std::size_t bytes;  // of the budget, taken when it starts
    std::function<void(std::unique_ptr<Kit>)> run;
  };

  void dispatch();
  bool nothing_moves() const;
  bool may_read() const;
  bool gathered_takes_the_room() const;
  bool gathers_no_more() const;
  void flush_if_due();
  void end_reading(std::unique_ptr<Kit> kit);
  void read_batch();
  void take_piece(CutPiece piece, std::vector<FileDone> dones,
                  std::vector<std::vector<ObjectId>> known, std::size_t reserved);
  ReadTask next_piece(std::shared_ptr<LargeJob> job);
  void take_large(const std::shared_ptr<LargeJob>& job, LargeFile::Piece piece);
  void collect_large(const std::shared_ptr<LargeJob>& job);
  void admit(std::shared_ptr<Piece> piece, const std::vector<CutChunk>& chunks,
             const std::function<bool(const ObjectId&)>& known);
  void settle(const std::shared_ptr<Piece>& piece);
  void ask(std::vector<ObjectId> ids, std::function<void(std::vector<std::uint64_t>)> answered);
  void check_questions();
  void gather(std::vector<Item> items);
  void cut_frame();
  void advance_metadata();
  void close_metadata_batch();
  void seal(std::vector<Item> items, format::FrameRole role,
            std::function<void(SharedBytes)> sealed);
  void send(SharedBytes frame, format::FrameRole role, std::uint64_t mask,
            std::function<void()> acknowledged);
  void changed();

  EventLoop& loop_;
  Executor& executor_;
  SourceTree& source_;
  const WriterKeys& keys_;
  std::vector<NodeFeed*> feeds_;
  MakeList make_list_;
  std::function<void()> changed_;
  PipelineLimits limits_;
  PipelineFigures figures_;

  std::vector<std::unique_ptr<Kit>> kits_;
  std::deque<std::function<void(std::unique_ptr<Kit>)>> seal_tasks_;
  std::deque<ReadTask> read_tasks_;
  std::size_t running_ = 0, reading_ = 0;  // tasks: all, those that read
  bool flush_due_ = false;

  std::vector<Entry> batch_;
  std::vector<FileDone> batch_done_;
  std::vector<std::vector<ObjectId>> batch_known_;
  std::size_t batch_bytes_ = 0;

  std::size_t used_bytes_ = 0;    // of the budget
  std::size_t queued_bytes_ = 0;  // that read tasks will take
  std::size_t pieces_ = 0, large_jobs_ = 0, frames_pending_ = 0;
  std::unordered_map<ObjectId, std::shared_ptr<Piece>> in_flight_;
  std::list<Question> questions_;
  std::vector<Item> gathered_;
  std::size_t gathered_bytes_ = 0;
  std::vector<ListObject> lists_;
  std::size_t lists_bytes_ = 0;
  std::deque<std::shared_ptr<MetaBatch>> metadata_;
  bool change_posted_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace holdfast::agent
