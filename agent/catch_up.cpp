#include "agent/catch_up.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace holdfast::agent {
namespace {

constexpr std::size_t kListsPerBatch = 64;

// A chunk list as the pipeline's large files need it.
ListObject chunk_list(format::ObjectIdentifier& identifier, std::span<const ObjectId> chunks,
                      std::span<const std::uint32_t> lengths) {
  ListObject list{
      {}, ListKind::kChunkList, {chunks.begin(), chunks.end()}, encode_chunk_list(lengths)};
  list.id = identifier.identify(format::ObjectKind::kList, list.refs, list.payload);
  return list;
}

}  // namespace

CatchUp::CatchUp(EventLoop& loop, Executor& executor, SourceTree& source, const WriterKeys& keys,
                 const format::RunKeys& run, format::FrameCounter& counter,
                 format::ObjectIdentifier& identifier, CatalogFileReader& catalog, NodeFeed& feed,
                 Done done)
    : loop_(loop),
      identifier_(identifier),
      catalog_(catalog),
      feed_(feed),
      done_(std::move(done)),
      pipeline_(
          loop, executor, source, keys, run, counter, {&feed},
          [this](std::span<const ObjectId> chunks, std::span<const std::uint32_t> lengths) {
            ListObject list = chunk_list(identifier_, chunks, lengths);
            const ObjectId id = list.id;
            pipeline_.submit_list(std::move(list));
            return id;
          },
          [this] { advance(); }) {}

CatchUp::~CatchUp() { *alive_ = false; }

void CatchUp::start() {
  catalog_.rewind();
  read_batch();
}

void CatchUp::feed_changed() {
  pipeline_.feeds_changed();
  if (!feed_.active())
    loop_.post([this, alive = alive_] {
      if (*alive) advance();
    });
}

void CatchUp::read_batch() {
  in_batch_ = true;
  std::vector<ListObject> lists;
  while (lists.size() < kListsPerBatch) {
    auto object = catalog_.next();
    if (!object) return end(std::move(object).error());
    if (!*object) {
      read_all_ = true;
      break;
    }
    // Chunk lists come out of reading their file again.
    if ((*object)->kind != ListKind::kChunkList) lists.push_back(std::move(**object));
  }
  if (lists.empty()) {
    in_batch_ = false;
    return advance();
  }
  std::vector<ObjectId> ids;
  ids.reserve(lists.size());
  for (const ListObject& list : lists) ids.push_back(list.id);
  feed_.ask_present(std::move(ids), [this, alive = alive_,
                                     lists = std::move(lists)](std::vector<bool> present) mutable {
    if (!*alive) return;
    std::vector<ListObject> missing;
    for (std::size_t i = 0; i < lists.size(); ++i)
      if (!present[i]) missing.push_back(std::move(lists[i]));
    ask_about(std::move(missing));
  });
}

void CatchUp::ask_about(std::vector<ListObject> missing) {
  std::unordered_set<ObjectId> unique;
  for (const ListObject& list : missing)
    if (list.kind == ListKind::kLeaf) unique.insert(list.refs.begin(), list.refs.end());
  if (unique.empty()) return heal(std::move(missing), {});
  struct Asking {
    std::vector<ListObject> missing;
    std::unordered_set<ObjectId> absent;
    std::size_t open = 0;
  };
  auto asking = std::make_shared<Asking>();
  asking->missing = std::move(missing);
  std::vector<ObjectId> all(unique.begin(), unique.end());
  const std::size_t step = wire::kMaxIdsPerRequest;
  asking->open = (all.size() + step - 1) / step;
  for (std::size_t at = 0; at < all.size(); at += step) {
    std::vector<ObjectId> ids(
        all.begin() + static_cast<std::ptrdiff_t>(at),
        all.begin() + static_cast<std::ptrdiff_t>(std::min(at + step, all.size())));
    feed_.ask_present(ids, [this, alive = alive_, asking, ids](std::vector<bool> present) {
      if (!*alive) return;
      for (std::size_t i = 0; i < ids.size(); ++i)
        if (!present[i]) asking->absent.insert(ids[i]);
      if (--asking->open == 0) heal(std::move(asking->missing), std::move(asking->absent));
    });
  }
}

void CatchUp::heal(std::vector<ListObject> missing, std::unordered_set<ObjectId> absent) {
  batch_ = std::move(missing);
  files_due_ = 1;  // this function
  for (const ListObject& list : batch_) {
    if (list.kind != ListKind::kLeaf) continue;
    auto entries = decode_leaf(list.refs, list.payload);
    if (!entries) return end(std::move(entries).error());
    for (CatalogEntry& entry : *entries) {
      const bool lacks = std::any_of(entry.content.refs.begin(), entry.content.refs.end(),
                                     [&](const ObjectId& id) { return absent.contains(id); });
      if (!lacks) continue;
      ++files_due_;
      ++figures_.files_read;
      pipeline_.submit(
          std::move(entry.entry), {},
          [this, expected = std::move(entry.content.refs)](ContentPipeline::FileOutcome&& outcome) {
            if (outcome.problem || outcome.content.refs != expected) ++files_changed_;
            settle_batch();
          });
    }
  }
  pipeline_.flush();
  settle_batch();
}

void CatchUp::settle_batch() {
  if (--files_due_ != 0) return;
  for (ListObject& list : batch_) pipeline_.submit_list(std::move(list));
  batch_.clear();
  in_batch_ = false;
  loop_.post([this, alive = alive_] {
    if (*alive) advance();
  });
}

void CatchUp::advance() {
  if (!done_) return;
  if (!feed_.active()) return end(feed_.reason());
  if (files_changed_ != 0 && !in_batch_)
    return end(Error(Code::kChanged,
                     fmt::format("node {}: {} files of which it lacks content have changed since; "
                                 "it will be whole with a later snapshot",
                                 feed_.name(), files_changed_)));
  if (in_batch_) return pipeline_.flush();
  if (!read_all_) {
    if (pipeline_.has_room()) read_batch();
    return;
  }
  pipeline_.flush();
  if (pipeline_.idle()) end({});
}

void CatchUp::end(Status status) {
  if (!done_) return;
  figures_.bytes_read = pipeline_.figures().bytes_read;
  figures_.bytes_sent = pipeline_.figures().bytes_stored;
  // Not from within our own frames: the owner destroys us.
  loop_.post([alive = alive_, done = std::exchange(done_, nullptr), status = std::move(status),
              figures = figures_] {
    if (*alive) done(status, figures);
  });
}

}  // namespace holdfast::agent
