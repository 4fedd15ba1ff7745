// A file system of a single file, whatever it is called: what a parser of local files is given its
// bytes by, in far less time than it takes to open a file.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/ports/file_system.h"

namespace holdfast::fuzz {

class OneFile final : public FileSystem {
 public:
  explicit OneFile(ByteView content) : content_(content.begin(), content.end()) {}
  const Bytes& content() const { return content_; }
  // Names that end so are not there.
  void lacks(std::string ending) { lacking_ = std::move(ending); }

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    if (mode == OpenMode::kCreateNew) content_.clear();
    if (is_lacking(path)) return Error(Code::kNotFound, path + ": there is no such file");
    return std::unique_ptr<File>(std::make_unique<Handle>(content_));
  }
  Status make_directory(const std::string&) override { return {}; }
  Status rename(const std::string&, const std::string&) override { return {}; }
  Status rename_new(const std::string&, const std::string&) override { return {}; }
  Status remove(const std::string&) override { return {}; }
  Status sync_directory(const std::string&) override { return {}; }
  Result<std::vector<DirectoryEntry>> list(const std::string&) override {
    return std::vector<DirectoryEntry>();
  }
  Result<bool> exists(const std::string& path) override { return !is_lacking(path); }
  Result<std::uint64_t> free_bytes(const std::string&) override { return std::uint64_t{1} << 40; }
  std::string temporary_path(const std::string& path) override { return path; }
  Result<std::unique_ptr<FileLock>> lock(const std::string&) override {
    return std::make_unique<FileLock>();
  }

 private:
  class Handle final : public File {
   public:
    explicit Handle(Bytes& content) : content_(content) {}
    Result<std::size_t> read_at(std::uint64_t offset, MutableByteView out) override {
      if (offset >= content_.size() || out.empty()) return std::size_t{0};
      const std::size_t size = std::min<std::size_t>(out.size(), content_.size() - offset);
      std::memcpy(out.data(), content_.data() + offset, size);
      return size;
    }
    Status write_at(std::uint64_t offset, std::vector<ByteView> parts) override {
      for (const ByteView part : parts) {
        if (content_.size() < offset + part.size()) content_.resize(offset + part.size());
        std::copy(part.begin(), part.end(), content_.begin() + static_cast<std::ptrdiff_t>(offset));
        offset += part.size();
      }
      return {};
    }
    Status sync_data() override { return {}; }
    Status forget_cached() override { return {}; }
    Status truncate(std::uint64_t size) override {
      content_.resize(size);
      return {};
    }
    Result<std::uint64_t> size() override { return content_.size(); }
    void start_writeback(std::uint64_t, std::uint64_t) override {}

   private:
    Bytes& content_;
  };

  bool is_lacking(const std::string& path) const {
    return !lacking_.empty() && path.ends_with(lacking_);
  }

  Bytes content_;
  std::string lacking_;
};

}  // namespace holdfast::fuzz
