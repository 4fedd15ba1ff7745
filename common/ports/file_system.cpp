#include "common/ports/file_system.h"

#include <string_view>

#include "common/base/planted_bug.h"

namespace holdfast {

Result<Buffer> read_file(FileSystem& files, const std::string& path, std::size_t limit) {
  HOLDFAST_ASSIGN(auto file, files.open(path, OpenMode::kRead));
  HOLDFAST_ASSIGN(const std::uint64_t size, file->size());
  if (size > limit)
    return Error(Code::kInvalidArgument, path + ": " + std::to_string(size) +
                                             " bytes, more than the " + std::to_string(limit) +
                                             " that such a file may have");
  Buffer content(static_cast<std::size_t>(size));
  HOLDFAST_ASSIGN(const std::size_t got, file->read_at(0, content.mutable_view()));
  content.resize(got);
  return content;
}

namespace {

constexpr std::string_view kTemporaryEnding = ".new";
constexpr std::size_t kTemporaryDigits = 16;

// Whether `name` is what temporary_path() makes of `base`.
bool is_temporary_of(std::string_view name, std::string_view base) {
  if (!name.starts_with(base) || !name.ends_with(kTemporaryEnding)) return false;
  name.remove_prefix(base.size());
  return name.size() == 1 + kTemporaryDigits + kTemporaryEnding.size() && name.front() == '.' &&
         name.find_first_not_of("0123456789abcdef", 1) == 1 + kTemporaryDigits;
}

// What a crash has left. It may also be another process's, which will miss it and begin anew. What
// cannot be removed is in nobody's way.
void remove_temporaries(FileSystem& files, const std::string& path) {
  const std::string folder = parent_path(path);
  const auto entries = files.list(folder);
  if (!entries) return;
  const std::string base = path.substr(path.find_last_of('/') + 1);
  for (const DirectoryEntry& entry : *entries)
    if (is_temporary_of(entry.name, base))
      static_cast<void>(files.remove(folder + "/" + entry.name));
}

Status write_new_file(FileSystem& files, const std::string& path, ByteView content) {
  HOLDFAST_ASSIGN(auto file, files.open(path, OpenMode::kCreateNew));
  HOLDFAST_TRY(file->write_at(0, {content}));
  if (HOLDFAST_PLANTED("skip the sync of a temporary file")) return {};
  return file->sync_data();
}

}  // namespace

Status write_file_atomically(FileSystem& files, const std::string& path, ByteView content,
                             const std::function<Status(const std::string&)>& finish) {
  remove_temporaries(files, path);
  // Each loss is another process's call that went on meanwhile.
  constexpr int kMostLosses = 8;
  for (int losses = 0;; ++losses) {
    const std::string temporary = files.temporary_path(path);
    Status done = write_new_file(files, temporary, content);
    const bool was_there = done.has_value();
    if (done && finish) done = finish(temporary);
    if (done) done = files.rename(temporary, path);
    if (done) break;
    static_cast<void>(files.remove(temporary));
    const bool is_lost = was_there && done.error().code() == Code::kNotFound;
    if (!is_lost || losses == kMostLosses) return done;
  }
  if (HOLDFAST_PLANTED("skip the sync of a renamed file's folder")) return {};
  return files.sync_directory(parent_path(path));
}

namespace {

// A name that is there may be one that an earlier attempt made and did not come to sync. Who may
// not sync a folder has not made anything in it.
Status sync_name(FileSystem& files, const std::string& path) {
  Status synced = files.sync_directory(parent_path(path));
  if (synced) return synced;
  const Code code = synced.error().code();
  const bool not_ours =
      code == Code::kPermissionDenied || code == Code::kReadOnly || code == Code::kInvalidArgument;
  return not_ours ? Status() : synced;
}

}  // namespace

Status make_directories(FileSystem& files, const std::string& path) {
  if (path.empty() || path == "/") return {};
  HOLDFAST_ASSIGN(const bool there, files.exists(path));
  if (there) return sync_name(files, path);
  const std::string parent = parent_path(path);
  HOLDFAST_TRY(make_directories(files, parent));
  if (auto made = files.make_directory(path); !made && made.error().code() != Code::kAlreadyExists)
    return made;
  return files.sync_directory(parent);
}

std::string parent_path(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace holdfast
