// The contents of files on their way into the target: which chunk goes where, so that each is
// fetched once however often it is needed. Fed by workers, several at once.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "agent/restore_ledger.h"
#include "agent/restore_planner.h"
#include "agent/restore_target.h"
#include "common/format/frame_opener.h"

namespace holdfast::agent {

// One regular file that is being put together. Thread-safe.
class RestoredFile {
 public:
  RestoredFile(RestoreEntry planned, RestoreTarget& target, RestoreLedger& ledger)
      : planned_(std::move(planned)), target_(target), ledger_(ledger) {}
  RestoredFile(const RestoredFile&) = delete;
  RestoredFile& operator=(const RestoredFile&) = delete;

  // Pieces that are still to be written, before any of them is.
  void expect(std::size_t pieces) { left_ += pieces; }
  // All of the content at once: creates, writes and ends the file.
  void write_whole(ByteView content);
  // One piece; the last one ends the file.
  void write(std::uint64_t offset, ByteView piece);
  // A piece is withdrawn that expect() counted, without writing: to keep a file open until all its
  // pieces are known.
  void release() { done_with_piece(); }
  // Leaves nothing of the file; pieces that still come are passed over. The first error counts.
  void fail(Error error);

  bool failed() const { return failed_; }
  const RestoreEntry& planned() const { return planned_; }
  const CatalogEntry& entry() const { return planned_.from; }
  const std::string& path() const { return planned_.path; }
  std::uint64_t ordinal() const { return planned_.ordinal; }

 private:
  void done_with_piece();
  void end(const Status& status);
  Result<FileWriter*> writer();

  const RestoreEntry planned_;
  RestoreTarget& target_;
  RestoreLedger& ledger_;
  std::atomic<std::size_t> left_ = 0;
  std::atomic<bool> failed_ = false;
  std::mutex mutex_;
  std::unique_ptr<FileWriter> writer_;  // guarded until left_ is 0
};

// The chunks of some files. Filled by one thread, then closed, then fed by several.
class RestoreContent {
 public:
  // A file with its chunks inline; a file without any is written at once.
  void add(std::shared_ptr<RestoredFile> file);
  // A run of a file's chunks from `offset`.
  void add(std::shared_ptr<RestoredFile> file, std::span<const ObjectId> chunks,
           std::span<const std::uint32_t> lengths, std::uint64_t offset);
  // The ids to fetch, in the order in which they came. Nothing is added afterwards.
  std::vector<ObjectId> close();

  void write(std::span<const format::OpenedObject* const> objects) const;
  void fail(const ObjectId& id, const Error& reason) const;

 private:
  struct Place {
    ObjectId id;
    std::uint64_t offset;
    std::uint32_t file;
    std::uint32_t length;
    bool whole;  // the only chunk of its file
  };
  std::span<const Place> places(const ObjectId& id) const;
  void fail(const Place& place, const Error& reason) const;
  std::vector<std::shared_ptr<RestoredFile>> files_;
  std::vector<Place> places_;  // by id once closed
};

}  // namespace holdfast::agent
