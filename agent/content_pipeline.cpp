// The life of a chunk: read_tasks_ (executor) -> admit() -> ask() -> gather() -> seal (executor) ->
// send() -> acknowledged. A piece is settled when every chunk of it is known to be present or on
// its way; only then are its files done, so that the list objects made of them follow their chunks
// on every channel.
#include "agent/content_pipeline.h"

#include <algorithm>
#include <utility>

namespace holdfast::agent {

struct ContentPipeline::Kit {
  Kit(const WriterKeys& keys, const format::RunKeys& run, format::FrameCounter& counter)
      : identifier(keys.id_key),
        sealer(run, keys.repository, keys.signing_key, counter, keys.compression_level) {}
  format::ObjectIdentifier identifier;
  format::FrameSealer sealer;
};

struct ContentPipeline::Piece {
  SharedBytes bytes;
  std::size_t reserved = 0;   // of the budget
  std::size_t unsettled = 1;  // chunks whose frame is not made yet; one for admit() itself
  std::vector<std::shared_ptr<Piece>> waiters;
  std::function<void()> settled;
};

struct ContentPipeline::Question {
  std::size_t ids = 0;
  std::uint64_t waiting = 0;           // feeds that have not answered
  std::vector<std::uint64_t> missing;  // per id: feeds that lack it
  std::function<void(std::vector<std::uint64_t>)> answered;
};

struct ContentPipeline::Item {
  ObjectId id;
  SharedBytes payload;
  std::vector<ObjectId> refs;
  std::uint64_t mask = 0;
  std::shared_ptr<Piece> piece;
};

struct ContentPipeline::MetaBatch {
  std::vector<ListObject> lists;
  std::vector<std::pair<SharedBytes, std::uint64_t>> frames;
  std::size_t unsealed = 0;
  bool asked = false;
  std::size_t bytes = 0;
};

struct ContentPipeline::LargeJob {
  LargeFile file;
  std::unordered_set<ObjectId> known;
  FileDone done;
  struct Part {
    std::vector<CutChunk> chunks;
    bool settled = false;
  };
  std::deque<std::shared_ptr<Part>> parts;  // in the file's order, the front first to be collected
  std::vector<ObjectId> chunks;             // of the list in the making, or of the whole file
  std::vector<std::uint32_t> lengths;
  std::vector<ObjectId> lists;
  bool ended = false;
};

ContentPipeline::ContentPipeline(EventLoop& loop, Executor& executor, SourceTree& source,
                                 const WriterKeys& keys, const format::RunKeys& run,
                                 format::FrameCounter& counter, std::vector<NodeFeed*> feeds,
                                 MakeList make_list, std::function<void()> changed,
                                 PipelineLimits limits)
    : loop_(loop),
      executor_(executor),
      source_(source),
      keys_(keys),
      feeds_(std::move(feeds)),
      make_list_(std::move(make_list)),
      changed_(std::move(changed)),
      limits_(limits) {
  check(feeds_.size() <= 64, "more nodes than a mask has bits");
  for (unsigned i = 0; i < executor.concurrency() + 1; ++i)
    kits_.push_back(std::make_unique<Kit>(keys, run, counter));
}

ContentPipeline::~ContentPipeline() { *alive_ = false; }

bool ContentPipeline::has_room() const {
  return used_bytes_ + batch_bytes_ < limits_.budget_bytes && read_tasks_.size() < 2 * kits_.size();
}

bool ContentPipeline::idle() const { return waits_for_feeds() && frames_pending_ == 0; }

bool ContentPipeline::waits_for_feeds() const {
  return batch_.empty() && pieces_ == 0 && large_jobs_ == 0 && running_ == 0 &&
         seal_tasks_.empty() && read_tasks_.empty() && questions_.empty() && gathered_.empty() &&
         lists_.empty() && metadata_.empty();
}

void ContentPipeline::changed() {
  if (change_posted_) return;
  change_posted_ = true;
  loop_.post([this, alive = alive_] {
    if (!*alive) return;
    change_posted_ = false;
    changed_();
  });
}

// ---- reading

void ContentPipeline::submit(Entry entry, std::vector<ObjectId> known, FileDone done) {
  if (entry.is_regular() && entry.size >= limits_.piece_bytes) {
    auto job =
        std::make_shared<LargeJob>(LargeJob{LargeFile(std::move(entry), limits_.large_piece_bytes),
                                            {known.begin(), known.end()},
                                            std::move(done),
                                            {},
                                            {},
                                            {},
                                            {},
                                            false});
    ++large_jobs_;
    read_large(std::move(job));
    return;
  }
  if (entry.is_regular()) batch_bytes_ += static_cast<std::size_t>(entry.size);
  batch_.push_back(std::move(entry));
  batch_known_.push_back(std::move(known));
  batch_done_.push_back(std::move(done));
  if (batch_bytes_ >= limits_.piece_bytes || batch_.size() >= limits_.files_per_piece) read_batch();
}

void ContentPipeline::read_batch() {
  if (batch_.empty()) return;
  const std::size_t reserved = std::exchange(batch_bytes_, 0);
  used_bytes_ += reserved;
  read_tasks_.push_back(
      [this, alive = alive_, reserved, entries = std::exchange(batch_, {}),
       dones = std::exchange(batch_done_, {}),
       known = std::exchange(batch_known_, {})](std::unique_ptr<Kit> kit) mutable {
        executor_.submit([this, alive = std::move(alive), reserved, kit = std::move(kit),
                          entries = std::move(entries), dones = std::move(dones),
                          known = std::move(known)]() mutable {
          CutPiece piece =
              cut_small_files({source_, keys_.chunker, kit->identifier}, std::move(entries));
          loop_.post([this, alive = std::move(alive), reserved, kit = std::move(kit),
                      piece = std::move(piece), dones = std::move(dones),
                      known = std::move(known)]() mutable {
            if (!*alive) return;
            kits_.push_back(std::move(kit));
            --running_;
            take_piece(std::move(piece), std::move(dones), std::move(known), reserved);
            dispatch();
          });
        });
      });
  dispatch();
}

void ContentPipeline::take_piece(CutPiece cut, std::vector<FileDone> dones,
                                 std::vector<std::vector<ObjectId>> known, std::size_t reserved) {
  std::unordered_set<ObjectId> all_known;
  for (const auto& ids : known) all_known.insert(ids.begin(), ids.end());
  figures_.bytes_read += cut.bytes.size();
  auto piece = std::make_shared<Piece>();
  piece->bytes = cut.bytes;
  piece->reserved = reserved;
  ++pieces_;
  auto chunks = std::make_shared<std::vector<CutChunk>>(std::move(cut.chunks));
  piece->settled = [chunks, files = std::move(cut.files), dones = std::move(dones)]() mutable {
    for (std::size_t i = 0; i < files.size(); ++i) {
      CutFile& file = files[i];
      Content content;
      for (std::size_t c = file.first_chunk; c < file.first_chunk + file.chunk_count; ++c) {
        content.refs.push_back((*chunks)[c].id);
        if (file.chunk_count > 1) content.lengths.push_back((*chunks)[c].length);
      }
      dones[i]({std::move(file.entry), std::move(content), std::move(file.problem)});
    }
  };
  admit(std::move(piece), *chunks, [&](const ObjectId& id) { return all_known.contains(id); });
}

void ContentPipeline::read_large(std::shared_ptr<LargeJob> job) {
  used_bytes_ += limits_.large_piece_bytes;
  read_tasks_.push_back(
      [this, alive = alive_, job = std::move(job)](std::unique_ptr<Kit> kit) mutable {
        executor_.submit(
            [this, alive = std::move(alive), job = std::move(job), kit = std::move(kit)]() mutable {
              LargeFile::Piece piece = job->file.next({source_, keys_.chunker, kit->identifier});
              loop_.post([this, alive = std::move(alive), job = std::move(job),
                          kit = std::move(kit), piece = std::move(piece)]() mutable {
                if (!*alive) return;
                kits_.push_back(std::move(kit));
                --running_;
                take_large(job, std::move(piece));
                dispatch();
              });
            });
      });
  dispatch();
}

void ContentPipeline::take_large(const std::shared_ptr<LargeJob>& job, LargeFile::Piece read) {
  figures_.bytes_read += read.bytes.size();
  auto part = std::make_shared<LargeJob::Part>(LargeJob::Part{std::move(read.chunks), false});
  job->parts.push_back(part);
  job->ended = read.last;
  auto piece = std::make_shared<Piece>();
  piece->bytes = read.bytes;
  piece->reserved = limits_.large_piece_bytes;
  ++pieces_;
  piece->settled = [this, job, part] {
    part->settled = true;
    collect_large(job);
  };
  if (!read.last) read_large(job);
  admit(std::move(piece), part->chunks,
        [&](const ObjectId& id) { return job->known.contains(id); });
}

void ContentPipeline::collect_large(const std::shared_ptr<LargeJob>& job) {
  const auto close_list = [&](std::size_t count) {
    const std::span<const ObjectId> ids = std::span(job->chunks).first(count);
    job->lists.push_back(make_list_(ids, std::span(job->lengths).first(count)));
    job->chunks.erase(job->chunks.begin(),
                      job->chunks.begin() + static_cast<std::ptrdiff_t>(count));
    job->lengths.erase(job->lengths.begin(),
                       job->lengths.begin() + static_cast<std::ptrdiff_t>(count));
  };
  while (!job->parts.empty() && job->parts.front()->settled) {
    for (const CutChunk& chunk : job->parts.front()->chunks) {
      job->chunks.push_back(chunk.id);
      job->lengths.push_back(chunk.length);
    }
    job->parts.pop_front();
    // Not before it is certain that the file has more than may stand in its entry.
    while (job->chunks.size() > kMaxInlineChunks) close_list(kChunksPerList);
  }
  if (!job->ended || !job->parts.empty()) return;
  FileOutcome outcome{std::move(job->file.entry()), {}, job->file.problem()};
  if (outcome.problem) {
    // Nothing of an unreadable file is kept; the chunks that were sent already are garbage.
  } else if (job->lists.empty()) {
    outcome.content.refs = std::move(job->chunks);
    if (outcome.content.refs.size() > 1) outcome.content.lengths = std::move(job->lengths);
  } else {
    if (!job->chunks.empty()) close_list(job->chunks.size());
    outcome.content.refs = std::move(job->lists);
    outcome.content.lists = true;
  }
  --large_jobs_;
  auto done = std::move(job->done);
  done(std::move(outcome));
}

// ---- which chunks are new

void ContentPipeline::admit(std::shared_ptr<Piece> piece, const std::vector<CutChunk>& chunks,
                            const std::function<bool(const ObjectId&)>& known) {
  std::vector<ObjectId> ids;
  std::vector<CutChunk> wanted;
  for (const CutChunk& chunk : chunks) {
    if (known(chunk.id)) continue;
    if (const auto [found, fresh] = in_flight_.try_emplace(chunk.id, piece); !fresh) {
      if (const auto& owner = found->second; owner && owner != piece) {
        ++piece->unsettled;
        owner->waiters.push_back(piece);
      }
      continue;
    }
    ids.push_back(chunk.id);
    wanted.push_back(chunk);
  }
  if (!ids.empty()) {
    piece->unsettled += ids.size();
    ask(std::move(ids),
        [this, piece, wanted = std::move(wanted)](std::vector<std::uint64_t> missing) {
          std::vector<Item> items;
          std::size_t new_bytes = 0;
          for (std::size_t i = 0; i < wanted.size(); ++i)
            if (missing[i] != 0) new_bytes += wanted[i].length;
          // A piece of which little is new should not be held until a frame is full.
          const bool copy = new_bytes < piece->bytes.size() / 2;
          for (std::size_t i = 0; i < wanted.size(); ++i) {
            if (missing[i] == 0) {
              in_flight_.erase(wanted[i].id);
              --piece->unsettled;
              continue;
            }
            SharedBytes payload = piece->bytes.slice(wanted[i].offset, wanted[i].length);
            if (copy) payload = SharedBytes(Buffer::copy_of(payload));
            items.push_back({wanted[i].id, std::move(payload), {}, missing[i], piece});
          }
          figures_.bytes_added += new_bytes;
          gather(std::move(items));
          if (piece->unsettled == 0) settle(piece);
        });
  }
  if (--piece->unsettled == 0) settle(piece);
}

void ContentPipeline::settle(const std::shared_ptr<Piece>& piece) {
  used_bytes_ -= piece->reserved;
  --pieces_;
  piece->bytes = {};
  const std::shared_ptr<bool> alive = alive_;
  auto settled = std::exchange(piece->settled, nullptr);
  settled();
  if (!*alive) return;
  for (const auto& waiter : std::exchange(piece->waiters, {}))
    if (--waiter->unsettled == 0) settle(waiter);
  changed();
}

void ContentPipeline::ask(std::vector<ObjectId> ids,
                          std::function<void(std::vector<std::uint64_t>)> answered) {
  questions_.push_back(
      {ids.size(), 0, std::vector<std::uint64_t>(ids.size(), 0), std::move(answered)});
  const auto question = std::prev(questions_.end());
  for (std::size_t f = 0; f < feeds_.size(); ++f)
    if (feeds_[f]->active()) question->waiting |= std::uint64_t{1} << f;
  for (std::size_t f = 0; f < feeds_.size(); ++f) {
    const std::uint64_t bit = std::uint64_t{1} << f;
    if (!feeds_[f]->active()) continue;
    feeds_[f]->ask_present(ids, [this, alive = alive_, question, bit](std::vector<bool> present) {
      if (!*alive || (question->waiting & bit) == 0) return;
      for (std::size_t i = 0; i < present.size(); ++i)
        if (!present[i]) question->missing[i] |= bit;
      question->waiting &= ~bit;
      check_questions();
    });
  }
  if (question->waiting == 0)
    loop_.post([this, alive = alive_] {
      if (*alive) check_questions();
    });
}

void ContentPipeline::check_questions() {
  std::uint64_t active = 0;
  for (std::size_t f = 0; f < feeds_.size(); ++f)
    if (feeds_[f]->active()) active |= std::uint64_t{1} << f;
  for (bool again = true; again;) {
    again = false;
    for (auto at = questions_.begin(); at != questions_.end(); ++at) {
      // A feed that left answers no more: its callback is void, so the question may go.
      if ((at->waiting &= active) != 0) continue;
      Question question = std::move(*at);
      questions_.erase(at);
      for (auto& missing : question.missing) missing &= active;
      const std::shared_ptr<bool> alive = alive_;
      question.answered(std::move(question.missing));
      if (!*alive) return;
      changed();
      again = true;
      break;
    }
  }
}

// ---- frames

void ContentPipeline::gather(std::vector<Item> items) {
  for (Item& item : items) {
    gathered_bytes_ += item.payload.size();
    gathered_.push_back(std::move(item));
    if (gathered_bytes_ >= format::kTargetFramePlaintext ||
        gathered_.size() >= format::kMaxFrameObjects / 2)
      cut_frame();
  }
}

void ContentPipeline::cut_frame() {
  if (gathered_.empty()) return;
  gathered_bytes_ = 0;
  auto items = std::exchange(gathered_, {});
  std::uint64_t mask = 0;
  std::vector<std::pair<ObjectId, std::shared_ptr<Piece>>> chunks;
  for (Item& item : items) {
    mask |= item.mask;
    chunks.emplace_back(item.id, std::move(item.piece));
  }
  seal(std::move(items), format::FrameRole::kData,
       [this, mask, chunks = std::move(chunks)](SharedBytes frame) {
         std::vector<ObjectId> ids;
         for (const auto& [id, piece] : chunks) ids.push_back(id);
         send(std::move(frame), format::FrameRole::kData, mask, [this, ids = std::move(ids)] {
           for (const ObjectId& id : ids) in_flight_.erase(id);
         });
         const std::shared_ptr<bool> alive = alive_;
         for (const auto& [id, piece] : chunks) {
           // It is on its way: who meets this chunk from now on need not wait for the piece.
           if (const auto found = in_flight_.find(id); found != in_flight_.end())
             found->second = nullptr;
           if (--piece->unsettled == 0) settle(piece);
           if (!*alive) return;
         }
       });
}

void ContentPipeline::seal(std::vector<Item> items, format::FrameRole role,
                           std::function<void(SharedBytes)> sealed) {
  seal_tasks_.push_back([this, alive = alive_, role, items = std::move(items),
                         sealed = std::move(sealed)](std::unique_ptr<Kit> kit) mutable {
    executor_.submit([this, alive = std::move(alive), role, items = std::move(items),
                      sealed = std::move(sealed), kit = std::move(kit)]() mutable {
      format::FrameContent content(role);
      for (const Item& item : items) content.add(item.id, item.refs, item.payload);
      items.clear();
      SharedBytes frame = kit->sealer.seal(content);
      loop_.post([this, alive = std::move(alive), sealed = std::move(sealed), kit = std::move(kit),
                  frame = std::move(frame)]() mutable {
        if (!*alive) return;
        kits_.push_back(std::move(kit));
        --running_;
        sealed(std::move(frame));
        if (*alive) dispatch();
      });
    });
  });
  dispatch();
}

void ContentPipeline::send(SharedBytes frame, format::FrameRole role, std::uint64_t mask,
                           std::function<void()> acknowledged) {
  ++figures_.frames;
  figures_.bytes_stored += frame.size();
  ++frames_pending_;
  used_bytes_ += frame.size();
  // Counts the feeds, and itself while it is sending.
  auto left = std::make_shared<std::size_t>(1);
  auto count = [this, alive = alive_, left, size = frame.size(),
                acknowledged = std::move(acknowledged)] {
    if (!*alive || --*left != 0) return;
    --frames_pending_;
    used_bytes_ -= size;
    if (acknowledged) acknowledged();
    changed();
  };
  for (std::size_t f = 0; f < feeds_.size(); ++f) {
    if ((mask >> f & 1) == 0 || !feeds_[f]->active()) continue;
    ++*left;
    feeds_[f]->send(frame, role, count);
  }
  count();
}

// ---- list objects

void ContentPipeline::submit_list(ListObject list) {
  lists_bytes_ += list.payload.size() + list.refs.size() * ObjectId::kSize;
  lists_.push_back(std::move(list));
  if (lists_bytes_ >= format::kTargetFramePlaintext) close_metadata_batch();
}

void ContentPipeline::close_metadata_batch() {
  if (lists_.empty()) return;
  auto batch = std::make_shared<MetaBatch>();
  batch->lists = std::exchange(lists_, {});
  batch->bytes = std::exchange(lists_bytes_, 0);
  used_bytes_ += batch->bytes;
  metadata_.push_back(batch);
  std::vector<ObjectId> ids;
  for (const ListObject& list : batch->lists) ids.push_back(list.id);
  ask(std::move(ids), [this, batch](std::vector<std::uint64_t> missing) {
    std::vector<Item> items;
    std::uint64_t mask = 0;
    for (std::size_t i = 0; i < batch->lists.size(); ++i) {
      if (missing[i] == 0) continue;
      mask |= missing[i];
      ListObject& list = batch->lists[i];
      auto payload = std::make_shared<const Bytes>(std::move(list.payload));
      items.push_back(
          {list.id, SharedBytes(*payload, payload), std::move(list.refs), missing[i], nullptr});
    }
    batch->lists.clear();
    batch->asked = true;
    if (!items.empty()) {
      ++batch->unsealed;
      seal(std::move(items), format::FrameRole::kMetadata, [this, batch, mask](SharedBytes frame) {
        batch->frames.emplace_back(std::move(frame), mask);
        --batch->unsealed;
        advance_metadata();
      });
    }
    advance_metadata();
  });
}

void ContentPipeline::advance_metadata() {
  while (!metadata_.empty() && metadata_.front()->asked && metadata_.front()->unsealed == 0) {
    const auto batch = std::move(metadata_.front());
    metadata_.pop_front();
    used_bytes_ -= batch->bytes;
    for (auto& [frame, mask] : batch->frames)
      send(std::move(frame), format::FrameRole::kMetadata, mask, nullptr);
  }
  changed();
}

// ---- the engine

void ContentPipeline::flush() {
  read_batch();
  cut_frame();
  close_metadata_batch();
}

void ContentPipeline::feeds_changed() { check_questions(); }

void ContentPipeline::dispatch() {
  while (!kits_.empty()) {
    auto& tasks =
        !seal_tasks_.empty() ? seal_tasks_ : read_tasks_;  // sealing frees memory, reading takes it
    if (tasks.empty()) break;
    auto task = std::move(tasks.front());
    tasks.pop_front();
    auto kit = std::move(kits_.back());
    kits_.pop_back();
    ++running_;
    task(std::move(kit));
  }
}

}  // namespace holdfast::agent
