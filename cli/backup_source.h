// What a backup reads, from its options: paths and what is left out of them, or one stream.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/entry_stream.h"
#include "common/ports/clock.h"
#include "common/ports/file_system.h"

namespace holdfast::cli {

struct SourceOptions {
  std::vector<std::string> paths;
  std::vector<std::string> files_from;   // files that hold more of them, one a line; "-" is stdin
  std::vector<std::string> files_from0;  // the same, each ended by a NUL
  std::vector<std::string> excludes, exclude_files, excludes_in_any_case;
  std::vector<std::string> exclude_if_present;  // NAME or NAME:HEADER
  std::string exclude_larger_than;              // as parse_byte_size() takes it; empty: no limit
  bool exclude_caches = false, one_file_system = false;
  bool absolute_only = false;  // no working directory means anything: of a profile

  // Instead of paths: standard input, or what a command prints.
  bool from_stdin = false;
  std::vector<std::string> stdin_command;
  std::string stdin_filename;  // empty: "stdin"

  bool is_stream() const { return from_stdin || !stdin_command.empty(); }
};

// The scan begins when this is made, and ends with it at the latest.
class BackupSource {
 public:
  // kInvalidArgument for options that contradict each other or are malformed; kNotFound for a path
  // that does not exist. Reads lists from standard input at once.
  static Result<std::unique_ptr<BackupSource>> open(FileSystem& files, const Clock& clock,
                                                    const SourceOptions& options);
  virtual ~BackupSource() = default;

  virtual agent::SourceTree& tree() = 0;
  virtual agent::EntryStream& scan() = 0;
  // Ends the scan; what waits for it fails with kInterrupted. From any thread.
  virtual void cancel() = 0;

  // For the snapshot's record: absolute.
  const std::vector<std::string>& paths() const { return paths_; }
  // What makes two backups ones of the same sources, beside the host: the paths and all that
  // selects what is taken of them.
  const std::vector<std::string>& identity() const { return identity_; }

 protected:
  BackupSource(std::vector<std::string> paths, std::vector<std::string> identity)
      : paths_(std::move(paths)), identity_(std::move(identity)) {}

 private:
  const std::vector<std::string> paths_, identity_;
};

}  // namespace holdfast::cli
