// What lies in the folder of a Linux file system that is restored into. Like PosixRestoreTarget, it
// never follows a link below the target and never leaves it; it opens folders anew each time, so
// that it needs nothing to be told when they go.
#pragma once

#include <memory>
#include <string>

#include "agent/posix/kernel_features.h"
#include "agent/target_view.h"
#include "common/posix/descriptor.h"

namespace holdfast::agent {

class PosixTargetView final : public TargetView {
 public:
  // kNotFound if there is no such folder: then nothing lies in it.
  static Result<std::unique_ptr<PosixTargetView>> at(
      const std::string& path, KernelFeatures features = KernelFeatures::probe());

  Result<std::optional<Entry>> look(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;
  Status remove(const std::string& path) override;
  Result<std::unique_ptr<TargetFile>> open(const std::string& path) override;

 private:
  PosixTargetView(Descriptor root, KernelFeatures features)
      : root_(std::move(root)), features_(features) {}
  Descriptor open_folder_of(const std::string& path) const;

  const Descriptor root_;
  const KernelFeatures features_;
};

}  // namespace holdfast::agent
