// Where a restore writes: a folder that nothing may leave, whatever names, links and orders of
// entries a hostile repository supplies. The real one works relative to open folders and never
// follows a symbolic link; a simulation supplies its own.
//
// Order of calls: make_directory for folders (parents before children), then for the others in any
// order and from several threads; finish_directory for each folder after all that is in it.
#pragma once

#include <memory>
#include <string>

#include "agent/entry.h"
#include "common/base/bytes.h"
#include "common/base/result.h"

namespace holdfast::agent {

class FileWriter {
 public:
  virtual ~FileWriter() = default;  // without finish(): what was written is removed
  // From any thread, in any order; ranges do not overlap.
  virtual Status write_at(std::uint64_t offset, ByteView bytes) = 0;
  // Sets size, owner, xattrs, mode and times, and puts the file in its place. Problems with single
  // attributes (no permission to chown) are reported as kPermissionDenied after all else was done.
  virtual Status finish(const Entry& entry) = 0;
};

class RestoreTarget {
 public:
  virtual ~RestoreTarget() = default;
  // `path` below: relative to the target, checked by the callee: no empty, "." or ".." component,
  // no NUL. kInvalidArgument otherwise.
  virtual Status make_directory(const std::string& path) = 0;
  virtual Result<std::unique_ptr<FileWriter>> create_file(const std::string& path,
                                                          const Entry& entry) = 0;
  // For a regular file whose content is at hand: create, write and finish at once. The hot path.
  virtual Status write_file(const std::string& path, const Entry& entry, ByteView content) = 0;
  virtual Status make_symlink(const std::string& path, const Entry& entry) = 0;
  virtual Status make_hard_link(const std::string& path, const std::string& existing) = 0;
  virtual Status make_special(const std::string& path,
                              const Entry& entry) = 0;  // fifo, socket, device
  // Owner, xattrs, mode and times of a folder, after its content.
  virtual Status finish_directory(const std::string& path, const Entry& entry) = 0;
  // True if the file there already has this entry's size and mtime (--overwrite if-changed).
  virtual Result<bool> matches(const std::string& path, const Entry& entry) = 0;
};

}  // namespace holdfast::agent
