// What lies in the target of a restore, before and after: for --overwrite, --delete and --verify.
// Like RestoreTarget, it never follows a symbolic link and never leaves the target. Thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/entry.h"
#include "common/base/bytes.h"
#include "common/base/result.h"

namespace holdfast::agent {

class TargetFile {
 public:
  virtual ~TargetFile() = default;
  virtual std::uint64_t size() const = 0;  // when it was opened
  // Fills `out` unless the file ends; fewer bytes mean the end.
  virtual Result<std::size_t> read_at(std::uint64_t offset, MutableByteView out) = 0;
};

class TargetView {
 public:
  virtual ~TargetView() = default;
  // Paths are relative to the target; "" is the target itself. kInvalidArgument as in
  // RestoreTarget.

  // Type, size and times of what has this name; nullopt if nothing has.
  virtual Result<std::optional<Entry>> look(const std::string& path) = 0;
  // The names in a folder, in any order; none if there is no such folder.
  virtual Result<std::vector<std::string>> list(const std::string& path) = 0;
  // Removes what has this name, a folder with all that is in it.
  virtual Status remove(const std::string& path) = 0;
  // A regular file, for reading.
  virtual Result<std::unique_ptr<TargetFile>> open(const std::string& path) = 0;
};

}  // namespace holdfast::agent
