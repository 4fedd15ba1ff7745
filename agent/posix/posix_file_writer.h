// One regular file while it is being restored.
#pragma once

#include <string>

#include "agent/posix/target_folders.h"
#include "agent/restore_target.h"

namespace holdfast::agent {

// The name under which something new is made, before it takes the place of what is there.
// Unguessable, so that nobody can put something in its way. Thread-safe.
std::string temporary_name();

class PosixFileWriter final : public FileWriter {
 public:
  // Creates the file: under its own name if that is free, else under a temporary one that finish()
  // renames over what is there. kAlreadyExists if a folder is there.
  static Result<std::unique_ptr<PosixFileWriter>> create(TargetPlace place, const Entry& entry);
  ~PosixFileWriter() override;
  PosixFileWriter(const PosixFileWriter&) = delete;
  PosixFileWriter& operator=(const PosixFileWriter&) = delete;

  Status write_at(std::uint64_t offset, ByteView bytes) override;
  Status finish(const Entry& entry) override;

 private:
  PosixFileWriter(TargetPlace place, std::string temporary, Descriptor file)
      : place_(std::move(place)), temporary_(std::move(temporary)), file_(std::move(file)) {}

  TargetPlace place_;
  std::string temporary_;  // "" if it has its own name already
  Descriptor file_;
  bool finished_ = false;
};

}  // namespace holdfast::agent
