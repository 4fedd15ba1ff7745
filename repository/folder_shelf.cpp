#include "repository/folder_shelf.h"

#include <fmt/format.h>

namespace holdfast::repository {
namespace {

// Removes a folder with all it holds; fine if it is not there.
Status remove_tree(FileSystem& files, const std::string& path) {
  HOLDFAST_ASSIGN(const bool exists, files.exists(path));
  if (!exists) return {};
  HOLDFAST_ASSIGN(const std::vector<DirectoryEntry> entries, files.list(path));
  for (const DirectoryEntry& entry : entries) {
    const std::string inner = path + "/" + entry.name;
    HOLDFAST_TRY(entry.is_directory ? remove_tree(files, inner) : files.remove(inner));
  }
  return files.remove(path);
}

}  // namespace

FolderShelf::FolderShelf(FileSystem& files, std::string folder, const NodeId& node,
                         OpenIndex open_index, StoreLimits limits)
    : files_(files),
      folder_(std::move(folder)),
      node_(node),
      open_index_(std::move(open_index)),
      limits_(limits) {}

std::string FolderShelf::path_of(const RepositoryId& id) const { return folder_ + "/" + id.hex(); }

Result<std::vector<RepositoryId>> FolderShelf::list() {
  std::vector<RepositoryId> ids;
  HOLDFAST_ASSIGN(const bool exists, files_.exists(folder_));
  if (!exists) return ids;
  HOLDFAST_ASSIGN(const std::vector<DirectoryEntry> entries, files_.list(folder_));
  for (const DirectoryEntry& entry : entries) {
    const auto id = RepositoryId::from_hex(entry.name);
    if (entry.is_directory && id && id->hex() == entry.name) ids.push_back(*id);
  }
  return ids;  // by name, which is in order of id
}

Result<OpenedStore> FolderShelf::open(const RepositoryId& id) {
  const std::string path = path_of(id);
  HOLDFAST_ASSIGN(const bool exists, files_.exists(path));
  if (!exists) return Error(Code::kNoRepository, fmt::format("{}: there is no repository", path));
  // What create() was cut off behind its rename may be seen and not be durable.
  HOLDFAST_TRY(files_.sync_directory(folder_));
  OpenedStore opened;
  HOLDFAST_ASSIGN(opened.index, open_index_(path + "/index"));
  HOLDFAST_ASSIGN(opened.store, Store::open(files_, path, *opened.index, node_, limits_));
  return opened;
}

Result<OpenedStore> FolderShelf::create(const RepositoryId& id) {
  const std::string path = path_of(id);
  HOLDFAST_ASSIGN(const bool exists, files_.exists(path));
  if (exists)
    return Error(Code::kAlreadyExists, fmt::format("{}: the repository is there already", path));
  const std::string unfinished = path + ".new";
  HOLDFAST_TRY(make_directories(files_, folder_));
  HOLDFAST_TRY_OR(remove_tree(files_, unfinished), "an unfinished repository of before");
  HOLDFAST_TRY(Store::create(files_, unfinished, node_));
  HOLDFAST_TRY(files_.rename(unfinished, path));
  HOLDFAST_TRY(files_.sync_directory(folder_));
  return open(id);
}

}  // namespace holdfast::repository
