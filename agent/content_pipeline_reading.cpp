// The reading half of the content pipeline: batches of small files and the pieces of large ones,
// from the executor to admit(). What runs on the executor touches nothing of the pipeline, which
// may be gone by then.
#include <utility>

#include "agent/content_pipeline_parts.h"

namespace holdfast::agent {

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
    ReadTask task = next_piece(std::move(job));
    queued_bytes_ += task.bytes;
    read_tasks_.push_back(std::move(task));
    dispatch();
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
  queued_bytes_ += reserved;
  read_tasks_.push_back(
      {reserved, [this, alive = alive_, reserved, entries = std::exchange(batch_, {}),
                  dones = std::exchange(batch_done_, {}),
                  known = std::exchange(batch_known_, {})](std::unique_ptr<Kit> kit) mutable {
         executor_.submit([this, &loop = loop_, &source = source_, &chunker = keys_.chunker,
                           alive = std::move(alive), reserved, kit = std::move(kit),
                           entries = std::move(entries), dones = std::move(dones),
                           known = std::move(known)]() mutable {
           CutPiece piece = cut_small_files({source, chunker, kit->identifier}, std::move(entries));
           loop.post([this, alive = std::move(alive), reserved, kit = std::move(kit),
                      piece = std::move(piece), dones = std::move(dones),
                      known = std::move(known)]() mutable {
             if (!*alive) return;
             end_reading(std::move(kit));
             take_piece(std::move(piece), std::move(dones), std::move(known), reserved);
             dispatch();
           });
         });
       }});
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

ContentPipeline::ReadTask ContentPipeline::next_piece(std::shared_ptr<LargeJob> job) {
  return {limits_.large_piece_bytes,
          [this, alive = alive_, job = std::move(job)](std::unique_ptr<Kit> kit) mutable {
            executor_.submit([this, &loop = loop_, &source = source_, &chunker = keys_.chunker,
                              alive = std::move(alive), job = std::move(job),
                              kit = std::move(kit)]() mutable {
              LargeFile::Piece piece = job->file.next({source, chunker, kit->identifier});
              loop.post([this, alive = std::move(alive), job = std::move(job), kit = std::move(kit),
                         piece = std::move(piece)]() mutable {
                if (!*alive) return;
                end_reading(std::move(kit));
                take_large(job, std::move(piece));
                dispatch();
              });
            });
          }};
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
  if (!read.last) {
    // Before files that were not begun, so that few are open at once.
    ReadTask task = next_piece(job);
    queued_bytes_ += task.bytes;
    read_tasks_.push_front(std::move(task));
  }
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
    close_list(job->chunks.size());
    outcome.content.refs = std::move(job->lists);
    outcome.content.lists = true;
  }
  --large_jobs_;
  auto done = std::move(job->done);
  done(std::move(outcome));
}

}  // namespace holdfast::agent
