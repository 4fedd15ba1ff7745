// The real source tree: a Linux file system, read without following links and, where the system
// lets it, without leaving a trace in access times.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/posix/account_names.h"
#include "agent/posix/folder_cache.h"
#include "agent/posix/source_paths.h"
#include "agent/posix/tree_walk.h"
#include "agent/source_tree.h"
#include "common/posix/descriptor.h"

namespace holdfast::agent {

class PosixSourceTree final : public SourceTree {
 public:
  // See SourcePaths::from for `sources`. A source that is a symbolic link is kept as a link.
  // Folders have size 0 in their entries.
  static Result<std::unique_ptr<PosixSourceTree>> create(
      const std::vector<std::string>& sources, ScanOptions options,
      KernelFeatures features = KernelFeatures::probe());

  // kNotFound for a source that does not exist; kInvalidArgument for sources that contradict each
  // other (SourcePaths::check_reachable). `visit` and `problem` are called on the calling thread.
  Status scan(const std::function<bool(Entry&&)>& visit,
              const std::function<void(ScanProblem&&)>& problem) override;
  // If one attribute cannot be read, the others are filled in. kChanged if the entry vanished.
  Status describe(Entry& entry) override;
  Result<std::unique_ptr<ContentReader>> open(const Entry& entry) override;

 private:
  PosixSourceTree(SourcePaths sources, ScanOptions options, KernelFeatures features);

  Result<std::shared_ptr<Descriptor>> folder_of(std::string_view path);
  Descriptor open_folder(std::string_view path) const;
  Status read_target(int folder, const char* name, Entry& entry) const;

  const SourcePaths sources_;
  const ScanOptions options_;
  const KernelFeatures features_;
  FolderCache<Descriptor> folders_;
  AccountNames names_;
};

}  // namespace holdfast::agent
