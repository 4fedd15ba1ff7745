// A snapshot's list objects in one local file, children before parents: what the next backup
// compares with, what a node that lags is brought whole from, and where a restore keeps the catalog
// it fetched. A cache: a file that is damaged or cut short is recognised and not used.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "agent/catalog_node.h"
#include "common/ports/file_system.h"

namespace holdfast::agent {

class CatalogFileWriter {
 public:
  // Replaces what is at `path`.
  static Result<CatalogFileWriter> create(FileSystem& files, const std::string& path);
  Status add(const ListObject& object);
  // Writes the root and the manifest (empty if there is none yet) as the end that makes it valid.
  // Not synced: losing a cache loses nothing.
  Status finish(const ObjectId& root, ByteView signed_manifest);

 private:
  CatalogFileWriter(std::unique_ptr<File> file) : file_(std::move(file)) {}  // NOLINT
  Status flush();
  std::unique_ptr<File> file_;
  Bytes buffer_;
  std::uint64_t written_ = 0;
};

class CatalogFileReader {
 public:
  // kNotFound; kCorrupt if it was not finished or is no catalog file.
  static Result<CatalogFileReader> open(FileSystem& files, const std::string& path);

  const ObjectId& root() const { return root_; }
  const Bytes& signed_manifest() const { return manifest_; }
  // The next object in order of writing; nullopt behind the last. kCorrupt.
  Result<std::optional<ListObject>> next();
  void rewind() {
    position_ = kBegin;
    buffer_.clear();
  }

 private:
  static constexpr std::uint64_t kBegin = 16;
  CatalogFileReader() = default;
  Result<ByteView> take(std::size_t size);
  std::unique_ptr<File> file_;
  ObjectId root_;
  Bytes manifest_;
  std::uint64_t position_ = kBegin, end_ = 0;
  Bytes buffer_;  // the file from buffer_at_
  std::uint64_t buffer_at_ = 0;
};

// The entries of a catalog file in order.
class CatalogEntryReader {
 public:
  explicit CatalogEntryReader(CatalogFileReader& file) : file_(file) {}
  // The next entry, null behind the last; valid until the next call.
  Result<CatalogEntry*> next();

 private:
  CatalogFileReader& file_;
  std::vector<CatalogEntry> leaf_;
  std::size_t at_ = 0;
};

}  // namespace holdfast::agent
