// The repositories of a node in one folder: FOLDER/<id in hex>/ holds a store, and in it index/ the
// index that goes with it. A repository is created beside its place and renamed into it, so that
// what has its name is whole.
#pragma once

#include <functional>
#include <string>

#include "common/ports/file_system.h"
#include "repository/repository_shelf.h"

namespace holdfast::repository {

class FolderShelf final : public RepositoryShelf {
 public:
  // Opens the index at this path, creating it if need be. What cannot be read as one is for the
  // opener to replace by an empty one: the store then rebuilds it.
  using OpenIndex = std::function<Result<std::unique_ptr<ObjectIndex>>(const std::string& path)>;

  // `folder` need not exist before the first create(). `files` outlives what is opened, too.
  FolderShelf(FileSystem& files, std::string folder, const NodeId& node, OpenIndex open_index,
              StoreLimits limits = {});

  Result<std::vector<RepositoryId>> list() override;
  Result<OpenedStore> open(const RepositoryId& id) override;
  Result<OpenedStore> create(const RepositoryId& id) override;

 private:
  std::string path_of(const RepositoryId& id) const;

  FileSystem& files_;
  const std::string folder_;
  const NodeId node_;
  const OpenIndex open_index_;
  const StoreLimits limits_;
};

}  // namespace holdfast::repository
