// A file system whose calls can be counted, made to fail, or met by something that happens just
// before them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/ports/file_system.h"

namespace holdfast::testing {

class ObservedFiles : public FileSystem {
 public:
  // Called before each call with its name, which is that of the method (`create` for an open() with
  // kCreateNew), and its path. An error is what the call answers, and nothing else happens. On the
  // thread of the call.
  using Before = std::function<Status(std::string_view call, const std::string& path)>;
  // `files` outlives this and what is opened through it.
  ObservedFiles(FileSystem& files, Before before) : files_(files), before_(std::move(before)) {}

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    HOLDFAST_TRY(before_(mode == OpenMode::kCreateNew ? "create" : "open", path));
    HOLDFAST_ASSIGN(auto file, files_.open(path, mode));
    return std::unique_ptr<File>(std::make_unique<ObservedFile>(*this, std::move(file), path));
  }
  Status make_directory(const std::string& path) override {
    HOLDFAST_TRY(before_("make_directory", path));
    return files_.make_directory(path);
  }
  Status rename(const std::string& from, const std::string& to) override {
    HOLDFAST_TRY(before_("rename", to));
    return files_.rename(from, to);
  }
  Status rename_new(const std::string& from, const std::string& to) override {
    HOLDFAST_TRY(before_("rename_new", to));
    return files_.rename_new(from, to);
  }
  Status remove(const std::string& path) override {
    HOLDFAST_TRY(before_("remove", path));
    return files_.remove(path);
  }
  Status sync_directory(const std::string& path) override {
    HOLDFAST_TRY(before_("sync_directory", path));
    return files_.sync_directory(path);
  }
  Result<std::vector<DirectoryEntry>> list(const std::string& path) override {
    HOLDFAST_TRY(before_("list", path));
    return files_.list(path);
  }
  Result<bool> exists(const std::string& path) override {
    HOLDFAST_TRY(before_("exists", path));
    return files_.exists(path);
  }
  Result<std::uint64_t> free_bytes(const std::string& path) override {
    HOLDFAST_TRY(before_("free_bytes", path));
    return files_.free_bytes(path);
  }
  std::string temporary_path(const std::string& path) override {
    return files_.temporary_path(path);
  }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override {
    HOLDFAST_TRY(before_("lock", path));
    return files_.lock(path);
  }

 private:
  class ObservedFile final : public File {
   public:
    ObservedFile(ObservedFiles& files, std::unique_ptr<File> file, std::string path)
        : files_(files), file_(std::move(file)), path_(std::move(path)) {}
    Result<std::size_t> read_at(std::uint64_t offset, MutableByteView out) override {
      HOLDFAST_TRY(files_.before_("read_at", path_));
      return file_->read_at(offset, out);
    }
    Status write_at(std::uint64_t offset, std::vector<ByteView> parts) override {
      HOLDFAST_TRY(files_.before_("write_at", path_));
      return file_->write_at(offset, std::move(parts));
    }
    Status sync_data() override {
      HOLDFAST_TRY(files_.before_("sync_data", path_));
      return file_->sync_data();
    }
    Status forget_cached() override {
      HOLDFAST_TRY(files_.before_("forget_cached", path_));
      return file_->forget_cached();
    }
    Status truncate(std::uint64_t size) override {
      HOLDFAST_TRY(files_.before_("truncate", path_));
      return file_->truncate(size);
    }
    Result<std::uint64_t> size() override {
      HOLDFAST_TRY(files_.before_("size", path_));
      return file_->size();
    }
    void start_writeback(std::uint64_t offset, std::uint64_t length) override {
      file_->start_writeback(offset, length);
    }

   private:
    ObservedFiles& files_;
    const std::unique_ptr<File> file_;
    const std::string path_;
  };

  FileSystem& files_;
  const Before before_;
};

}  // namespace holdfast::testing
