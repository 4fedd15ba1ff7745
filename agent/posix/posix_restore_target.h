// The real target of a restore: a folder of a Linux file system.
//
// Nothing outside it is read, written or removed, whatever the paths and entries say and whatever
// links lie in it: folders are opened below the target's own descriptor without following links,
// and all else is done to a single name in an open folder. What exists is replaced, never written
// into; a folder that is not empty is never removed. Until it is finished, nobody gets more rights
// to a file or folder than in the end.
//
// What it cannot defend against is somebody who moves a folder of the target elsewhere while it is
// being restored into: he had the right to write there before.
#pragma once

#include <memory>
#include <string>

#include "agent/posix/kernel_features.h"
#include "agent/posix/target_folders.h"
#include "agent/restore_target.h"

namespace holdfast::agent {

class PosixRestoreTarget final : public RestoreTarget {
 public:
  // Opens the folder `path` (following links, as the user named it), which is made if its parent is
  // there, for its owner alone.
  static Result<std::unique_ptr<PosixRestoreTarget>> open(
      const std::string& path, KernelFeatures features = KernelFeatures::probe());

  // All of them: kNotFound if the folder around `path` was not made, kInvalidArgument if it lies
  // behind a symbolic link, kAlreadyExists if a folder that is not empty is in the way.
  Status make_directory(const std::string& path) override;
  Result<std::unique_ptr<FileWriter>> create_file(const std::string& path,
                                                  const Entry& entry) override;
  // kInvalidArgument also if the content is not as long as the entry says.
  Status write_file(const std::string& path, const Entry& entry, ByteView content) override;
  Status make_symlink(const std::string& path, const Entry& entry) override;
  Status make_hard_link(const std::string& path, const std::string& existing) override;
  Status make_special(const std::string& path, const Entry& entry) override;
  Status finish_directory(const std::string& path, const Entry& entry) override;
  Result<bool> matches(const std::string& path, const Entry& entry) override;

 private:
  PosixRestoreTarget(Descriptor root, KernelFeatures features);

  Status clear_folder(const std::string& path, const TargetPlace& place);
  template <typename Make>
  Status make_in_place(const std::string& path, const TargetPlace& place, Make make);

  TargetFolders folders_;
};

}  // namespace holdfast::agent
