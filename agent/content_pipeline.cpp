// The life of a chunk: read_tasks_ (executor) -> admit() -> ask() -> gather() -> seal (executor) ->
// send() -> acknowledged. A piece is settled when every chunk of it is known to be present or on
// its way; only then are its files done, so that the list objects made of them follow their chunks
// on every channel.
#include "agent/content_pipeline.h"

#include <algorithm>
#include <utility>

#include "agent/content_pipeline_parts.h"

namespace holdfast::agent {

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
  return used_bytes_ + queued_bytes_ + batch_bytes_ < limits_.budget_bytes &&
         read_tasks_.size() < 2 * kits_.size();
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
    dispatch();
    flush_if_due();
    changed_();
  });
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
      if (!*alive) return;
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
      at->waiting &= active;
      if (at->waiting != 0) continue;
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
    // Touches nothing of the pipeline, which may be gone by then.
    executor_.submit([this, &loop = loop_, alive = std::move(alive), role, items = std::move(items),
                      sealed = std::move(sealed), kit = std::move(kit)]() mutable {
      format::FrameContent content(role);
      for (const Item& item : items) content.add(item.id, item.refs, item.payload);
      items.clear();
      SharedBytes frame = kit->sealer.seal(content);
      loop.post([this, alive = std::move(alive), sealed = std::move(sealed), kit = std::move(kit),
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
  flush_due_ = true;
  flush_if_due();
}

void ContentPipeline::flush_if_due() {
  if (!flush_due_ || !gathers_no_more()) return;
  flush_due_ = false;
  cut_frame();
  close_metadata_batch();
}

// Sealing and sending add nothing to what is gathered.
bool ContentPipeline::gathers_no_more() const {
  return reading_ == 0 && read_tasks_.empty() && questions_.empty();
}

void ContentPipeline::feeds_changed() { check_questions(); }

bool ContentPipeline::nothing_moves() const {
  return running_ == 0 && frames_pending_ == 0 && questions_.empty();
}

// While there is room, or else when nothing is left that could make some.
bool ContentPipeline::may_read() const {
  if (read_tasks_.empty()) return false;
  return used_bytes_ + read_tasks_.front().bytes <= limits_.budget_bytes ||
         (nothing_moves() && gathered_.empty());
}

// What is gathered holds the pieces that it comes from. Where little of each is new, these take all
// the room before a frame is full, and nothing comes any more that could fill it.
bool ContentPipeline::gathered_takes_the_room() const {
  return !gathered_.empty() && nothing_moves() && !(read_tasks_.empty() && has_room());
}

// Sealing frees memory, reading takes it.
void ContentPipeline::dispatch() {
  while (!kits_.empty() && (!seal_tasks_.empty() || may_read())) {
    auto kit = std::move(kits_.back());
    kits_.pop_back();
    ++running_;
    if (!seal_tasks_.empty()) {
      auto task = std::move(seal_tasks_.front());
      seal_tasks_.pop_front();
      task(std::move(kit));
    } else {
      ReadTask task = std::move(read_tasks_.front());
      read_tasks_.pop_front();
      queued_bytes_ -= task.bytes;
      used_bytes_ += task.bytes;
      ++reading_;
      task.run(std::move(kit));
    }
  }
  if (gathered_takes_the_room()) cut_frame();
}

void ContentPipeline::end_reading(std::unique_ptr<Kit> kit) {
  kits_.push_back(std::move(kit));
  --running_;
  --reading_;
}

}  // namespace holdfast::agent
