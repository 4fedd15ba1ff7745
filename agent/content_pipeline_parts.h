// What a content pipeline keeps of its work under way. Private to it.
#pragma once

#include <utility>

#include "agent/content_pipeline.h"

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

}  // namespace holdfast::agent
