#include "common/ports/file_system.h"

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

Status write_file_atomically(FileSystem& files, const std::string& path, ByteView content) {
  const std::string temporary = path + ".new";
  HOLDFAST_ASSIGN(const bool left_over, files.exists(temporary));
  if (left_over) HOLDFAST_TRY(files.remove(temporary));
  {
    HOLDFAST_ASSIGN(auto file, files.open(temporary, OpenMode::kCreateNew));
    HOLDFAST_TRY(file->write_at(0, {content}));
    if (!HOLDFAST_PLANTED("skip the sync of a temporary file")) HOLDFAST_TRY(file->sync_data());
  }
  HOLDFAST_TRY(files.rename(temporary, path));
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
